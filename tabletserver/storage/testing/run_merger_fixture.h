// tabletserver/storage/testing/run_merger_fixture.h
// For tests: a sorted table on a real database, and a model of its records. Buffers are written and runs are merged when
// the test wants it.
// Threads: one test's thread.
#pragma once

#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/testing/sim_executor.h"
#include "tabletserver/storage/testing/store_fixture.h"
#include "tabletserver/storage/wiredtiger/store_directory.h"
#include "tabletserver/storage/wiredtiger/wt_checkpoints.h"
#include "tabletserver/storage/wiredtiger/wt_dedup_rows.h"
#include "tabletserver/storage/wiredtiger/wt_run_merge.h"
#include "tabletserver/storage/wiredtiger/wt_run_merger.h"
#include "tabletserver/storage/wiredtiger/wt_sorted_records.h"
#include "tabletserver/storage/wiredtiger/wt_tables.h"

namespace ebla::tabletserver::testing {

inline constexpr TableId kMergedTable{7};
inline constexpr TabletId kMergedTablet{70};
inline constexpr int64_t kBufferBytes = 1 << 20;  // a tiny run is then below 64 KiB

inline std::string MergedKey(int row) { return "k" + std::to_string(100'000 + row); }
inline KeyRange Rows(int first, int end) { return {MergedKey(first), MergedKey(end)}; }

inline std::unique_ptr<WtConnection> Connect(const WtStoreOptions& options) {
  CHECK(StoreDirectory::Open(options.directory));
  auto opened = WtConnection::Open(options);
  CHECK(opened) << opened.error();
  return *std::move(opened);
}

// The parts of a WtRecordStore that sorted tables need, each within the test's reach.
struct MergedStore {
  explicit MergedStore(const WtStoreOptions& given) : options(given) {
    CHECK(tables.Open().ok());
    sorted.SetOnRuns([this](TableId table) { merger.Look(table); });
    const Status opened = sorted.Open();
    CHECK(opened.ok()) << opened;
    for (const SortedTablePtr& table : sorted.All()) merger.Look(table->id);
  }
  ~MergedStore() {
    merger.Stop();
    sorted.Stop();
    EXPECT_TRUE(sorted.WriteAll().ok());
    EXPECT_TRUE(checkpoints.PrepareLast(*connection).ok());
    sessions->Close();
    EXPECT_TRUE(connection->Close().ok());
  }
  Status Checkpoint() {
    EBLA_TRY(sorted.WriteAll());
    const uint64_t begun = sorted.BeginCheckpoint();
    EBLA_TRY(checkpoints.Take());
    sorted.EndCheckpoint(begun);
    return {};
  }

  const WtStoreOptions options;
  DiskReserve reserve{options.directory, options.disk_reserve_bytes, options.disk_space};
  std::unique_ptr<WtConnection> connection = Connect(options);
  std::shared_ptr<WtSessions> sessions = std::make_shared<WtSessions>(*connection, options.sessions_max);
  WtTables tables{options, *sessions};
  WtSortedTables sorted{options, *connection, *sessions};
  CacheAdmission admission{options.cache_bytes};
  WtSortedRecords records{options, *sessions, sorted, admission};
  WtRunMerger merger{options, *connection, reserve, *sessions, sorted};
  WtDedupRows dedup_rows;
  WtCheckpoints checkpoints{*sessions, dedup_rows, reserve};
};

// Nothing runs in the background but what the test lets run.
class RunMergerTest : public ::testing::Test {
 protected:
  RunMergerTest() {
    options_ = SmallStore(directory_ / "store", flusher_, flusher_);
    options_.cache_wait_ms_max = 50;
    options_.writer = &writer_;
    options_.merger = &merger_;
    options_.buffer_bytes = kBufferBytes;
  }
  void Open() {
    store_ = std::make_unique<MergedStore>(options_);
    ASSERT_TRUE(store_->sorted.Ensure(kMergedTable, TableCompression::kNone).ok());
  }
  void Reopen() {
    store_.reset();
    checkpointed_ = model_;
    Open();
  }
  // The process dies, and the files stay.
  void Crash() {
    const std::string crashed = directory_ / "store" + std::to_string(++lives_);
    std::filesystem::copy(options_.directory, crashed, std::filesystem::copy_options::recursive);
    store_.reset();
    std::filesystem::remove_all(options_.directory);
    options_.directory = crashed;
    model_ = checkpointed_;
    Open();
  }
  void Checkpoint() {
    const Status taken = store_->Checkpoint();
    ASSERT_TRUE(taken.ok()) << taken;
    checkpointed_ = model_;
  }

  SortedTablePtr Table() { return store_->sorted.Find(kMergedTable); }
  Status Apply(const std::vector<Effect>& effects) {
    EBLA_TRY(store_->sorted.WaitForRoom(std::chrono::milliseconds(50)));
    const LogEntry entry = Entry(++lsn_, effects);
    ApplyBatch batch{.tablet = kMergedTablet, .table = kMergedTable};
    for (const Effect& effect : entry.effects) batch.records.push_back({&effect, entry.version});
    batch.state.applied = entry.version;
    store_->records.Apply(*Table(), {&batch, 1});
    for (const Effect& effect : effects) {
      keys_.insert(effect.key);
      effect.is_delete ? (void)model_.erase(effect.key) : (void)(model_[effect.key] = effect.value);
    }
    return {};
  }
  // No two are equal.
  std::string Value(size_t bytes) {
    std::string value = std::to_string(++values_);
    value.resize(std::max(bytes, value.size()), '.');
    return value;
  }
  Effect PutRow(int row, size_t bytes = 1000) { return Put(MergedKey(row), Value(bytes)); }
  Effect DeleteRow(int row) { return Delete(MergedKey(row)); }
  Status ApplyRows(int first, int rows) {
    std::vector<Effect> effects;
    for (int row = first; row < first + rows; ++row) effects.push_back(PutRow(row));
    return Apply(effects);
  }
  void WriteBuffer() { ASSERT_TRUE(store_->sorted.Write(*Table()).ok()); }
  void WriteRun(const std::vector<Effect>& effects) {
    ASSERT_TRUE(Apply(effects).ok());
    WriteBuffer();
  }
  void WriteRows(int first, int rows) {
    ASSERT_TRUE(ApplyRows(first, rows).ok());
    WriteBuffer();
  }
  // Some at a time, with merges in between.
  void DeleteRows(int first, int end) {
    constexpr int kPiece = 500;
    for (int row = first; row < end; row += kPiece) {
      std::vector<Effect> deletes;
      for (int one = row; one < std::min(row + kPiece, end); ++one) deletes.push_back(DeleteRow(one));
      WriteRun(deletes);
      MergeOn();
    }
  }
  void Clear(const KeyRange& range) {
    ASSERT_TRUE(store_->records.ReplaceInterval(*Table(), range, {}).ok());
    std::erase_if(model_, [&](const auto& row) { return range.Contains(row.first); });
  }
  // The merger's next task: it begins merges, and one of them takes a step.
  void Turn() { ASSERT_TRUE(merger_tasks_.Step()); }
  // Without the merges of a table at rest.
  void MergeOn() { merger_tasks_.RunFor(Duration(0)); }

  std::unique_ptr<WtRunMerge> BeginMerge(size_t first, size_t count) {
    auto chosen = store_->sorted.BeginMerge(
        Table(), [&](std::span<const PlannedRun>) { return std::optional(MergePlan{first, count}); });
    CHECK(chosen);
    auto merge = std::make_unique<WtRunMerge>(store_->options, *store_->connection, *store_->sessions, store_->sorted,
                                              *std::move(chosen));
    CHECK(merge->Begin().ok());
    return merge;
  }

  RunSetPtr RunsNow() { return Table()->buffer.runs(); }
  size_t Runs() { return RunsNow()->runs.size(); }
  // The numbers of inputs of the merges under way, the newest merge last.
  std::vector<size_t> Merges() {
    const SortedTablePtr table = Table();
    const MutexLock lock(table->buffer.write_mutex());
    std::vector<size_t> inputs;
    for (const auto& [order, merge] : table->merges) inputs.push_back(merge.inputs.size());
    return inputs;
  }
  std::set<std::string> Named() {
    std::set<std::string> names;
    if (Table() == nullptr) return names;
    const RunSetPtr now = RunsNow();
    for (const RunOfTable& run : now->runs) names.insert(RunFileName({run.file->run.number}));
    return names;
  }
  std::set<std::string> Files() {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(options_.directory)) {
      if (const std::string name = entry.path().filename(); name.starts_with("run_")) names.insert(name);
    }
    return names;
  }

  using Model = std::map<std::string, std::string>;
  Result<std::vector<std::pair<std::string, std::string>>> Scanned(const ScanBounds& bounds) {
    std::vector<std::pair<std::string, std::string>> rows;
    EBLA_TRY(store_->records.Read(*Table(), nullptr, [&](RecordStore::View& view) {
      return view.Scan(bounds, [&](std::string_view key, const StoredRecord& record) {
        rows.emplace_back(key, record.value);
        return true;
      });
    }));
    if (bounds.reverse) std::ranges::reverse(rows);
    return rows;
  }
  // Reads agree with the model; of `every` so many keys one is read alone.
  void ExpectModel(size_t every = 1, const KeyRange& range = {}) {
    std::vector<std::pair<std::string, std::string>> expected;
    for (const auto& row : model_) {
      if (range.Contains(row.first)) expected.push_back(row);
    }
    for (const bool reverse : {false, true}) {
      auto rows = Scanned({range, reverse});
      // On a busy machine eviction may not get a turn in the time that a scan waits for room in the cache.
      for (int again = 0; again < 200 && !rows && rows.error().code() == Code::kOverloaded; ++again)
        rows = Scanned({range, reverse});
      ASSERT_TRUE(rows) << rows.error();
      ASSERT_TRUE(*rows == expected) << (reverse ? "backward: " : "forward: ") << rows->size() << " rows instead of "
                                     << expected.size();
    }
    size_t at = 0;
    for (const std::string& key : keys_) {
      if (++at % every != 0) continue;
      const auto record = store_->records.Get(*Table(), key, nullptr);
      ASSERT_TRUE(record) << record.error();
      const auto found = model_.find(key);
      ASSERT_EQ(record->has_value(), found != model_.end()) << key;
      if (*record) {
        ASSERT_EQ((*record)->value, found->second) << key;
      }
    }
  }

  TemporaryDirectory directory_;
  ebla::testing::ThreadExecutor flusher_;
  ebla::testing::SimScheduler writer_tasks_{1}, merger_tasks_{2};
  ebla::testing::SimExecutor writer_{writer_tasks_}, merger_{merger_tasks_};
  WtStoreOptions options_;
  std::unique_ptr<MergedStore> store_;
  Model model_, checkpointed_;
  std::set<std::string> keys_;  // ever written
  uint64_t lsn_ = 0, values_ = 0;
  int lives_ = 0;
};

}  // namespace ebla::tabletserver::testing
