// Changes, reads and merges of a sorted table in any order, against a model.
#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "common/testing/eventually.h"
#include "tabletserver/storage/testing/run_merger_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

class RandomMergesTest : public RunMergerTest {
 protected:
  static constexpr int kKeys = 400;

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  int AnyRow() { return static_cast<int>(Below(kKeys)); }
  KeyRange AnyRange() {
    const int first = AnyRow();
    return Rows(first, first + 1 + static_cast<int>(Below(Below(4) == 0 ? kKeys : 20)));
  }
  void MakeRoom() {
    writer_tasks_.RunFor(std::chrono::milliseconds(100));
    if (store_->sorted.buffer_bytes() >= options_.buffer_bytes) WriteBuffer();
  }
  void Change() {
    MakeRoom();
    std::vector<Effect> effects;
    for (uint64_t left = 1 + Below(20); left > 0; --left) {
      effects.push_back(Below(3) == 0 ? DeleteRow(AnyRow()) : PutRow(AnyRow(), Below(300)));
    }
    ASSERT_TRUE(Apply(effects).ok());
    if (Below(3) == 0) WriteBuffer();
  }
  void Replace() {
    MakeRoom();
    const KeyRange range = AnyRange();
    std::map<std::string, StoredRecord> records;
    for (uint64_t left = Below(10); left > 0; --left) {
      const std::string key = MergedKey(AnyRow());
      if (range.Contains(key)) records[key] = {.value = Value(30), .version = {Epoch{1}, Lsn{++lsn_}}};
    }
    const std::vector<std::pair<std::string, StoredRecord>> in_order(records.begin(), records.end());
    ASSERT_TRUE(store_->records.ReplaceInterval(*Table(), range, in_order).ok());
    std::erase_if(model_, [&](const auto& row) { return range.Contains(row.first); });
    for (const auto& [key, record] : records) {
      model_[key] = record.value;
      keys_.insert(key);
    }
  }
  // Any adjacent runs that are free.
  void BeginSome() {
    auto chosen = store_->sorted.BeginMerge(Table(), [&](std::span<const PlannedRun> runs) -> std::optional<MergePlan> {
      if (runs.empty()) return std::nullopt;
      const size_t first = Below(runs.size());
      size_t count = 0;
      const size_t count_max = 1 + Below(8);
      while (count < count_max && first + count < runs.size() && !runs[first + count].fixed) ++count;
      return count == 0 ? std::nullopt : std::optional(MergePlan{first, count});
    });
    if (!chosen) return;
    merges_.push_back(std::make_unique<WtRunMerge>(store_->options, *store_->connection, *store_->sessions,
                                                   store_->sorted, *std::move(chosen)));
    ASSERT_TRUE(merges_.back()->Begin().ok());
  }
  void StepSome() {
    if (merges_.empty()) return BeginSome();
    const auto merge = merges_.begin() + static_cast<ptrdiff_t>(Below(merges_.size()));
    if (Below(20) == 0) {
      merges_.erase(merge);
      return;
    }
    const auto done = (*merge)->Step(static_cast<int64_t>(1 + Below(Below(2) == 0 ? 100 : 20'000)));
    ASSERT_TRUE(done) << done.error();
    if (*done) merges_.erase(merge);
  }
  void Act() {
    switch (Below(400)) {
      case 0: merges_.clear(), Reopen(); return;
      case 1: merges_.clear(), Crash(); return;
      case 2:
      case 3:
      case 4: return Checkpoint();
      case 5:
      case 6: {
        const auto merged = store_->merger.MergeAll(Table());
        EXPECT_EQ(merged ? Code::kOk : merged.error().code(), merges_.empty() ? Code::kOk : Code::kComeAgain);
        return;
      }
      default: break;
    }
    switch (Below(12)) {
      case 0: MakeRoom(), Clear(AnyRange()); return;
      case 1: return Replace();
      case 2: return BeginSome();
      case 3:
      case 4:
      case 5: return Change();
      case 6: return ExpectModel(40, AnyRange());
      case 7: return MakeRoom();
      default: return StepSome();
    }
  }

  std::vector<std::unique_ptr<WtRunMerge>> merges_;
  std::mt19937_64 random_{TestSeed()};
};

// EBLA_SECONDS for more of it, EBLA_SEED to have the same again.
TEST_F(RandomMergesTest, TheTableIsTheModelWhateverIsMerged) {
  options_.buffer_bytes = 16 << 10;
  Open();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(FromEnvironment("EBLA_SECONDS", 5));
  uint64_t acts = 0;
  for (; std::chrono::steady_clock::now() < end; ++acts) {
    Act();
    if (acts % 10 == 0 && !HasFatalFailure()) ExpectModel(20);
    ASSERT_FALSE(HasFatalFailure()) << "act " << acts;
  }
  merges_.clear();
  ExpectModel();
  Checkpoint();
  EXPECT_EQ(Files(), Named());
  LOG(INFO) << acts << " acts";
}

// ---- at once -------------------------------------------------------------------------------------------------------

// A writer has a tablet of its own, and knows its records.
class BusyWriter {
 public:
  BusyWriter(MergedStore& store, uint64_t number) : store_(store), tablet_(100 + number), random_(TestSeed()) {
    prefix_ = std::string(1, static_cast<char>('a' + number));
  }
  void Act() {
    if (random_() % 50 == 0) return ClearSome();
    if (random_() % 20 == 0) return Check();
    Effect effect =
        random_() % 4 == 0 ? Delete(AnyKey()) : Put(AnyKey(), std::to_string(++lsn_) + std::string(200, '.'));
    if (!store_.sorted.WaitForRoom(std::chrono::seconds(20)).ok()) {
      ADD_FAILURE() << "no room";
      return;
    }
    const LogEntry entry = Entry(++lsn_, {effect});
    ApplyBatch batch{.tablet = tablet_, .table = kMergedTable, .records = {{&entry.effects[0], entry.version}}};
    batch.state.applied = entry.version;
    store_.records.Apply(*store_.sorted.Find(kMergedTable), {&batch, 1});
    effect.is_delete ? (void)model_.erase(effect.key) : (void)(model_[effect.key] = effect.value);
  }
  void Check() {
    const SortedTablePtr table = store_.sorted.Find(kMergedTable);
    std::map<std::string, std::string> rows;
    const ScanBounds bounds{.range = {prefix_, prefix_ + "z"}, .reverse = random_() % 2 == 0};
    const Status scanned = store_.records.Read(*table, nullptr, [&](RecordStore::View& view) {
      return view.Scan(bounds, [&](std::string_view key, const StoredRecord& record) {
        return rows.emplace(key, record.value).second;
      });
    });
    EXPECT_TRUE(scanned.ok()) << scanned;
    EXPECT_TRUE(rows == model_) << prefix_ << ": " << rows.size() << " rows instead of " << model_.size();
    const std::string key = AnyKey();
    const auto record = store_.records.Get(*table, key, nullptr);
    ASSERT_TRUE(record) << record.error();
    EXPECT_EQ(record->has_value(), model_.contains(key)) << key;
  }

 private:
  std::string AnyKey() { return prefix_ + std::to_string(100 + random_() % 400); }
  void ClearSome() {
    const std::string first = AnyKey();
    const KeyRange range{first, first + (random_() % 2 == 0 ? "z" : "0")};
    const KeyRange wide{first, prefix_ + "z"};
    const KeyRange& cleared = random_() % 8 == 0 ? wide : range;
    const Status status = store_.records.ReplaceInterval(*store_.sorted.Find(kMergedTable), cleared, {});
    EXPECT_TRUE(status.ok()) << status;
    std::erase_if(model_, [&](const auto& row) { return cleared.Contains(row.first); });
  }

  MergedStore& store_;
  const TabletId tablet_;
  std::mt19937_64 random_;
  std::string prefix_;
  std::map<std::string, std::string> model_;
  uint64_t lsn_ = 0;
};

// Two tablets are written and cleared while runs are merged, checkpoints taken, and another table made and dropped.
TEST_F(RandomMergesTest, ThreadsReadAndWriteWhileRunsAreMerged) {
  ebla::testing::ThreadExecutor writer, merger;
  options_.writer = &writer;
  options_.merger = &merger;
  options_.buffer_bytes = 32 << 10;
  options_.cache_wait_ms_max = 20'000;
  Open();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(FromEnvironment("EBLA_SECONDS", 3));
  const auto busy = [end] { return std::chrono::steady_clock::now() < end; };
  BusyWriter first(*store_, 0), second(*store_, 1);
  {
    std::jthread one([&] {
      while (busy()) first.Act();
    });
    std::jthread two([&] {
      while (busy()) second.Act();
    });
    std::jthread compactions([&] {
      while (busy()) {
        const auto merged = store_->merger.MergeAll(Table());
        EXPECT_EQ(merged ? Code::kOk : merged.error().code(), merged ? Code::kOk : Code::kComeAgain);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
    std::jthread drops([&] {
      constexpr TableId kOther{8};
      for (uint64_t lsn = 0; busy();) {
        EXPECT_TRUE(store_->sorted.Ensure(kOther, TableCompression::kNone).ok());
        for (int runs = 0; runs < 6; ++runs) {
          const LogEntry entry = Entry(++lsn, {Put("k", std::string(5000, 'v'))});
          ApplyBatch batch{.tablet = TabletId{80}, .table = kOther, .records = {{&entry.effects[0], entry.version}}};
          batch.state.applied = entry.version;
          store_->records.Apply(*store_->sorted.Find(kOther), {&batch, 1});
          EXPECT_TRUE(store_->sorted.Write(*store_->sorted.Find(kOther)).ok());
        }
        EXPECT_TRUE(store_->sorted.Drop(store_->sorted.Find(kOther)).ok());
      }
    });
    while (busy()) EXPECT_TRUE(store_->Checkpoint().ok());
  }
  first.Check();
  second.Check();
  // A file that a merge held just now is removed with a later checkpoint.
  EXPECT_TRUE(ebla::testing::Eventually([&] {
    EXPECT_TRUE(store_->Checkpoint().ok());
    return Merges().empty() && Files() == Named();
  }));
  EXPECT_TRUE(store_->connection->status().ok());
  store_.reset();
}

}  // namespace
}  // namespace ebla::tabletserver::testing
