#include "tabletserver/storage/testing/store_fixture.h"

#include <glog/logging.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <set>
#include <sstream>

#include "common/testing/test_files.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"

namespace ebla::tabletserver::testing {

namespace {

ebla::testing::ThreadExecutor& Completions() {
  static ebla::testing::ThreadExecutor executor;
  return executor;
}

class SimulatedUnderTest final : public StoreUnderTest {
 public:
  explicit SimulatedUnderTest(bool tables_in_memory) : tables_in_memory_(tables_in_memory) { Reopen(); }
  TabletStore& operator*() override { return **store_; }
  void Reopen() override {
    store_.reset();
    in_memory_ = std::make_unique<InMemoryStore>();
    store_ = std::make_unique<SimulatedStore>(disk_, executor_, SimulatedStore::Options{.memory = in_memory_.get()});
  }
  void Crash() override {
    store_.reset();
    disk_.Crash(SimulatedDisk::CrashKind::kProcess);
    Reopen();
  }
  Status MakeTable(TableId table, TableCompression compression) override {
    return tables_in_memory_ ? in_memory_->EnsureTable(table, compression) : (**store_).EnsureTable(table, compression);
  }
  bool KeepsRecords() const override { return !tables_in_memory_; }

 private:
  const bool tables_in_memory_;
  SimulatedDisk disk_{TestSeed()};
  ebla::testing::ThreadExecutor executor_;
  std::unique_ptr<InMemoryStore> in_memory_;
  std::unique_ptr<SimulatedStore> store_;
};

std::set<std::string> FilesOf(const std::string& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.is_regular_file()) names.insert(entry.path().filename());
  }
  return names;
}

class WtUnderTest final : public StoreUnderTest {
 public:
  explicit WtUnderTest(bool sorted_tables) : sorted_tables_(sorted_tables) { Reopen(); }
  TabletStore& operator*() override { return **store_; }
  void Reopen() override {
    store_.reset();
    WtStoreOptions options = SmallStore(directory_ / "store" + std::to_string(life_), flusher_, background_);
    options.sorted_tables = sorted_tables_;
    if (sorted_tables_) options.buffer_bytes = kSmallBufferBytes;
    auto opened = WtStore::Open(std::move(options));
    CHECK(opened) << opened.error();
    store_ = std::move(*opened);
  }
  // A process that dies leaves the files behind as the operating system has them.
  void Crash() override {
    const std::string before = directory_ / "store" + std::to_string(life_);
    const std::string after = directory_ / "store" + std::to_string(++life_);
    while (!CopyFiles(before, after)) {
    }
    Reopen();
    std::filesystem::remove_all(before);
  }

 private:
  const bool sorted_tables_;
  TemporaryDirectory directory_;
  int life_ = 0;
  ebla::testing::ThreadExecutor flusher_;
  ebla::testing::ThreadExecutor background_;
  std::unique_ptr<WtStore> store_;
};

}  // namespace

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

uint64_t TestSeed() {
  const uint64_t seed = FromEnvironment("EBLA_SEED", std::random_device{}());
  LOG(INFO) << "EBLA_SEED=" << seed;
  return seed;
}

bool CopyFiles(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::remove_all(to);
  // The log last: what is applied is in it.
  for (const char* folder : {"", "/log"}) {
    std::filesystem::create_directory(to + folder);
    const std::set<std::string> names = FilesOf(from + folder);
    for (const std::string& name : names) {
      const std::string file = std::string(folder) + "/" + name;
      if (!std::filesystem::copy_file(from + file, to + file, error)) return false;
    }
    if (names != FilesOf(from + folder)) return false;
  }
  // It claims that the log has what was copied after it, or more.
  for (const std::string& name : FilesOf(to)) {
    if (name.starts_with("INVENTORY") &&
        ebla::testing::FileBytes(from + "/" + name) != ebla::testing::FileBytes(to + "/" + name))
      return false;
  }
  return true;
}

Status FlushNow(TabletStore& store, FlushMode mode) {
  std::promise<Status> promise;
  store.Flush(mode, Completions(), [&](Status status) { promise.set_value(std::move(status)); });
  return promise.get_future().get();
}

