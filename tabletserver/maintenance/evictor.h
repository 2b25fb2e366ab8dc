// tabletserver/maintenance/evictor.h
// Keeps tables in memory below their limits: finds what is to go first, and has it deleted through the log. So all
// replicas forget the same records at the same place, and none that was seen to be gone comes back.
// How:        A look every few milliseconds costs nothing while all is below its limit. What is too much goes from all
//             tablets of the table that are led here, over which one hand sweeps: a part of it at a time, and the next
//             when that is gone. A tablet whose deletes hang is left out. A follower shrinks as its primary evicts: where
//             one has too much, it says which part, and every tablet that has a replica there gives that part of itself,
//             once for each time that it is said.
// Place:      tabletserver_host.h owns it; storage/in_memory/in_memory_table.h chooses.
// Threads:    everything on its executor, but what shards answer.
#pragma once

#include <memory>
#include <vector>

#include "tabletserver/reads/read_waits.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class PeerMemory;

class Evictor {
 public:
  struct Options {
    Duration look_every = std::chrono::milliseconds(10);
    Duration measure_every = std::chrono::milliseconds(50);  // what the allocator has given
    size_t victims_max = 2'000;                              // of one batch, about
    // A batch whose shard does not answer for so long is given up: what it names goes with a later one.
    Duration patience = std::chrono::seconds(5);
  };

  Evictor(Executor& executor, TabletStore& store, const TabletDirectory& directory, const PeerMemory& peers,
          std::vector<ReadWaits*> shards, Options options);
  ~Evictor();

  void Start();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with its timers
};

}  // namespace ebla::tabletserver
