// tabletserver/maintenance/evictor.h
// Keeps tables in memory below their limits. Chooses the coldest records and deletes them through the log, so that all
// replicas evict the same records at the same position, and no evicted record reappears.
// How:        A look every few milliseconds costs nothing while all tables are below their limits. Above a limit, the
//             evictor deletes the excess in batches, and sweeps the table's local primaries like a clock hand. It sends
//             the next batch once the one before is deleted, and skips a tablet whose deletes hang. A follower shrinks
//             only as its primary evicts, so it reports the excess part of a table, and each primary evicts that part
//             of its tablets there, once for each report.
// Place:      tabletserver_host.h owns it; storage/in_memory/in_memory_table.h chooses.
// Threads:    everything on its executor, except the shards' answers.
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
    // The evictor gives up a batch whose shard does not answer for so long, and deletes its records with a later one.
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
