// tabletserver/storage/testing/store_fixture.h
// For tests: a store of either kind with threads to run on, that can be reopened and crashed, and short words for the
// calls that complete later.
// Threads: one test's thread.
#pragma once

#include <future>
#include <memory>
#include <string>

#include "common/testing/temporary_directory.h"
#include "common/testing/thread_executor.h"
#include "tabletserver/storage/testing/simulated_store.h"
#include "tabletserver/storage/wiredtiger/wt_store.h"

namespace ebla::tabletserver::testing {

using ebla::testing::TemporaryDirectory;

// A number from the environment, or `otherwise`.
uint64_t FromEnvironment(const char* name, uint64_t otherwise);
// Prints the seed, and takes EBLA_SEED to have the same again.
uint64_t TestSeed();

// Waits for what a store completes later.
Status FlushNow(TabletStore& store, FlushMode mode = FlushMode::kSync);
Result<TabletStore::CheckpointResult> CheckpointNow(TabletStore& store);

// One life after another of one store.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual TabletStore& operator*() = 0;
  TabletStore* operator->() { return &**this; }
  virtual void Reopen() = 0;  // a clean end, and the next start
  virtual void Crash() = 0;   // the process dies, and the next start
  virtual Status MakeTable(TableId table, TableCompression compression = TableCompression::kNone) {
    return (**this).EnsureTable(table, compression);
  }
  virtual bool KeepsRecords() const { return true; }  // from one life to the next
};

// kSortedTables is WiredTiger with tables in sorted runs. kTablesInMemory has MakeTable's in memory, beside a simulated
// disk.
enum class StoreKind { kWiredTiger, kSortedTables, kSimulated, kTablesInMemory };
std::string NameOf(StoreKind kind);
std::unique_ptr<StoreUnderTest> MakeStore(StoreKind kind);

// Copies the files of a directory that is in use. False: a file was made or removed meanwhile (WiredTiger does that
// with log files at any time).
bool CopyFiles(const std::string& from, const std::string& to);

// The names of the files that a store has removed and whose space it still has (file_recycler.h), without prepared
// ones.
std::vector<std::string> RemovedFiles(const std::string& directory);

// So small that a few writes make runs, and runs are merged.
inline constexpr int64_t kSmallBufferBytes = 64 << 10;
// Options for a small store.
WtStoreOptions SmallStore(std::string directory, Executor& flusher, Executor& background);

// ---- short words ---------------------------------------------------------------------------------------------------

Effect Put(std::string key, std::string value);
Effect Delete(std::string key);
LogEntry Entry(uint64_t lsn, std::vector<Effect> effects = {}, EntryKind kind = EntryKind::kWrite);
Status AppendOne(TabletStore& store, TabletId tablet, const LogEntry& entry);
// Applies one entry as a tablet of `range` does, with a dedup window row (client 9, sequence = lsn).
Status ApplyOne(TabletStore& store, TabletId tablet, TableId table, const LogEntry& entry, const KeyRange& range = {});
// Every record of the range, as key=value@lsn words in order.
std::string Dump(TabletStore& store, TableId table, const KeyRange& range = {}, bool reverse = false);
// Every replica, as the state, applied lsn, log bounds and dedup window that recovery finds.
std::string DumpReplicas(TabletStore& store);
std::string DumpLog(TabletStore& store, TabletId tablet);

}  // namespace ebla::tabletserver::testing
