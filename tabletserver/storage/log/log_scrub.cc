#include "tabletserver/storage/log/log_scrub.h"

#include <glog/logging.h>

#include <algorithm>

#include "tabletserver/storage/log/log_scan.h"

namespace ebla::tabletserver {

namespace {

constexpr int64_t kScrubbedAtOnce = int64_t{1} << 20;

// None: `pace` ended it.
Result<std::optional<std::string>> ReadInPieces(LogFile& file, const std::function<bool(int64_t bytes)>& pace) {
  EBLA_ASSIGN(const int64_t size, file.Size());
  std::string whole;
  whole.reserve(static_cast<size_t>(size));
  while (std::ssize(whole) < size) {
    EBLA_ASSIGN(const std::string piece,
                file.Read(std::ssize(whole), std::min(kScrubbedAtOnce, size - std::ssize(whole))));
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

Result<bool> LogScrub::IsWhole(uint64_t segment, const std::function<bool(int64_t bytes)>& pace) {
  SegmentHeader header;
  std::shared_ptr<LogFile> file;
  uint64_t end = 0;  // of the frames that the disk has
  {
    MutexLock lock(log_.mutex_);
    const auto found = log_.segments_.find(segment);
    if (found == log_.segments_.end()) return true;
    header = found->second.header;
    file = found->second.file;
    const auto next = std::next(found);
    end = log_.synced_ + 1;
    if (next != log_.segments_.end()) end = std::min(end, next->second.header.first_sequence);
  }
  EBLA_ASSIGN(const std::optional<std::string> whole, ReadInPieces(*file, pace));
  if (!whole) return true;
  const auto nothing = [](const LogRecord&, const LogPlace&) { return Status(); };
  const std::string name = log_.disk_.Name(segment);
  Status status;
  if (!SameHeader(DecodeSegmentHeader(*whole), header)) {
    status = LogDamage(name, 0, "its header is not whole");
  } else if (end > header.first_sequence) {
    const Result<ScannedSegment> scanned = ScanSegment(*whole, name, header, end, nothing);
    if (!scanned) status = scanned.error();
  }
  if (status.ok()) return true;
  MutexLock lock(log_.mutex_);
  const auto found = log_.segments_.find(segment);
  if (found == log_.segments_.end()) return true;  // it went meanwhile, and another may have its file
  found->second.damaged = true;
  const std::string& what = status.message();
  LOG(ERROR) << what.substr(0, what.find(';')) << "; what counts and can be read is written again";
  return false;
}

void LogScrub::LeaveSegment() {
  if (log_.tail_.open()) log_.CloseFrame();
  ++log_.next_segment_;
  log_.next_offset_ = kLogBlock;
  log_.AddNothing();
}

Result<bool> LogScrub::Move(const LogPlace& place) {
  SharedLog::Source source;
  {
    MutexLock lock(log_.mutex_);
    if (!log_.segments_.contains(place.segment)) return true;
    source = log_.SourceOf(place);
  }
  const Result<std::optional<SharedLog::Held>> held = log_.Hold(source);
  if (!held) return false;
  if (*held) EBLA_TRY(log_.MoveRecord((*held)->record, place));
  return true;
}

Result<LogScrub::Lost> LogScrub::MoveOff(uint64_t damaged) {
  LogIndex::Standing standing;
  {
    MutexLock lock(log_.mutex_);
    EBLA_TRY(log_.reason_);
    if (damaged == log_.next_segment_) LeaveSegment();
    standing = log_.index_.StandingThrough(damaged);
  }
  Lost lost;
  int64_t moved = 0;
  const auto move = [&](const LogPlace& place) -> Result<bool> {
    EBLA_ASSIGN(const bool read, Move(place));
    moved += place.bytes;
    if (moved >= kScrubbedAtOnce) {
      EBLA_TRY(log_.Flush(SharedLog::Depth::kDisk));
      moved = 0;
    }
    return read;
  };
  for (const auto& [tablet, run] : standing.runs) {
    EBLA_ASSIGN(const bool read, move(run.place));
    if (!read && std::ranges::find(lost.tablets, tablet) == lost.tablets.end()) lost.tablets.push_back(tablet);
  }
  for (const auto& [key, place] : standing.values) {
    EBLA_ASSIGN(const bool read, move(place));
    if (!read) lost.keys.push_back(key);
  }
  EBLA_TRY(log_.Flush(SharedLog::Depth::kDisk));
  return lost;
}

}  // namespace ebla::tabletserver
