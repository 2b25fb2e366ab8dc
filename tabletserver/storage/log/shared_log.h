// tabletserver/storage/log/shared_log.h
// The one log of a server: the entries of all its tablets, and small values by key of which the latest counts (the
// states of replicas, unresolved writes). Each is written once, and durable after the next Flush(kSync).
// Place:      behind TabletStore; WiredTiger keeps the records, and the log tells a start what they lack.
// How:        changes go into a frame in memory, and into the index. A Flush hands all frames to the disk, in one write
//             as a rule. Frames stay in memory up to tail_bytes, so that followers that keep up, and entries that are
//             applied at once, never cost a read. log_format.h has the bytes.
// Space:      segments are removed from the oldest on. Clean() removes the oldest segments without contents that still
//             count. It moves the few contents of a nearly empty segment to the end of the log.
// Invariants: 1. A crash leaves a prefix of the changes, in their order, with all that a finished Flush covers. If the
//                machine crashed, that is a Flush to the disk; if the process did, either. The changes of one call stay
//                together.
//             2. An entry is never overwritten: an Append that does not continue its tablet's log fails.
//             3. A segment is removed only when what made it superfluous is on the disk.
//             4. A start with less than `expected` is refused, or loss() tells it (log_start.h).
// Errors:     INTERNAL: the disk failed; the log is dead from then on, and status() has the reason. Open reports damage
//             with the file, the place in it, and the remedy.
// Threads:    any. Append and reads wait for no disk, but for reads of what has left memory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/mutex.h"
#include "tabletserver/storage/log/log_disk.h"
#include "tabletserver/storage/log/log_extent.h"
#include "tabletserver/storage/log/log_format.h"
#include "tabletserver/storage/log/log_index.h"
#include "tabletserver/storage/log/log_start.h"
#include "tabletserver/storage/log/log_tail.h"
#include "tabletserver/storage/log/log_writer.h"

namespace ebla::tabletserver {

class SharedLog;

struct SharedLogOptions {
  int64_t segment_bytes = int64_t{64} << 20;
  int64_t tail_bytes = int64_t{32} << 20;  // frames kept in memory once they are written
  // The oldest segment's is moved on where less than this part of it still counts, and more than so many are kept.
  double moved_below = 0.25;
  size_t kept_segments = 4;
  uint64_t new_log_id = 0;  // of a log that begins; none: random
  // The extent that a place outside the log remembers; none: there is no such place.
  std::optional<LogExtent> expected;
  bool joins_short = false;  // a log that ends before what it had opens, and loss() tells; else Open refuses it
  // Not null: it reads on behind damage, writes to no segment that is there, and adds to these what it cannot read
  // (log_salvage.h).
  std::vector<LogLoss>* salvage = nullptr;
  // Notes extent() durably outside the log. Called before a segment is removed that a start would miss.
  std::function<Status()> before_remove;
  // Open calls it once it has read all, before it begins the next segment. extent() is then what was read. An error
  // ends Open, and a file that lacks may still be put back.
  std::function<Status(const SharedLog& log)> before_begin;
  // Told while Open reads: segments read, and of how many.
  std::function<void(int64_t done, int64_t all)> progress;
};

class SharedLog {
 public:
  struct Batch {
    TabletId tablet;
    Lsn first;
    std::vector<std::string_view> entries;  // encoded, one at least; borrowed for the call
  };
  enum class Depth : uint8_t { kSystem, kDisk };  // to the operating system, or to the disk

  // The disk outlives the log.
  static Result<std::unique_ptr<SharedLog>> Open(LogDisk& disk, SharedLogOptions options = {});
  ~SharedLog();  // does not flush

  // Each call is one change.
  Status Append(std::span<const Batch> batches);
  // `settled`: removed entries below it were committed, and count for followers of the log (log_follower.h).
  Status CutEnd(TabletId tablet, Lsn from, Lsn settled = {});
  Status CutStart(TabletId tablet, Lsn below);
  Status Put(std::string_view key, std::string_view value);
  Status Erase(std::string_view key);
  // Puts the value, or erases the key where there is none; but only if the key's value is still at `place`. False: it
  // was put, moved or erased since, and nothing is done.
  Result<bool> ReplaceAt(std::string_view key, const LogPlace& place, std::optional<std::string_view> value);

  // All that was changed before the call. Flushes of several threads take turns.
  Status Flush(Depth depth);
  // The same to the system, where that is a copy in memory. None: it would wait for another flush or for the disk, and
  // nothing was written.
  std::optional<Status> FlushAtOnce();
  // Writes a frame that notes only how far the disk has the log, so that damage of the last sync, too, differs from the
  // end that a crash leaves. Returns the frame's number as of changed(). Later changes need a mark of their own. Zero:
  // a change arrived meanwhile, and nothing was written.
  Result<uint64_t> MarkEnd();
  // A number for all that was changed so far; counts().synced is that of what the disk has.
  uint64_t changed() const;
  const LogCounts& counts() const { return counts_; }

