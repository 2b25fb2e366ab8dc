// tabletserver/storage/log_feeder.h
// Reads a server's log on from a place, and tells what of it is committed: an entry that is applied here, or was when
// its replica was dropped, and that was not cut off since.
// An entry that is not applied yet holds the reader up, for a moment as a rule. Where its tablet has lost its majority
// that may last: then the tablet is passed over on demand, and whoever follows finds a hole in that one's log.
// While somebody reads, the segments stay from its place on, or from where it may come back to: for kPatience, and up to
// so many bytes. The log notes from which segment on that is, so that no start cleans before the reader has come again.
// Place:      behind TabletStore::Follow.
// Invariants: 1. Nothing that is not committed is ever shown.
//             2. Of the replicas' logs none lacks an entry between two that are shown, unless `lost` or passed over.
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
  // The last applied entry of a replica, also of one whose records have gone to another; none: not known.
  using AppliedAt = std::function<Lsn(TabletId tablet)>;

  LogFeeder(SharedLog& log, TabletLog& values, AppliedAt applied, int64_t held_bytes_max)
      : follower_(log), values_(values), applied_(std::move(applied)), held_bytes_max_(held_bytes_max) {}

  // Before the log is cleaned for the first time: holds what was held before the start.
  Status Open();
  Result<FeedPage> Read(const FeedRequest& request);
  // Holds nothing any more if nobody has read for long, or if the disk has no room for it. The cleaner says so.
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
