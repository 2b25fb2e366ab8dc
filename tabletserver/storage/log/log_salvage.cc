#include "tabletserver/storage/log/log_salvage.h"

#include <algorithm>

#include "tabletserver/storage/log/shared_log.h"

namespace ebla::tabletserver {

namespace {

constexpr int64_t kAlignment = 8;  // of frames

std::optional<LogFrame> FrameWithin(const SalvagedSegment& segment, int64_t offset, uint64_t from) {
  if (offset + kFrameHeader > std::ssize(segment.whole)) return std::nullopt;
  const auto header = DecodeFrameHeader(segment.whole.substr(static_cast<size_t>(offset), kFrameHeader));
  if (!header || header->segment != segment.number) return std::nullopt;
  if (header->sequence < from || header->sequence > segment.through) return std::nullopt;
  return DecodeLogFrame(segment.whole, segment.number, offset);
}

// The expected frame is at the place itself, or begins the next block. The search behind damage looks everywhere.
std::optional<std::pair<LogFrame, int64_t>> NextFrame(const SalvagedSegment& segment, int64_t end, uint64_t sequence) {
  const int64_t block = AlignUp(end, kLogBlock);
  for (const int64_t at : {end, block}) {
    if (auto frame = FrameWithin(segment, at, sequence); frame && frame->header.sequence == sequence)
      return std::pair(*std::move(frame), at);
  }
  for (int64_t at = AlignUp(end, kAlignment); at < std::ssize(segment.whole); at += kAlignment) {
    if (auto frame = FrameWithin(segment, at, sequence)) return std::pair(*std::move(frame), at);
  }
  return std::nullopt;
}

// The disk never had the frame for certain. A machine that crashed has left later ones, which a start passes over.
bool IsCrashsEnd(const SalvagedSegment& segment, uint64_t sequence) {
  return segment.through == UINT64_MAX && sequence > segment.needed &&
         !WasSynced(segment.whole, segment.number, sequence);
}

}  // namespace

Result<std::string> ReadReadable(LogFile& file) {
  EBLA_ASSIGN(const int64_t size, file.Size());
  if (Result<std::string> whole = file.Read(0, size); whole && std::ssize(*whole) == size) return whole;
  std::string readable(static_cast<size_t>(size), '\0');
  for (int64_t at = 0; at < size; at += kLogBlock) {
    const Result<std::string> block = file.Read(at, std::min(kLogBlock, size - at));
    if (block) std::ranges::copy(*block, readable.begin() + at);
  }
  return readable;
}

Result<ScannedSegment> SalvageSegment(const SalvagedSegment& segment, const LogVisitor& visitor,
                                      std::vector<LogLoss>& holes) {
  ScannedSegment scanned{.next_sequence = segment.from, .end = kLogBlock};
  while (const auto next = NextFrame(segment, scanned.end, scanned.next_sequence)) {
    const auto& [frame, at] = *next;
    const uint64_t sequence = frame.header.sequence;
    if (scanned.next_sequence != 0 && sequence > scanned.next_sequence) {
      if (IsCrashsEnd(segment, scanned.next_sequence)) break;
      holes.push_back(
          {.file = segment.name, .offset = scanned.end, .from = scanned.next_sequence, .through = sequence - 1});
    }
    for (const LogRecord& record : frame.records)
      EBLA_TRY(visitor(record, {segment.number, record.offset, record.bytes}));
    scanned.end = frame.end;
    scanned.next_sequence = sequence + 1;
  }
  return scanned;
}

std::string DescribeHole(const LogLoss& hole) {
  const std::string where = hole.offset < 0 ? " is missing" : " cannot be read at byte " + std::to_string(hole.offset);
  const std::string through = std::to_string(hole.through);
  const std::string lost = hole.from == 0              ? "all frames before " + std::to_string(hole.through + 1)
                           : hole.through == hole.from ? "frame " + through
                                                       : "frames " + std::to_string(hole.from) + " to " + through;
  return hole.file + where + ": the log has lost " + lost;
}

// ---- a start --------------------------------------------------------------------------------------------------------

Result<std::vector<LogSalvage::Found>> LogSalvage::Find() {
  EBLA_ASSIGN(const std::vector<uint64_t> numbers, log_.disk_.List());
  std::vector<Found> found;
  for (const uint64_t number : numbers) {
    EBLA_ASSIGN(std::shared_ptr<LogFile> file, log_.disk_.Open(number));
    const Result<std::string> block = file->Read(0, kLogBlock);
    std::optional<SegmentHeader> header = block ? DecodeSegmentHeader(*block) : std::nullopt;
    if (header && header->number != number) header.reset();
    found.push_back({number, std::move(file), header});
  }
  // A crash may leave whole frames behind a segment's end, and the next life begins a segment with their numbers.
  uint64_t through = UINT64_MAX;
  for (auto at = found.rbegin(); at != found.rend(); ++at) {
    at->through = through;
    if (at->header) through = std::min(through, at->header->first_sequence - 1);
  }
  return found;
}

Result<SegmentHeader> LogSalvage::Replay() {
  log_.writing_.AssertHeld();
  log_.mutex_.AssertHeld();
  EBLA_ASSIGN(const std::vector<Found> found, Find());
  const std::optional<LogExtent>& had = log_.options_.expected;
  std::vector<LogLoss>& holes = *log_.options_.salvage;
  constexpr int64_t kMissing = -1;
  SegmentHeader next{.log = had ? had->log : 1, .number = had ? had->first_segment : 0, .first_sequence = 0};
  int64_t end = kMissing;  // of the segment before
  const auto note_hole = [&](bool goes_on, uint64_t before) {
    const bool missing = !goes_on || end == kMissing;
    holes.push_back({.file = log_.disk_.Name(missing ? next.number : next.number - 1),
                     .offset = missing ? kMissing : end,
                     .from = next.first_sequence,
                     .through = before - 1});
  };
  for (const Found& file : found) {
    const uint64_t known = file.number == 1 ? 1 : next.first_sequence;
    const uint64_t from = file.header ? file.header->first_sequence : known;
    const bool goes_on = file.number <= next.number;
    const bool lacks = next.first_sequence == 0 ? next.number > 0 && !goes_on : from > next.first_sequence;
    if (lacks) note_hole(goes_on, std::max<uint64_t>(from, 1));
    EBLA_ASSIGN(const std::string whole, ReadReadable(*file.file));
    const auto visit = [&](const LogRecord& record, const LogPlace& place) {
      log_.mutex_.AssertHeld();
      return log_.ReplayRecord(record, place);
    };
    EBLA_ASSIGN(const ScannedSegment scanned, SalvageSegment({.whole = whole,
                                                              .name = log_.disk_.Name(file.number),
                                                              .number = file.number,
                                                              .from = std::max(from, next.first_sequence),
                                                              .through = file.through,
                                                              .needed = had ? had->needed : 0},
                                                             visit, holes));
    if (file.header) next.log = file.header->log;
    log_.segments_[file.number] = {file.file, std::ssize(whole), {next.log, file.number, from}};
    end = scanned.end;
    next.number = file.number + 1;
    next.first_sequence = scanned.next_sequence;
  }
  if (had && next.first_sequence <= had->needed) note_hole(next.number > had->last_segment, had->needed + 1);
  next.number = std::max<uint64_t>(next.number, 1);
  next.first_sequence = std::max<uint64_t>(next.first_sequence, 1);
  return next;
}

}  // namespace ebla::tabletserver
