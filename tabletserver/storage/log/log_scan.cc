#include "tabletserver/storage/log/log_scan.h"

namespace ebla::tabletserver {

namespace {

// The frame that follows at `offset`: right there, or at the beginning of the next block.
std::optional<LogFrame> FrameFrom(std::string_view whole, uint64_t segment, int64_t offset, uint64_t sequence) {
  for (const int64_t at : {offset, AlignUp(offset, kLogBlock)}) {
    std::optional<LogFrame> frame = DecodeLogFrame(whole, segment, at);
    if (frame && frame->header.sequence == sequence) return frame;
  }
  return std::nullopt;
}

}  // namespace

Error LogDamage(const std::string& name, int64_t offset, const std::string& what) {
  return {Code::kInternal, name + " is damaged at byte " + std::to_string(offset) + ": " + what +
                               "; what was acknowledged may be missing"};
}

bool WasSynced(std::string_view whole, uint64_t segment, uint64_t sequence) {
  for (int64_t at = kLogBlock; at < std::ssize(whole); at += kLogBlock) {
    const auto header = DecodeFrameHeader(whole.substr(static_cast<size_t>(at)));
    if (header && header->segment == segment && header->synced >= sequence) return true;
  }
  return false;
}

Result<ScannedSegment> ScanSegment(std::string_view whole, const std::string& name, const SegmentHeader& header,
                                   std::optional<uint64_t> next, const LogVisitor& visitor) {
  ScannedSegment scanned{.next_sequence = header.first_sequence, .end = kLogBlock};
  while (!next || scanned.next_sequence < *next) {
    const auto frame = FrameFrom(whole, header.number, scanned.end, scanned.next_sequence);
    if (!frame) {
      const std::string which = "frame " + std::to_string(scanned.next_sequence) + " is not whole";
      if (next) return LogDamage(name, scanned.end, which);
      if (WasSynced(whole, header.number, scanned.next_sequence))
        return LogDamage(name, scanned.end, which + ", and was once");
      break;
    }
    for (const LogRecord& record : frame->records)
      EBLA_TRY(visitor(record, {header.number, record.offset, record.bytes}));
    scanned.end = frame->end;
    ++scanned.next_sequence;
  }
  return scanned;
}

}  // namespace ebla::tabletserver
