#include "tabletserver/storage/testing/crash_child.h"

#include <glog/logging.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "test_paths.h"

namespace ebla::tabletserver::testing {

namespace {

KeyRange RangeOf(TabletId tablet) {
  const std::string name = "t" + std::to_string(tablet.value);
  return {name + "/", name + "0"};
}

// A range of the crash table that is filled as by a copy, and cleared as by a drop, again and again.
const KeyRange kPassingRange{"passing/", "passing0"};
constexpr int kPassingRows = 40;

std::string PassingKey(int row) { return kPassingRange.start + std::to_string(10 + row); }

// Each key is written again 97 entries later, unless that is a multiple of 5, which deletes.
LogEntry CrashEntry(TabletId tablet, Lsn lsn, uint64_t value_bytes) {
  const std::string key = RangeOf(tablet).start + std::to_string(lsn.value % 97);
  std::string value = std::to_string(lsn.value);
  value.resize(value_bytes, static_cast<char>('a' + lsn.value % 26));
  LogEntry entry = Entry(lsn.value, {lsn.value % 5 == 0 ? Delete(key) : Put(key, std::move(value))});
  entry.effects.push_back(Put(RangeOf(tablet).start + "last", std::to_string(lsn.value)));
  return entry;
}

Status ApplyCrashEntry(TabletStore& store, TabletId tablet, const LogEntry& entry) {
  ApplyBatch batch;
  batch.tablet = tablet;
  batch.table = kCrashTable;
  for (const Effect& effect : entry.effects) batch.records.push_back({&effect, entry.version});
  const uint64_t lsn = entry.version.lsn.value;
  DedupRow row;
  row.client = {tablet.value};
  row.sequence = {lsn};
  row.version = entry.version;
  batch.dedup_window.put.push_back(row);
  if (lsn > kCrashWindow) batch.dedup_window.erase.emplace_back(ClientId{tablet.value}, Sequence{lsn - kCrashWindow});
  batch.state.applied = entry.version;
  batch.state.range = RangeOf(tablet);
  return store.Apply({&batch, 1});
}

std::map<std::string, std::string> ExpectedRecords(TabletId tablet, Lsn applied, uint64_t value_bytes) {
  std::map<std::string, std::string> records;
  const uint64_t first = applied.value > 200 ? applied.value - 200 : 1;  // every key was written within
  for (uint64_t lsn = first; lsn <= applied.value; ++lsn) {
    for (const Effect& effect : CrashEntry(tablet, Lsn{lsn}, value_bytes).effects) {
      if (effect.is_delete) {
        records.erase(effect.key);
      } else {
        records[effect.key] = effect.value;
      }
    }
  }
  return records;
}

WtStoreOptions OptionsOf(const CrashChildOptions& given, Executor& flusher, Executor& background) {
  WtStoreOptions options = SmallStore(given.directory, flusher, background);
  options.disk_reserve_bytes = given.disk_reserve_bytes;
  options.disk_check_period = std::chrono::milliseconds(5);
  options.inventory_period = std::chrono::milliseconds(1);
  options.sorted_tables = given.sorted_tables;
  if (given.sorted_tables) options.buffer_bytes = kSmallBufferBytes;
  return options;
}

// The life of the child: what a tablet host does, in short.
class Writer {
 public:
  Writer(TabletStore& store, const CrashChildOptions& options) : store_(store), options_(options) {}

  void Recover() {
    CHECK(store_.EnsureTable(kCrashTable, TableCompression::kNone).ok());
    auto replicas = store_.Recover();
    CHECK(replicas) << replicas.error();
    for (const RecoveredReplica& replica : *replicas) {
      const Lsn applied = replica.applied ? replica.applied->applied.lsn : Lsn{};
      last_[replica.tablet] = std::max(applied, replica.last_logged.lsn);  // the log may have been truncated to nothing
      auto log = store_.ReadLog(replica.tablet, applied.Next(), replica.last_logged.lsn, SIZE_MAX);
      CHECK(log) << log.error();
      for (const LogEntry& entry : *log) CHECK(ApplyCrashEntry(store_, replica.tablet, entry).ok());
    }
    for (uint64_t id = 1; id <= kCrashTablets; ++id) {
      ReplicaState state;
      state.table = kCrashTable;
      state.promised = {1};
      CHECK(store_.PutReplicaState({id}, state).ok());
    }
    CHECK(FlushNow(store_).ok());
  }

