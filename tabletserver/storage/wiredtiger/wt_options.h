// tabletserver/storage/wiredtiger/wt_options.h
// The options of a WtStore: its directory, its limits, and the executors that it works on.
// Threads: plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/executor.h"
#include "common/base/features.h"
#include "common/base/status.h"
#include "tabletserver/storage/log/log_extent.h"
#include "tabletserver/storage/wiredtiger/clock_mark.h"

namespace ebla::tabletserver {

class InMemoryStore;

// For a store that lies in a view of a damaged one (tools/standalone/salvage_view.h).
struct StoreSalvage {
  std::optional<LogExtent> had;  // what the log had; none: nothing tells
  uint64_t checkpoint = 0;       // that the database had; 0: nothing tells
};

struct DiskSpace {
  int64_t free_bytes = 0;
  int64_t total_bytes = 0;
};

struct WtStoreOptions {
  std::string directory;     // made when missing; its parent must exist
  bool made_before = false;  // a store that is not there is an error, not a new one
  // For the first file of the inventory (store_inventory.h). The second is in `directory`. Empty: both are there.
  std::string inventory_directory;
  uint64_t life = 0;   // start counter of this process; 0: not counted
  std::string server;  // its uuid: a store of another server is refused; empty: unknown
  // For the inventory. A mark without a boot leaves the found one there. Null: none.
  std::function<ClockMark()> clock;
  // Whether a log that lacks its end is opened. LostReplicas::loss() then tells, and the caller keeps its replicas from
  // voting.
  bool joins_short = false;
  // Damage of the log is left out, and WtStore::salvaged() tells. None: it refuses the start.
  std::optional<StoreSalvage> salvage;
  int64_t cache_bytes = int64_t{1} << 30;
  // Tables that are made from now on keep their records in sorted runs (wt_sorted_tables.h), once `features` have it.
  bool sorted_tables = false;
  std::shared_ptr<const Features> features;  // null: all
  // The bound of the applied writes of sorted tables that are in no file yet. 0: a quarter of the cache, 256 MiB at
  // most.
  int64_t buffer_bytes = 0;
  int eviction_threads_min = 1;
  int eviction_threads_max = 4;
  int64_t cache_wait_ms_max = 2000;  // a thread waits at most this long for cache space, then WT_ROLLBACK and a retry
  int sessions_max = 512;            // threads that use the store at once
  Duration interval = std::chrono::seconds(1);  // FlushMode::kInterval: fsync at least this often, whatever tables ask
  int64_t log_file_bytes = int64_t{64} << 20;
  int64_t log_followed_bytes = int64_t{4} << 30;  // of log that stays for followers, at most
  // Free space below which writes are refused, and the size of the ballast. It has to cover replay of the log since
  // the last checkpoint (Checkpointer::Options::log_bytes) and the checkpoint after it. 0: no reserve, no ballast.
  int64_t disk_reserve_bytes = 0;
  Duration disk_check_period = std::chrono::milliseconds(500);
  // Asks the filesystem of `directory`; tests put their own here.
  std::function<Result<DiskSpace>(const std::string& directory)> disk_space;
  // Runs the fsyncs. A thread of its own: it does nothing else, and completions wait for no other work.
  Executor* flusher = nullptr;
  // Runs checkpoints. May be busy for minutes.
  Executor* background = nullptr;
  // Writes the buffers of sorted tables to files, and merges these. Each does nothing else. Null: `background`.
  Executor* writer = nullptr;
  Executor* merger = nullptr;
  InMemoryStore* memory_tables = nullptr;  // null: none; outlives the store
  // Looks at the disk, makes or gives back the ballast, and gives back what removed files took; another thread, as a
  // disk fills fastest during a checkpoint.
  Executor* watcher = nullptr;
  // Writes the inventory. Nothing on it may last longer than a sync. Null: `watcher`.
  Executor* inventory = nullptr;
  Duration inventory_period = std::chrono::milliseconds(500);
};

}  // namespace ebla::tabletserver
