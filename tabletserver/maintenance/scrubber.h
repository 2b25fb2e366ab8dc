// tabletserver/maintenance/scrubber.h
// Searches for damage, over and over, slowly: has the store read and check all that is on its disk, then has this
// server's replicas compared with the others. What nobody reads for years may be damaged all the same, and is needed
// when another copy is lost. docs/design/storage.md says what follows a find.
// Place:      tabletserver_host.h owns it. The store does the first half, and notes what it finds
//             (TabletStore::damage); replica_comparer.h does the second.
// Invariants: 1. One pass at a time, no more than bytes_per_second as far as its pieces allow.
//             2. The first pass begins soon after a start, as a server may start more often than a pass comes due.
//             3. What one half fails at keeps the other from nothing; a pass is finished when both are.
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
    // The second half of a pass: rests after each piece as the first does, and ends where `pace` says so.
    std::function<Status(const TabletStore::ScrubPace& pace)> compare = [](const auto&) { return Status(); };
  };
  struct State {
    int64_t bytes = 0;    // read since the start
    uint64_t passes = 0;  // that were finished
    bool running = false;
    Duration age{};  // of what the last finished pass says, from its beginning; before one: since the start
  };

  // Null: it does nothing.
  Scrubber(Executor* executor, TabletStore& store, Options options);
  ~Scrubber();

  void Start();
  // Begins a pass now, whether or not there are any by themselves; the next one comes a period after it.
  // CONDITION_FAILED: one is under way, or there is no executor.
  Status Begin();
  // Ends a pass under way. The executor may be stopped then.
  void Stop();
  State state() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with its timers
};

}  // namespace ebla::tabletserver
