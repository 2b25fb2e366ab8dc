#include "tabletserver/storage/log/log_follower.h"

#include <algorithm>

namespace ebla::tabletserver {

LogPosition LogFollower::Begin(const SharedLog::Segment& segment) const {
  return {.log = segment.header.log,
          .segment = segment.header.number,
          .offset = kLogBlock,
          .sequence = segment.header.first_sequence};
}

uint64_t LogFollower::log() const {
  MutexLock lock(log_.mutex_);
  return log_.segments_.begin()->second.header.log;
}

bool LogFollower::IsOfThisLog(const LogPosition& at) const {
  const auto& [newest, segment] = *log_.segments_.rbegin();
  return at.log == segment.header.log && at.segment <= newest + 1 && at.offset >= 0 && at.offset <= kLogOffsetMax &&
         at.sequence <= log_.next_sequence_;
}

bool LogFollower::Knows(const LogPosition& at) const {
  MutexLock lock(log_.mutex_);
  return IsOfThisLog(at);
}

LogPosition LogFollower::Recent() const {
  MutexLock lock(log_.mutex_);
  auto segment = std::prev(log_.segments_.end());
  if (segment != log_.segments_.begin()) --segment;
  return Begin(segment->second);
}

std::optional<LogFollower::Found> LogFollower::Find(Step& step) const {
  MutexLock lock(log_.mutex_);
  const SharedLog::Segment& oldest = log_.segments_.begin()->second;
  if (!IsOfThisLog(step.next) || step.next.segment < oldest.header.number) {
    step.lost = true;
    step.next = Begin(oldest);
  }
  const auto at = log_.segments_.find(step.next.segment);
  if (at == log_.segments_.end()) return std::nullopt;
  Found found{
      .file = at->second.file, .header = at->second.header, .bytes = at->second.bytes, .next_first = std::nullopt};
  if (const auto next = std::next(at); next != log_.segments_.end())
    found.next_first = next->second.header.first_sequence;
  return found;
}

std::optional<LogFollower::Whole> LogFollower::FrameAt(const Found& found, int64_t offset, const Sequences& wanted) {
  const Result<std::string> head = found.file->Read(offset, kFrameHeader);
  if (!head) return std::nullopt;
  const std::optional<FrameHeader> header = DecodeFrameHeader(*head);
  if (!header || header->segment != found.header.number || header->records == 0) return std::nullopt;
  if (header->sequence < wanted.from || header->sequence > wanted.through) return std::nullopt;
  Result<std::string> records = found.file->Read(offset + kFrameHeader, header->bytes);
  if (!records) return std::nullopt;
  Whole whole{.bytes = std::make_unique<const std::string>(*std::move(records)), .frame = {}, .offset = offset};
  std::optional<LogFrame> frame = DecodeLogFrame(*header, *whole.bytes, offset);
  if (!frame) return std::nullopt;
  whole.frame = *std::move(frame);
  return whole;
}

// A frame after an unsynced frame begins no block, and is not found behind damage.
std::optional<LogFollower::Whole> LogFollower::FrameFrom(const Found& found, const LogPosition& at, uint64_t through) {
  const int64_t block = AlignUp(at.offset, kLogBlock);
  for (const int64_t offset : {at.offset, block}) {
    if (auto whole = FrameAt(found, offset, {at.sequence, at.sequence})) return whole;
  }
  for (int64_t offset = block; offset < found.bytes; offset += kLogBlock) {
    if (auto whole = FrameAt(found, offset, {at.sequence, through})) return whole;
  }
  return std::nullopt;
}

Result<LogFollower::Step> LogFollower::Read(const LogPosition& from, int64_t bytes_max, const Visitor& visitor) const {
  Step step{.next = from};
  const uint64_t synced = log_.counts().synced;
  for (int64_t bytes = 0; bytes < bytes_max;) {
    const std::optional<Found> found = Find(step);
    // A segment before another is on the disk to its end.
    const uint64_t through = found && found->next_first ? *found->next_first - 1 : synced;
    if (found && step.next.sequence <= through) {
      const std::optional<Whole> whole = FrameFrom(*found, step.next, through);
      step.lost = step.lost || !whole || whole->frame.header.sequence != step.next.sequence;
      if (whole) {
        step.next.offset = whole->offset;
        step.next.sequence = whole->frame.header.sequence;
        EBLA_ASSIGN(const bool goes_on, visitor(whole->frame));
        if (!goes_on) return step;
        bytes += kFrameHeader + whole->frame.header.bytes;
        step.next.offset = whole->frame.end;
        ++step.next.sequence;
        continue;
      }
      step.next.sequence = through + 1;
    }
    if (!found || !found->next_first) {
      step.at_end = true;
      return step;
    }
    step.next = {step.next.log, step.next.segment + 1, kLogBlock, *found->next_first};
  }
  return step;
}

LogFollower::Fate LogFollower::FateOf(TabletId tablet, Lsn lsn, const LogPlace& place) const {
  MutexLock lock(log_.mutex_);
  Fate fate = Fate::kStands;
  const auto cuts = log_.end_cuts_.find(tablet);
  if (cuts == log_.end_cuts_.end()) return fate;
  for (const SharedLog::EndCut& cut : cuts->second) {
    if (cut.place < place) continue;
    if (lsn >= cut.from) return Fate::kCut;
    if (lsn < cut.settled) fate = Fate::kSettled;
  }
  return fate;
}

void LogFollower::Keep(const LogPosition& from, int64_t bytes_max) const {
  MutexLock lock(log_.mutex_);
  log_.kept_ = {from.segment, bytes_max};
}

void LogFollower::Release() const {
  MutexLock lock(log_.mutex_);
  log_.kept_.reset();
}

}  // namespace ebla::tabletserver