  LogBounds Bounds(TabletId tablet) const;
  std::vector<TabletId> Tablets() const;  // that have entries, in no order
  // Entries from `from` on, in order, as long as the visitor returns true. The bytes are valid during the visit only.
  using Visitor = std::function<bool(Lsn lsn, std::string_view entry)>;
  Status Read(TabletId tablet, Lsn from, const Visitor& visitor) const;
  Result<std::optional<std::string>> Get(std::string_view key) const;
  // The first key after this one; none: there is none.
  std::optional<std::string> KeyAfter(std::string_view key) const;

  // Frees what room it can, and flushes for that. Not two at once.
  Status Clean();
  int64_t bytes() const;  // of segments, without the missing part of the last one
  Status status() const;
  // The part that is on the disk for certain.
  LogExtent extent() const;
  // The missing end, as Open found it.
  const std::optional<LogLoss>& loss() const { return loss_; }

 private:
  friend class LogFollower;
  friend class LogSalvage;
  friend class LogScrub;
  struct Segment {
    std::shared_ptr<LogFile> file;
    int64_t bytes = 0;
    SegmentHeader header;
    bool damaged = false;    // contents that count are damaged; it is removed once none count
    bool moved_off = false;  // and what of it can be read was written again (log_scrub.h)
  };
  // The present place of a record.
  struct Source {
    LogPlace place;
    LogTail::FramePtr frame;        // null: it is no longer in memory
    std::shared_ptr<LogFile> file;  // and is here
  };
  // A record's bytes, which `frame` or `read` holds.
  struct Held {
    LogTail::FramePtr frame;
    std::unique_ptr<const std::string> read;  // apart: a short string's bytes would move with it
    LogRecord record;
  };
  // Before the place, a tablet's entries below `settled` were committed. Its entries from `from` on never counted.
  struct EndCut {
    LogPlace place;
    Lsn from, settled;
  };
  // Segments from this one on stay for followers of the log, up to so many bytes.
  struct Kept {
    uint64_t from = 0;
    int64_t bytes_max = 0;
  };

  SharedLog(LogDisk& disk, SharedLogOptions options) : disk_(disk), options_(std::move(options)) {}
  // Returns the header of the segment to come.
  Result<SegmentHeader> Replay() EBLA_REQUIRES(writing_, mutex_);
  Status ReplayRecord(const LogRecord& record, const LogPlace& place) EBLA_REQUIRES(mutex_);

  // Opens a frame with room for records of so many bytes, where the open one has none.
  void MakeRoom(int64_t bytes) EBLA_REQUIRES(mutex_);
  void CloseFrame() EBLA_REQUIRES(mutex_);
  void AddEntries(const Batch& batch) EBLA_REQUIRES(mutex_);
  void AddValue(std::string_view key, std::string_view value) EBLA_REQUIRES(mutex_);
  Result<LogPlace> AddCut(LogRecordKind kind, TabletId tablet, Lsn lsn) EBLA_REQUIRES(mutex_);
  Status CheckContinue(std::span<const Batch> batches) const EBLA_REQUIRES(mutex_);

  Result<std::vector<LogTail::FramePtr>> TakeUnwritten(Depth depth) EBLA_REQUIRES(writing_);
  Status Write(std::span<const LogTail::FramePtr> frames) EBLA_REQUIRES(writing_);
  Status Fail(Status reason);

  Source SourceOf(const LogPlace& place) const EBLA_REQUIRES(mutex_);
  // None: it is no longer there, as the cleaner has moved it or it counts no more: look again.
  Result<std::optional<Held>> Hold(const Source& source) const;
  // Moves on what still counts in a segment.
  Status MoveOn(uint64_t segment);
  Status MoveRecord(const LogRecord& record, const LogPlace& place);
  void AddErase(std::string_view key) EBLA_REQUIRES(mutex_);

  LogDisk& disk_;
  const SharedLogOptions options_;
  LogCounts counts_;
  std::optional<LogLoss> loss_;  // fixed once it is open

  Mutex writing_;  // held while frames are written; before mutex_
  LogWriter writer_ EBLA_GUARDED_BY(writing_){disk_, counts_};

  mutable Mutex mutex_;
  LogIndex index_ EBLA_GUARDED_BY(mutex_);
  LogTail tail_ EBLA_GUARDED_BY(mutex_);
  std::map<uint64_t, Segment> segments_ EBLA_GUARDED_BY(mutex_);                        // begun ones
  std::unordered_map<TabletId, std::vector<EndCut>> end_cuts_ EBLA_GUARDED_BY(mutex_);  // by place: as leaders change
  std::optional<Kept> kept_ EBLA_GUARDED_BY(mutex_);
  uint64_t first_needed_ EBLA_GUARDED_BY(mutex_) = 0;  // older segments may go
  // The beginning of the next frame.
  uint64_t next_segment_ EBLA_GUARDED_BY(mutex_) = 1;
  int64_t next_offset_ EBLA_GUARDED_BY(mutex_) = kLogBlock;
  uint64_t next_sequence_ EBLA_GUARDED_BY(mutex_) = 1;
  Status reason_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