  // One round: append to every tablet, flush, say so, apply. OVERLOADED when the disk is full.
  Status Round(uint64_t round) {
    std::vector<std::pair<TabletId, LogEntry>> entries;
    for (uint64_t id = 1; id <= kCrashTablets; ++id) {
      const TabletId tablet{id};
      Lsn lsn = last_[tablet];
      for (uint64_t i = 0; i <= (round + id) % 3; ++i) {
        lsn = lsn.Next();
        entries.emplace_back(tablet, CrashEntry(tablet, lsn, options_.value_bytes));
      }
    }
    std::vector<AppendBatch> batches;
    for (const auto& [tablet, entry] : entries) batches.push_back({tablet, {&entry}});
    EBLA_TRY(store_.Append(batches));
    // Does the same as a round.
    const auto at_once = options_.mode == FlushMode::kInterval ? store_.FlushAtOnce() : std::nullopt;
    EBLA_TRY(at_once ? *at_once : FlushNow(store_, options_.mode));
    std::string acknowledgements;
    for (const auto& [tablet, entry] : entries) {
      last_[tablet] = entry.version.lsn;
      acknowledgements += std::to_string(tablet.value) + " " + std::to_string(entry.version.lsn.value) + "\n";
    }
    CHECK(write(STDOUT_FILENO, acknowledgements.data(), acknowledgements.size()) > 0);
    // Again, as a tablet does, while the buffers of sorted tables are full.
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (const auto& [tablet, entry] : entries) {
      Status applied = ApplyCrashEntry(store_, tablet, entry);
      while (applied.code() == Code::kOverloaded && std::chrono::steady_clock::now() < limit)
        applied = ApplyCrashEntry(store_, tablet, entry);
      EBLA_TRY(applied);
    }
    return {};
  }

  // A range and a table are filled and removed, beside the rounds of the other tablets.
  Status Pass(uint64_t round) {
    const int step = static_cast<int>(round % 8);
    if (step == 0) return store_.ReplaceInterval(kCrashTable, kPassingRange, {});
    if (step <= 4) {
      const std::string end = step == 4 ? kPassingRange.end : PassingKey(step * kPassingRows / 4);
      return Fill(kCrashTable, {step == 1 ? kPassingRange.start : PassingKey((step - 1) * kPassingRows / 4), end});
    }
    if (step == 5) {
      EBLA_TRY(store_.EnsureTable(kPassingTable, TableCompression::kNone));
      return Fill(kPassingTable, kPassingRange);
    }
    if (step == 6) return store_.ReplaceInterval(kPassingTable, {}, {});
    const Status dropped = store_.DropTable(kPassingTable);
    return dropped.code() == Code::kComeAgain ? Status() : dropped;
  }

  void CheckpointInBackground(Executor& executor) {
    if (checkpointing_.exchange(true)) return;
    store_.Checkpoint(executor, [this](Result<TabletStore::CheckpointResult> held) {
      CHECK(held) << held.error();
      for (const auto& [tablet, lsn] : *held) CHECK(store_.TruncateLog(tablet, lsn.Next()).ok());
      checkpointing_ = false;
    });
  }

 private:
  // Does as a copy, also while the buffers of sorted tables are full.
  Status Fill(TableId table, const KeyRange& part) {
    std::vector<std::pair<std::string, StoredRecord>> rows;
    for (int row = 0; row < kPassingRows; ++row) {
      if (!part.Contains(PassingKey(row))) continue;
      StoredRecord record;
      record.value = PassingKey(row) + std::string(options_.value_bytes, 'p');
      record.version = {{1}, {1}};
      rows.emplace_back(PassingKey(row), std::move(record));
    }
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
      Status filled = store_.ReplaceInterval(table, part, rows);
      if (filled.code() != Code::kOverloaded || std::chrono::steady_clock::now() > limit) return filled;
    }
  }

  TabletStore& store_;
  const CrashChildOptions& options_;
  std::map<TabletId, Lsn> last_;
  std::atomic<bool> checkpointing_ = false;
};

}  // namespace

