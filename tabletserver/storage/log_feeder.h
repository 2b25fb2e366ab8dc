// tabletserver/storage/log_feeder.h
// Reads a server's log on from a place, and returns its committed entries. An entry is committed if it is applied here,
// or was when its replica was dropped, and if it was not cut off since. An entry that is not applied yet delays the
// reader, usually for a moment. If its tablet has lost its majority, the delay may last. On demand the feeder then
// passes over the tablet, and the reader finds a hole in that tablet's log. While a reader is active, the segments stay
// from its place on, or from an earlier place that it may return to, for kPatience and up to so many bytes. The log
// notes the first segment that stays, so that no start cleans before the reader has returned.
// Place:      behind TabletStore::Follow.
// Invariants: 1. Nothing that is not committed is ever shown.
//             2. No replica's log lacks an entry between two that are shown, unless `lost` or passed over.
// Errors:     as in tablet_store.h.
// Threads:    any.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>

#include "common/base/mutex.h"
#include "tabletserver/storage/log/log_follower.h"
#include "tabletserver/storage/log_feed.h"
#include "tabletserver/storage/tablet_log.h"

namespace ebla::tabletserver {

class LogFeeder {
 public:
  static constexpr std::chrono::minutes kPatience{10};
  // The last applied entry of a replica, also of one whose records have gone to another; none: unknown.
  using AppliedAt = std::function<Lsn(TabletId tablet)>;

  LogFeeder(SharedLog& log, TabletLog& values, AppliedAt applied, int64_t held_bytes_max)
      : follower_(log), values_(values), applied_(std::move(applied)), held_bytes_max_(held_bytes_max) {}

  // Before the log is cleaned for the first time: holds what was held before the start.
  Status Open();
  Result<FeedPage> Read(const FeedRequest& request);
  // Holds nothing any more after a long time without a reader, or if the disk has no room, as the cleaner tells.
  void ReleaseIfLeft(bool room);

 private:
  struct Page;
  Status Hold(const LogPosition& begin, const LogPosition& keep_from);
  // False: the frame waits.
  Result<bool> TakeFrame(const LogFrame& frame, Page& page);
  Result<bool> TakeEntries(const LogRecord& record, uint64_t segment, Page& page);
  Status TakeState(const LogRecord& record, Page& page);
  Result<const ReplicaState*> StateOf(TabletId tablet, Page& page);

  LogFollower follower_;
  TabletLog& values_;
  const AppliedAt applied_;
  const int64_t held_bytes_max_;
  Mutex mutex_;
  std::chrono::steady_clock::time_point read_ EBLA_GUARDED_BY(mutex_){};
  std::optional<uint64_t> held_ EBLA_GUARDED_BY(mutex_);  // the first segment; none: nothing is held
};

}  // namespace ebla::tabletserver