Result<TabletStore::CheckpointResult> CheckpointNow(TabletStore& store) {
  std::promise<Result<TabletStore::CheckpointResult>> promise;
  store.Checkpoint(Completions(), [&](auto result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

std::unique_ptr<StoreUnderTest> MakeStore(StoreKind kind) {
  switch (kind) {
    case StoreKind::kSimulated: return std::make_unique<SimulatedUnderTest>(false);
    case StoreKind::kTablesInMemory: return std::make_unique<SimulatedUnderTest>(true);
    case StoreKind::kSortedTables: return std::make_unique<WtUnderTest>(true);
    case StoreKind::kWiredTiger: break;
  }
  return std::make_unique<WtUnderTest>(false);
}

std::string NameOf(StoreKind kind) {
  switch (kind) {
    case StoreKind::kSimulated: return "Simulated";
    case StoreKind::kTablesInMemory: return "TablesInMemory";
    case StoreKind::kSortedTables: return "SortedTables";
    case StoreKind::kWiredTiger: break;
  }
  return "WiredTiger";
}

namespace {

// Files may come and go meanwhile.
std::vector<std::string> SortedNames(const std::string& directory,
                                     const std::function<bool(const std::string&)>& wanted) {
  std::vector<std::string> names;
  std::error_code gone;
  for (std::filesystem::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
    if (std::string name = at->path().filename(); wanted(name)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

std::vector<std::string> RemovedFiles(const std::string& directory) {
  return SortedNames(directory + "/removed", [](const std::string&) { return true; });
}

WtStoreOptions SmallStore(std::string directory, Executor& flusher, Executor& background) {
  WtStoreOptions options;
  options.directory = std::move(directory);
  options.cache_bytes = 16 << 20;
  options.log_file_bytes = 1 << 20;
  options.flusher = &flusher;
  options.background = &background;
  options.watcher = &flusher;
  return options;
}

Effect Put(std::string key, std::string value) {
  Effect effect;
  effect.key = std::move(key);
  effect.value = std::move(value);
  return effect;
}

Effect Delete(std::string key) {
  Effect effect;
  effect.key = std::move(key);
  effect.is_delete = true;
  return effect;
}

LogEntry Entry(uint64_t lsn, std::vector<Effect> effects, EntryKind kind) {
  LogEntry entry;
  entry.kind = kind;
  entry.version = {Epoch{1}, Lsn{lsn}};
  entry.time = {1000 + lsn};
  entry.effects = std::move(effects);
  return entry;
}

Status AppendOne(TabletStore& store, TabletId tablet, const LogEntry& entry) {
  const AppendBatch batch{tablet, {&entry}};
  return store.Append({&batch, 1});
}

Status ApplyOne(TabletStore& store, TabletId tablet, TableId table, const LogEntry& entry, const KeyRange& range) {
  ApplyBatch batch;
  batch.tablet = tablet;
  batch.table = table;
  for (const Effect& effect : entry.effects) batch.records.push_back({&effect, entry.version});
  DedupRow row;
  row.client = {9};
  row.sequence = {entry.version.lsn.value};
  row.time = entry.time;
  row.version = entry.version;
  batch.dedup_window.put.push_back(row);
  batch.state.applied = entry.version;
  batch.state.range = range;
  batch.state.time = entry.time;
  batch.state.epoch_starts = {{Epoch{1}, Lsn{1}}};
  return store.Apply({&batch, 1});
}

std::string Dump(TabletStore& store, TableId table, const KeyRange& range, bool reverse) {
  std::ostringstream out;
  const Status status = store.Scan(table, {range, reverse}, [&](std::string_view key, const StoredRecord& record) {
    out << (out.tellp() > 0 ? " " : "") << key << "=" << record.value << "@" << record.version.lsn;
    return true;
  });
  return status.ok() ? out.str() : status.ToString();
}

std::string DumpReplicas(TabletStore& store) {
  const auto replicas = store.Recover();
  if (!replicas) return replicas.error().ToString();
  std::ostringstream out;
  for (const RecoveredReplica& replica : *replicas) {
    out << "tablet " << replica.tablet << (replica.state.tombstone ? " tombstone" : "") << " promised "
        << replica.state.promised << " applied ";
    if (replica.applied) {
      out << replica.applied->applied << " of " << replica.applied->range;
    } else {
      out << "none";
    }
    out << " log " << replica.first_logged << ".." << replica.last_logged << " window";
    for (const DedupRow& row : replica.dedup_window) out << " " << row.client << "/" << row.sequence;
    out << "\n";
  }
  return out.str();
}

std::string DumpLog(TabletStore& store, TabletId tablet) {
  const auto entries = store.ReadLog(tablet, Lsn{1}, Lsn{UINT64_MAX}, SIZE_MAX);
  if (!entries) return entries.error().ToString();
  std::ostringstream out;
  for (const LogEntry& entry : *entries) out << (out.tellp() > 0 ? " " : "") << entry.version;
  return out.str();
}

}  // namespace ebla::tabletserver::testing
