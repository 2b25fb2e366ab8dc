// tabletserver/transport/peer_memory.h
// The recent reports of other tablet servers about their full tables in memory. A follower evicts nothing by itself, so
// the primaries of its tablets must, by the fullest of the tablet's voters.
// Place:      each shard's peer_client.h writes into it from answers to heartbeats; shard.h admits by it, and
//             maintenance/evictor.h evicts.
// Invariants: a server's report replaces all its earlier ones, and counts for kCounts, so that a dead server blocks no
//             writes.
// Threads:    any.
#pragma once

#include <atomic>
#include <map>
#include <span>
#include <vector>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "tabletserver/storage/in_memory/memory_bounds.h"

namespace ebla::tabletserver {

class PeerMemory {
 public:
  static constexpr Duration kCounts = std::chrono::seconds(2);

  void Learn(const ServerName& server, const std::vector<MemoryPressure>& pressures, MonotonicTime now) {
    const MutexLock lock(mutex_);
    if (pressures.empty()) {
      servers_.erase(server);
    } else {
      servers_[server] = {now, pressures};
    }
    some_.store(!servers_.empty(), std::memory_order_release);
  }

  bool some() const { return some_.load(std::memory_order_acquire); }

  struct Worst {
    double excess = 0;   // the greatest part of a table that has to go
    MonotonicTime told;  // when that was said
    ServerName full;     // takes no more; empty: all do
  };
  // The worst of `servers`; costs nothing while none is full.
  Worst WorstOf(TableId table, std::span<const ServerName> servers, MonotonicTime now) const {
    Worst worst;
    if (!some()) return worst;
    const MutexLock lock(mutex_);
    for (const ServerName& server : servers) {
      const auto found = servers_.find(server);
      if (found == servers_.end() || now - found->second.told > kCounts) continue;
      for (const MemoryPressure& pressure : found->second.pressures) {
        if (pressure.table != table) continue;
        if (pressure.full && worst.full.empty()) worst.full = server;
        if (pressure.excess > worst.excess) {
          worst.excess = pressure.excess;
          worst.told = found->second.told;
        }
      }
    }
    return worst;
  }

 private:
  struct Said {
    MonotonicTime told;
    std::vector<MemoryPressure> pressures;
  };
  std::atomic<bool> some_{false};
  mutable Mutex mutex_;
  std::map<ServerName, Said> servers_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
