// tabletserver/transport/peer_memory.h
// What the other tablet servers have said lately of tables in memory that are full there. A follower evicts nothing by
// itself, so whoever leads its tablets has to: it goes by the fullest of the tablet's voters.
// Place:      each shard's peer_client.h writes into it, what a heartbeat was answered; shard.h admits by it, and
//             maintenance/evictor.h evicts.
// Invariants: what a server says replaces all that it said before, and counts for kCounts: one that is gone stops nobody.
// Threads:    any.
#pragma once

#include <atomic>
#include <map>
#include <span>
#include <vector>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "tabletserver/storage/memory_tables.h"

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
  // Of `servers`; costs nothing while nobody is full.
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
