// tabletserver/storage/log/log_follower.h
// Reads the log as it grows, from any place in it on: frame after frame, for who copies what is committed elsewhere.
// What of it was committed is not the log's to know; which entries were cut off again, it does.
// Place:      tablet_log.h, for storage/log_feed.h.
// Invariants: 1. Only what a machine's crash leaves is shown: frames that were synced.
//             2. What is gone or cannot be read is never passed over in silence: Step::lost.
// Errors:     the visitor's. What is damaged or cannot be read is no error: it is lost, and the scrub's.
// Threads:    any.
#pragma once

#include <functional>

#include "tabletserver/storage/log/log_position.h"
#include "tabletserver/storage/log/shared_log.h"

namespace ebla::tabletserver {

class LogFollower {
 public:
  explicit LogFollower(SharedLog& log) : log_(log) {}

  uint64_t log() const;  // the id of it
  // Where it has led, or may lead one day. What stood there may be gone.
  bool Knows(const LogPosition& at) const;
  // Of the newest segment but one: what comes from now on is behind it, and little else.
  LogPosition Recent() const;

  struct Step {
    LogPosition next;
    // The position is not of this log, or what stood there is gone or damaged: this goes on with what is left.
    bool lost = false;
    bool at_end = false;  // nothing more is on the disk
  };
  // False: it ends before this frame. The bytes are valid during the visit.
  using Visitor = std::function<Result<bool>(const LogFrame& frame)>;
  // Frames of about so many bytes.
  Result<Step> Read(const LogPosition& from, int64_t bytes_max, const Visitor& visitor) const;

  // Of an entry, which stands in a record there: whether it was cut off later and never counted, or went with its
  // replica and is known to have been committed. After a start nothing is known of the latter: a cut's record has no room
  // for it.
  enum class Fate : uint8_t { kStands, kCut, kSettled };
  Fate FateOf(TabletId tablet, Lsn lsn, const LogPlace& place) const;

  // Segments from this one on stay, as far as they have no more bytes; none: nothing is kept.
  void Keep(const LogPosition& from, int64_t bytes_max) const;
  void Release() const;

 private:
  struct Found {
    std::shared_ptr<LogFile> file;
    SegmentHeader header;
    int64_t bytes = 0;
    std::optional<uint64_t> next_first;  // sequence, of the segment after it
  };
  LogPosition Begin(const SharedLog::Segment& segment) const;
  bool IsOfThisLog(const LogPosition& at) const EBLA_REQUIRES(log_.mutex_);
  // Of the position's segment, moving on to the oldest that is there where that is gone; none: it is yet to come.
  std::optional<Found> Find(Step& step) const;
  // The frame and its bytes.
  struct Whole {
    std::unique_ptr<const std::string> bytes;  // apart: a short string's bytes would move with it
    LogFrame frame;
    int64_t offset = 0;
  };
  struct Sequences {
    uint64_t from = 0, through = 0;
  };
  // None: no whole frame of these sequences can be read there.
  static std::optional<Whole> FrameAt(const Found& found, int64_t offset, const Sequences& wanted);
  // The position's frame; where that is not whole, the next one that is and begins a block.
  static std::optional<Whole> FrameFrom(const Found& found, const LogPosition& at, uint64_t through);

  SharedLog& log_;
};

}  // namespace ebla::tabletserver