int CrashChildMain(int argc, char** argv) {
  CHECK_EQ(argc, 8);
  CrashChildOptions options;
  options.directory = argv[2];
  options.mode = std::string(argv[3]) == "sync" ? FlushMode::kSync : FlushMode::kInterval;
  options.value_bytes = std::strtoull(argv[4], nullptr, 10);
  options.disk_reserve_bytes = std::strtoll(argv[5], nullptr, 10);
  options.checkpoint_rounds = std::strtoull(argv[6], nullptr, 10);
  options.sorted_tables = std::string(argv[7]) == "sorted";
  ebla::testing::ThreadExecutor flusher, background, completions;
  auto store = WtStore::Open(OptionsOf(options, flusher, background));
  CHECK(store) << store.error();
  Writer writer(***store, options);
  writer.Recover();
  for (uint64_t round = 0;; ++round) {
    const Status status = writer.Round(round);
    if (status.code() == Code::kOverloaded) {
      CHECK(write(STDOUT_FILENO, "overloaded\n", 11) == 11);
      for (;;) pause();
    }
    CHECK(status.ok()) << status;
    if (options.checkpoint_rounds == 0) continue;
    const Status passed = writer.Pass(round);
    CHECK(passed.ok()) << passed;
    if (round % options.checkpoint_rounds == options.checkpoint_rounds - 1) writer.CheckpointInBackground(completions);
  }
}

CrashChild::CrashChild(const CrashChildOptions& options) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const std::string value = std::to_string(options.value_bytes), reserve = std::to_string(options.disk_reserve_bytes);
  const std::string rounds = std::to_string(options.checkpoint_rounds);
  const std::string library = std::string(kBinaryDir) + "/test/libkill_at_step.so";
  const char* const given = std::getenv("ASAN_OPTIONS");
  const std::string asan = "verify_asan_link_order=0:" + std::string(given != nullptr ? given : "");
  pid_ = fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    if (!options.kill_at.empty()) {
      setenv("EBLA_KILL_AT", options.kill_at.c_str(), 1);
      setenv("LD_PRELOAD", library.c_str(), 1);
      setenv("ASAN_OPTIONS", asan.c_str(), 1);
    }
    execl("/proc/self/exe", "storage_test", "crash-child", options.directory.c_str(),
          options.mode == FlushMode::kSync ? "sync" : "interval", value.c_str(), reserve.c_str(), rounds.c_str(),
          options.sorted_tables ? "sorted" : "in_place", nullptr);
    _exit(127);
  }
  close(ends[1]);
  pipe_ = ends[0];
}

bool CrashChild::ReadSome() {
  char buffer[4096];
  const ssize_t size = read(pipe_, buffer, sizeof buffer);
  if (size <= 0) return false;
  rest_.append(buffer, static_cast<size_t>(size));
  for (size_t end; (end = rest_.find('\n')) != std::string::npos; rest_.erase(0, end + 1)) {
    const std::string line = rest_.substr(0, end);
    if (line == "overloaded") {
      overloaded_ = true;
      continue;
    }
    std::istringstream words(line);
    uint64_t tablet = 0, lsn = 0;
    CHECK(words >> tablet >> lsn) << line;
    acknowledged_[{tablet}] = {lsn};
    ++lines_;
  }
  return true;
}

bool CrashChild::ReadAcknowledgements(uint64_t count) {
  for (const uint64_t goal = lines_ + count; lines_ < goal && !overloaded_;) {
    if (!ReadSome()) return false;
  }
  return !overloaded_;
}

void CrashChild::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  while (ReadSome()) {
  }
  close(pipe_);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended by itself, status " << status;
}

