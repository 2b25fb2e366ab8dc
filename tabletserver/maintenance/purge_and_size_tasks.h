// tabletserver/maintenance/purge_and_size_tasks.h
// The slow rounds through this server's tablets: finds expired records, and deletes that were remembered long enough,
// and has them purged through the log, so that nothing expired comes back (PROTOCOL 21); and refreshes the estimates of
// sizes, and of the key that halves the data.
// Purge:      One chunk of one tablet per turn, in turn over the tablets that are led here and may hold any of these;
//             after a pass over a tablet it is left alone for a while. A pass that meets none that is or will be due
//             says so (may_expire), and the tablet is passed over until one is written.
// Place:      tabletserver_host.h owns it; runs on the background executor, where waiting for the disk harms nobody.
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
