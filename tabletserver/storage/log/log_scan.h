// tabletserver/storage/log/log_scan.h
// Reads a segment from its beginning: every record in order, where it ends, and whether that is an end or damage.
// Threads: functions of their arguments.
#pragma once

#include <functional>

#include "tabletserver/storage/log/log_format.h"
#include "tabletserver/storage/log/log_index.h"

namespace ebla::tabletserver {

struct ScannedSegment {
  uint64_t next_sequence = 0;  // after its last frame
  int64_t end = 0;             // of its last frame
};

using LogVisitor = std::function<Status(const LogRecord& record, const LogPlace& place)>;

// Scans a segment that is `whole` in memory. `next` is the first sequence of the segment after it; none: it is the last
// one, and may end in a frame that a crash left unfinished. INTERNAL: damage, whose place the message names. Else the
// visitor's error.
Result<ScannedSegment> ScanSegment(std::string_view whole, const std::string& name, const SegmentHeader& header,
                                   std::optional<uint64_t> next, const LogVisitor& visitor);

// True where a frame somewhere in the segment tells that the frame `sequence` was on the disk once.
bool WasSynced(std::string_view whole, uint64_t segment, uint64_t sequence);

// `offset`: where it was looked for; a frame may begin at the next block.
Error LogDamage(const std::string& name, int64_t offset, const std::string& what);

}  // namespace ebla::tabletserver
