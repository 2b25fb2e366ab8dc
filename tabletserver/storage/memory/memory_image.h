// tabletserver/storage/memory/memory_image.h
// What a MemoryDisk holds: the log's side, changed by operations that become durable in their order, and the records'
// side, copied whole at each checkpoint.
// Threads: guarded by MemoryDisk::State::mutex.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "common/base/mutex.h"
#include "tabletserver/storage/memory/memory_store.h"

namespace ebla::tabletserver {

struct LoggedImage {
  std::map<TabletId, std::map<Lsn, LogEntry>> logs;
  std::map<TabletId, ReplicaState> states;
  std::map<std::pair<TabletId, Version>, UnresolvedLogEntry> unresolved;
};

struct RecordsImage {
  std::map<TableId, std::map<std::string, StoredRecord>> tables;
  std::map<TabletId, AppliedState> applied;
  std::map<TabletId, std::map<std::pair<ClientId, Sequence>, DedupRow>> windows;
};

using LogOperation = std::function<void(LoggedImage&)>;

struct MemoryDisk::State {
  explicit State(uint64_t seed) : random(seed) {}

  // Does the operation, and remembers it for the disk.
  void Log(LogOperation operation) EBLA_REQUIRES(mutex) {
    operation(logged);
    journal.push_back(std::move(operation));
  }
  uint64_t end() const EBLA_REQUIRES(mutex) { return base + journal.size(); }
  // What lies below `position` is on the disk.
  void MakeDurable(uint64_t position) EBLA_REQUIRES(mutex) {
    for (; base < position; ++base) {
      journal.front()(durable);
      journal.pop_front();
    }
    written = std::max(written, base);
  }
  Duration Latency() {
    const auto span = static_cast<uint64_t>((latency_max - latency_min).count()) + 1;
    return latency_min + Duration(random() % span);
  }

  Mutex mutex;
  std::atomic<std::thread::id> visiting;  // who is inside a visitor; changed under the mutex

  LoggedImage logged EBLA_GUARDED_BY(mutex);                // as the store shows it
  LoggedImage durable EBLA_GUARDED_BY(mutex);               // as a crash of the machine leaves it at least
  std::deque<LogOperation> journal EBLA_GUARDED_BY(mutex);  // what `logged` has and `durable` has not, in order
  uint64_t base EBLA_GUARDED_BY(mutex) = 0;                 // position of the journal's first
  uint64_t written EBLA_GUARDED_BY(mutex) = 0;              // below: handed to the operating system
  RecordsImage records EBLA_GUARDED_BY(mutex);              // as the store shows it
  RecordsImage checkpoint EBLA_GUARDED_BY(mutex);           // as every crash leaves it
  std::set<TableId> tables EBLA_GUARDED_BY(mutex);

  std::mt19937_64 random;
  bool open = false;
  bool full = false;
  int refuse = 0;  // appends of clients' writes
  bool refuse_to_apply = false;
  bool stalled = false;
  std::vector<std::function<void()>> parked;  // what goes on when it no longer stalls
  std::optional<Status> fail_next;
  Duration latency_min{0};
  Duration latency_max{0};
  Duration checkpoint_longer{0};
  int64_t flushes = 0;
  int64_t checkpoints = 0;
  uint64_t checkpoints_begun = 0;
  uint64_t checkpoint_number = 0;  // of `checkpoint`
};

}  // namespace ebla::tabletserver
