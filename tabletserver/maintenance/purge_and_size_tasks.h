// tabletserver/maintenance/purge_and_size_tasks.h
// The slow rounds through this server's tablets. They find expired records and old tombstones and purge them through
// the log, so that no expired record reappears (PROTOCOL 21); and they refresh the estimates of sizes and of the key
// that halves the data.
// Purge:      Each turn reads one chunk of one tablet, in turn over the tablets whose primary is here and that may hold
//             any of these; after a pass over a tablet it rests for a while. A pass that finds no record that is or
//             will be due clears may_expire, and the tablet is skipped until one is written.
// Place:      tabletserver_host.h owns it; runs on the background executor, where waiting for the disk delays no
//             client.
// Threads:    everything on its executor.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tabletserver/reads/read_waits.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class PurgeAndSizeTasks {
 public:
  struct Options {
    Duration turn = std::chrono::milliseconds(50);        // between chunks: the throttle
    size_t chunk_records = 1000;                          // looked at in a turn
    Duration between_passes = std::chrono::seconds(10);   // over one tablet
    Duration size_period = std::chrono::seconds(10);      // between two estimates of what has changed
    Duration idle_size_period = std::chrono::minutes(1);  // of what has not; twice as long each time
    Duration idle_size_period_max = std::chrono::hours(1);
    Duration tombstone_retention = std::chrono::hours(24);  // in last_write_wins tables; as the shards'
  };

  PurgeAndSizeTasks(Executor& executor, TabletStore& store, const TabletDirectory& directory,
                    std::vector<ReadWaits*> shards, Options options);
  ~PurgeAndSizeTasks();

  void Start();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with its timers
};

}  // namespace ebla::tabletserver
