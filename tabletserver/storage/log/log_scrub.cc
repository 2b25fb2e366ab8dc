#include "tabletserver/storage/log/log_scrub.h"

#include <glog/logging.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "tabletserver/storage/log/log_scan.h"

namespace ebla::tabletserver {

namespace {

constexpr int64_t kScrubbedAtOnce = int64_t{1} << 20;

// Up to `end`, or its own. None: `pace` ended it.
Result<std::optional<std::string>> ReadInPieces(LogFile& file, int64_t end, const LogScrub::Pace& pace) {
  EBLA_ASSIGN(int64_t size, file.Size());
  size = std::min(size, end);
  std::string whole;
  whole.reserve(static_cast<size_t>(size));
  while (std::ssize(whole) < size) {
    const int64_t bytes = std::min(kScrubbedAtOnce, size - std::ssize(whole));
    file.DropCached(std::ssize(whole), bytes);
    EBLA_ASSIGN(const std::string piece, file.Read(std::ssize(whole), bytes));
    if (piece.empty()) break;
    whole += piece;
    if (!pace(std::ssize(piece))) return std::nullopt;
  }
  return whole;
}

bool SameHeader(const std::optional<SegmentHeader>& found, const SegmentHeader& written) {
  return found && found->log == written.log && found->number == written.number &&
         found->first_sequence == written.first_sequence;
}

}  // namespace

std::vector<uint64_t> LogScrub::Segments() const {
  MutexLock lock(log_.mutex_);
  std::vector<uint64_t> numbers;
  numbers.reserve(log_.segments_.size());
  for (const auto& [number, segment] : log_.segments_) numbers.push_back(number);
  return numbers;
}

std::optional<uint64_t> LogScrub::Unmoved() const {
  MutexLock lock(log_.mutex_);
  for (const auto& [number, segment] : log_.segments_) {
    if (segment.damaged && !segment.moved_off) return number;
  }
  return std::nullopt;
}

bool LogScrub::IsWhole(uint64_t segment, const Pace& pace) {
  SegmentHeader header;
  std::shared_ptr<LogFile> file;
  uint64_t end = 0;  // of the frames that the disk has
  int64_t bytes = std::numeric_limits<int64_t>::max();
  {
    MutexLock lock(log_.mutex_);
    const auto found = log_.segments_.find(segment);
    if (found == log_.segments_.end()) return true;
    header = found->second.header;
    file = found->second.file;
    const auto next = std::next(found);
    end = log_.counts().synced + 1;
    // The room after the latest frame, up to the size of a segment, holds nothing to check.
    if (segment == log_.next_segment_) bytes = log_.next_offset_;
    if (next != log_.segments_.end()) end = std::min(end, next->second.header.first_sequence);
  }
  const Result<std::optional<std::string>> read = ReadInPieces(*file, bytes, pace);
  if (read && !*read) return true;
  const auto nothing = [](const LogRecord&, const LogPlace&) { return Status(); };
  const std::string name = log_.disk_.Name(segment);
  Status status;
  if (!read) {
    status = read.error();  // a sector that cannot be read, as one that is not what was written
  } else if (!SameHeader(DecodeSegmentHeader(**read), header)) {
    status = LogDamage(name, 0, "its header is not whole");
  } else if (end > header.first_sequence) {
    const Result<ScannedSegment> scanned = ScanSegment(**read, name, header, end, nothing);
    if (!scanned) status = scanned.error();
  }
  if (status.ok()) return true;
  MutexLock lock(log_.mutex_);
  const auto found = log_.segments_.find(segment);
  if (found == log_.segments_.end()) return true;  // it was removed meanwhile, and another may have its file
  found->second.damaged = true;
  const std::string& what = status.message();
  LOG(ERROR) << what.substr(0, what.find(';')) << "; what counts and can be read is written again";
  return false;
}

void LogScrub::LeaveSegment() {
  if (log_.tail_.open()) log_.CloseFrame();
  ++log_.next_segment_;
  log_.next_offset_ = kLogBlock;
  log_.AddErase({});  // no value has this key
}

Result<bool> LogScrub::Move(const LogPlace& place, const Counts& counts) {
  SharedLog::Source source;
  {
    MutexLock lock(log_.mutex_);
    if (!counts(log_.index_)) return true;
    source = log_.SourceOf(place);
  }
  const Result<std::optional<SharedLog::Held>> held = log_.Hold(source);
  if (held) {
    if (*held) EBLA_TRY(log_.MoveRecord((*held)->record, place));
    return true;
  }
  MutexLock lock(log_.mutex_);
  return !counts(log_.index_);  // it may have been cut, or put anew, meanwhile
}

Result<LogScrub::Lost> LogScrub::MoveOff(uint64_t damaged, const Pace& pace) {
  LogIndex::Standing standing;
  {
    MutexLock lock(log_.mutex_);
    EBLA_TRY(log_.reason_);
    if (damaged == log_.next_segment_) LeaveSegment();
    standing = log_.index_.StandingThrough(damaged);
  }
  Lost lost;
  int64_t moved = 0;
  bool stopped = false;
  const auto move = [&](const LogPlace& place, const Counts& counts) -> Result<bool> {
    EBLA_ASSIGN(const bool moves, Move(place, counts));
    moved += place.bytes;
    if (moved >= kScrubbedAtOnce) {
      EBLA_TRY(log_.Flush(SharedLog::Depth::kDisk));
      stopped = !pace(std::exchange(moved, 0));
    }
    return moves;
  };
  for (const auto& [tablet, run] : standing.runs) {
    if (stopped) break;
    const auto counts = [&](const LogIndex& index) { return index.RunAt(tablet, run.first, run.place) != nullptr; };
    EBLA_ASSIGN(const bool moves, move(run.place, counts));
    if (!moves && std::ranges::find(lost.tablets, tablet) == lost.tablets.end()) lost.tablets.push_back(tablet);
  }
  for (const auto& [key, place] : standing.values) {
    if (stopped) break;
    const auto counts = [&](const LogIndex& index) {
      const LogPlace* const stands = index.Value(key);
      return stands != nullptr && *stands == place;
    };
    EBLA_ASSIGN(const bool moves, move(place, counts));
    if (!moves) lost.values.emplace_back(key, place);
  }
  EBLA_TRY(log_.Flush(SharedLog::Depth::kDisk));
  if (stopped) return lost;
  MutexLock lock(log_.mutex_);
  for (auto& [number, segment] : log_.segments_) segment.moved_off |= number <= damaged;
  return lost;
}

std::optional<LogPlace> LogScrub::LostAt(std::string_view key) const {
  SharedLog::Source source;
  {
    MutexLock lock(log_.mutex_);
    const LogPlace* const place = log_.index_.Value(key);
    if (place == nullptr) return std::nullopt;
    source = log_.SourceOf(*place);
  }
  if (log_.Hold(source)) return std::nullopt;
  MutexLock lock(log_.mutex_);
  const LogPlace* const place = log_.index_.Value(key);
  return place != nullptr && *place == source.place ? std::optional(source.place) : std::nullopt;
}

}  // namespace ebla::tabletserver
