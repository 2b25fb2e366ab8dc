// tabletserver/maintenance/scrubber.h
// Searches for damage, over and over, slowly. Makes the store read and check everything on its disk, then compares this
// server's replicas with those of other servers. Data unread for years may be damaged all the same, and is needed when
// another copy is lost. docs/design/storage.md has the consequences of a find.
// Place:      tabletserver_host.h owns it. The store does the first half, and notes what it finds
//             (TabletStore::damage); replica_comparer.h does the second.
// Invariants: 1. One pass at a time, no more than bytes_per_second as far as its pieces allow.
//             2. The first pass begins soon after a start, because a server may start more often than a pass is due.
//             3. Each part runs even if another part fails; a pass is finished when all are.
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
    // The second half of a pass. Rests after each piece like the first, and ends when `pace` returns false.
    std::function<Status(const TabletStore::ScrubPace& pace)> compare = [](const auto&) { return Status(); };
    // Between the two: what this process keeps on the disk beside the store. Rests and ends like them.
    std::function<Status(const TabletStore::ScrubPace& pace)> beside_store = [](const auto&) { return Status(); };
  };
  struct State {
    int64_t bytes = 0;    // read since the start
    uint64_t passes = 0;  // that were finished
    bool running = false;
    Duration age{};  // of the last finished pass, from its beginning; before the first: since the start
  };

  // Null: it does nothing.
  Scrubber(Executor* executor, TabletStore& store, Options options);
  ~Scrubber();

  void Start();
  // Begins a pass now, even if no periodic passes are configured; the next one begins a period later.
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
