// tabletserver/storage/log/log_start.h
// The segments that a start finds, and whether they are all that the log had.
// Place:   SharedLog::Open, before and after it has read the segments.
// Threads: functions of their arguments.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tabletserver/storage/log/log_disk.h"
#include "tabletserver/storage/log/log_extent.h"
#include "tabletserver/storage/log/log_format.h"

namespace ebla::tabletserver {

struct FoundSegment {
  uint64_t number = 0;
  std::string name;
  std::shared_ptr<LogFile> file;
  std::optional<SegmentHeader> header;  // only the last one may lack it
  bool shrank = false;                  // the disk lacks a part that could be read, because a sync had failed
};

// A failed sync leaves pages that can be read, and that no later sync writes, though it succeeds. So the last two are
// synced, and read from the disk itself.
// INTERNAL: a segment is missing, or of another log, or lost its header. `had`: what the log had once.
Result<std::vector<FoundSegment>> FindSegments(LogDisk& disk, const std::optional<LogExtent>& had);

Result<std::string> ReadWhole(LogFile& file);

// The place up to which a log can be read.
struct LogEnd {
  std::string file;
  int64_t offset = 0;
  uint64_t next_sequence = 0;
};
// None: the log reaches as far as it did. INTERNAL: it does not, and `joins_short` is false.
Result<std::optional<LogLoss>> CheckEnd(const LogEnd& end, const std::optional<LogExtent>& had, bool joins_short);

}  // namespace ebla::tabletserver
