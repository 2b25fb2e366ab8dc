// tabletserver/maintenance/scrubber.h
// Has the store read and check all that is on its disk, over and over, slowly: what nobody reads for years may be
// damaged all the same, and is needed when another copy is lost. docs/design/storage.md says what follows a find.
// Place:      tabletserver_host.h owns it; the store does the work, and notes what it finds (TabletStore::damage).
// Invariants: 1. One pass at a time, no more than bytes_per_second as far as its pieces allow.
//             2. The first pass begins soon after a start, as a server may start more often than a pass comes due.
// Threads:    any. A pass keeps its executor, on which nothing else runs, until it is over or Stop() was called.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "common/base/executor.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class Scrubber {
 public:
  struct Options {
    Duration period = std::chrono::hours(24);  // from the beginning of one pass to that of the next; zero: none
    Duration first_after = std::chrono::minutes(1);
    std::function<int64_t()> bytes_per_second = [] { return int64_t{8} << 20; };
  };
  struct State {
    int64_t bytes = 0;    // read since the start
    uint64_t passes = 0;  // that were finished
    Duration age{};       // of what the last finished pass says, from its beginning; before one: since the start
  };

  // Null: it does nothing.
  Scrubber(Executor* executor, TabletStore& store, Options options);
  ~Scrubber();

  void Start();
  // Ends a pass under way. The executor may be stopped then.
  void Stop();
  State state() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with its timers
};

}  // namespace ebla::tabletserver
