// tabletserver/storage/log/log_follower.h
// Reads the log as it grows, frame after frame from any place on, for readers that copy committed entries elsewhere.
// The log does not know which entries are committed. It knows which entries were cut off again.
// Place:      tablet_log.h, for storage/log_feed.h.
// Invariants: 1. Only what a machine's crash leaves is shown: frames that were synced.
//             2. Frames that are gone or cannot be read are never passed over in silence (Step::lost).
// Errors:     the visitor's. Damage is no error here: its frames are lost, and the scrub reports it.
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
  // Whether the position is in this log, or will be. The frame there may be gone.
  bool Knows(const LogPosition& at) const;
  // The beginning of the newest segment but one. New frames follow it, and few old ones do.
  LogPosition Recent() const;

  struct Step {
    LogPosition next;
    // The position is not of this log, or its frame is gone or damaged. Reading continues with the next frame that is
    // left.
    bool lost = false;
    bool at_end = false;  // nothing more is on the disk
  };
  // False: it ends before this frame. The bytes are valid during the visit.
  using Visitor = std::function<Result<bool>(const LogFrame& frame)>;
  // Frames of about so many bytes.
  Result<Step> Read(const LogPosition& from, int64_t bytes_max, const Visitor& visitor) const;

  // The fate of an entry whose record is at the place: it was cut off later and never counted, or it was removed with
  // its replica and is known to be committed. A start loses the latter knowledge, because a cut's record has no room
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
  // The position's segment, or the oldest one if that is gone; none: it does not exist yet.
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
