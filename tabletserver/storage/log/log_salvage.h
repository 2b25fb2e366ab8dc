// tabletserver/storage/log/log_salvage.h
// Reads what can be read of a damaged log: every whole frame, also behind one that is not.
// Place:   SharedLog::Open with SharedLogOptions::salvage, for a start that changes nothing (--salvage). A tablet's
//          entries may lack some in between then: salvaged_replicas.h judges them.
// Threads: functions of their arguments.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tabletserver/storage/log/log_disk.h"
#include "tabletserver/storage/log/log_extent.h"
#include "tabletserver/storage/log/log_scan.h"

namespace ebla::tabletserver {

class SharedLog;

// All of the file, with zeros for the blocks that the disk cannot read.
Result<std::string> ReadReadable(LogFile& file);

struct SalvagedSegment {
  std::string_view whole;  // zeros where it could not be read
  std::string name;
  uint64_t number = 0;
  uint64_t from = 0;  // the sequence of its first frame; 0: unknown
  // Later frames are of another life of the file. UINT64_MAX: this is the last segment, and may end anywhere.
  uint64_t through = UINT64_MAX;
  uint64_t needed = 0;  // the log had all frames up to this one
};

// Visits the whole frames of the segment in their order, and adds to `holes` what lacks between them. Returns the place
// behind the last one. An error is the visitor's.
Result<ScannedSegment> SalvageSegment(const SalvagedSegment& segment, const LogVisitor& visitor,
                                      std::vector<LogLoss>& holes);

// A start over a damaged log, in the place of SharedLog's own.
class LogSalvage {
 public:
  explicit LogSalvage(SharedLog& log) : log_(log) {}
  // Reads all into the log's index, and what lacks into SharedLogOptions::salvage. Returns the header of the segment
  // to come.
  Result<SegmentHeader> Replay();

 private:
  struct Found {
    uint64_t number = 0;
    std::shared_ptr<LogFile> file;
    std::optional<SegmentHeader> header;
    uint64_t through = 0;  // the last sequence that the segment can have
  };
  Result<std::vector<Found>> Find();

  SharedLog& log_;
};

// For people: the file, the place, and the frames.
std::string DescribeHole(const LogLoss& hole);

}  // namespace ebla::tabletserver
