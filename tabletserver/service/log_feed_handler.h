// tabletserver/service/log_feed_handler.h
// Hands out what this server's log has of committed entries, from a place on, for an archive. It also lists the tablets
// that this server leads for certain, with their applied positions. Once the fed entries reach these positions, they
// hold every write acknowledged there before the call.
// Place:      tablet_service.cc passes requests on that request_check.h has passed.
// Invariants: 1. A mark of a tablet is valid at a moment when the primary had the lease, before its log was read.
//             Tablet time of that moment is rounded up, and the time of day down, so that a moment computed from them
//             is never too late.
//             2. One page is read at a time; concurrent requests are told to retry.
// Threads:    any; the reading is done, and `done` called, on the executor.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "common/base/executor.h"
#include "idl/tablet_types.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/tablet_clock.h"

namespace ebla::tabletserver {

struct TabletMoment {
  MonotonicTime monotonic;
  TabletTime tablet;   // rounded up
  int64_t day_ms = 0;  // rounded down
};
// The moment of `look`: its clocks were read in one millisecond of tablet time. None: each time one began meanwhile, as
// where the thread rested, or the machine did.
std::optional<TabletMoment> MomentOf(const Executor& executor, const TabletTimeBasis& basis,
                                     const std::function<void()>& look);

class LogFeedHandler {
 public:
  static constexpr size_t kPageBytes = 1 << 20;
  using Done = std::function<void(const idl::FollowLogReply&)>;

  LogFeedHandler(Executor& executor, TabletStore& store, const TabletDirectory& directory);

  void Answer(const idl::FollowLogRequest& request, Done done);

 private:
  class State;

  const std::shared_ptr<State> state_;  // shared with what runs on the executor
};

}  // namespace ebla::tabletserver
