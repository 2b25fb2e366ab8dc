// tabletserver/storage/testing/memory_image.h
// What a SimulatedDisk holds: the log (memory_log.h), and the records' side, copied whole at each checkpoint.
// Threads: guarded by SimulatedDisk::State::mutex.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "tabletserver/storage/testing/memory_log.h"
#include "tabletserver/storage/testing/simulated_store.h"

namespace ebla::tabletserver {

struct RecordsImage {
  std::map<TableId, std::map<std::string, StoredRecord>> tables;
  std::map<TabletId, AppliedState> applied;
  std::map<TabletId, std::map<std::pair<ClientId, Sequence>, DedupRow>> windows;
};

struct SimulatedDisk::State {
  State(uint64_t seed, std::unique_ptr<MemoryLog> log) : log(std::move(log)), random(seed) {}

  Duration Latency() {
    const auto span = static_cast<uint64_t>((latency_max - latency_min).count()) + 1;
    return latency_min + Duration(random() % span);
  }

  Mutex mutex;
  std::atomic<std::thread::id> visiting;  // who is inside a visitor; changed under the mutex

  const std::unique_ptr<MemoryLog> log EBLA_PT_GUARDED_BY(mutex);
  RecordsImage records EBLA_GUARDED_BY(mutex);     // as the store shows it
  RecordsImage checkpoint EBLA_GUARDED_BY(mutex);  // as every crash leaves it
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