namespace {

void CheckLog(TabletStore& store, const RecoveredReplica& replica, uint64_t value_bytes, Lsn applied, Lsn last,
              std::ostream& wrong) {
  const auto log = store.ReadLog(replica.tablet, applied.Next(), last, SIZE_MAX);
  if (!log) {
    wrong << log.error() << "; ";
    return;
  }
  if (log->size() != last.value - applied.value) wrong << "log misses entries after " << applied << "; ";
  for (const LogEntry& entry : *log) {
    const LogEntry expected = CrashEntry(replica.tablet, entry.version.lsn, value_bytes);
    if (EncodeLogEntry(entry) != EncodeLogEntry(expected)) wrong << "entry " << entry.version << " differs; ";
  }
}

void CheckRecords(TabletStore& store, TabletId tablet, uint64_t value_bytes, Lsn applied, std::ostream& wrong) {
  std::map<std::string, std::string> records;
  const Status scanned = store.Scan(kCrashTable, {RangeOf(tablet)}, [&](auto key, const auto& record) {
    records[std::string(key)] = record.value;
    return true;
  });
  if (!scanned.ok()) wrong << scanned << "; ";
  if (records != ExpectedRecords(tablet, applied, value_bytes)) {
    wrong << records.size() << " records are not those of " << applied << "; ";
  }
}

void CheckDedupRows(const RecoveredReplica& replica, Lsn applied, std::ostream& wrong) {
  const uint64_t rows = std::min(applied.value, kCrashWindow);
  if (replica.dedup_window.size() != rows) {
    wrong << replica.dedup_window.size() << " dedup window rows, not " << rows << "; ";
    return;
  }
  for (size_t i = 0; i < rows; ++i) {
    if (replica.dedup_window[i].sequence.value != applied.value - rows + 1 + i)
      wrong << "dedup window row " << i << " differs; ";
  }
}

// Rows of the range that is filled and cleared are whole, where they are there.
void CheckPassing(TabletStore& store, const CrashChildOptions& options, TableId table, std::ostream& wrong) {
  const Status scanned = store.Scan(table, {kPassingRange}, [&](auto key, const auto& record) {
    if (record.value != std::string(key) + std::string(options.value_bytes, 'p')) wrong << key << " differs; ";
    return true;
  });
  if (!scanned.ok()) wrong << scanned << "; ";
}

int64_t BytesOfRuns(const std::string& directory) {
  int64_t bytes = 0;
  std::error_code gone;  // meanwhile
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!entry.path().filename().string().starts_with("run_")) continue;
    if (const auto size = entry.file_size(gone); !gone) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

// A checkpoint removes the files that merges have replaced, so both are looked at until they agree.
void CheckFiles(TabletStore& store, const CrashChildOptions& options, std::ostream& wrong) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  int64_t of_tables = 0, of_runs = 0;
  do {
    if (const auto taken = CheckpointNow(store); !taken) wrong << taken.error() << "; ";
    of_tables = 0;
    for (const TableId table : store.Tables()) {
      const auto bytes = store.FileBytes(table);
      bytes ? (void)(of_tables += *bytes) : (void)(wrong << bytes.error() << "; ");
    }
    of_runs = BytesOfRuns(options.directory);
  } while (of_tables != of_runs && std::chrono::steady_clock::now() < limit);
  if (of_tables != of_runs)
    wrong << "files of runs have " << of_runs << " bytes, those of tables " << of_tables << "; ";
}

}  // namespace

std::string CheckAfterCrash(TabletStore& store, const CrashChildOptions& options,
                            const std::map<TabletId, Lsn>& acknowledged) {
  const auto replicas = store.Recover();
  if (!replicas) return replicas.error().ToString();
  std::string all;
  if (replicas->size() != kCrashTablets) all = std::to_string(replicas->size()) + " replicas; ";
  for (const RecoveredReplica& replica : *replicas) {
    std::ostringstream wrong;
    const Lsn applied = replica.applied ? replica.applied->applied.lsn : Lsn{};
    const Lsn last = std::max(replica.last_logged.lsn, applied);
    const auto promised = acknowledged.find(replica.tablet);
    if (promised != acknowledged.end() && last < promised->second) {
      wrong << "acknowledged " << promised->second << ", logged to " << last << "; ";
    }
    CheckLog(store, replica, options.value_bytes, applied, last, wrong);
    CheckRecords(store, replica.tablet, options.value_bytes, applied, wrong);
    CheckDedupRows(replica, applied, wrong);
    if (!wrong.str().empty()) all += "tablet " + std::to_string(replica.tablet.value) + ": " + wrong.str();
  }
  std::ostringstream wrong;
  for (const TableId table : store.Tables()) CheckPassing(store, options, table, wrong);
  if (options.sorted_tables) CheckFiles(store, options, wrong);
  all += wrong.str();
  return all;
}

}  // namespace ebla::tabletserver::testing
