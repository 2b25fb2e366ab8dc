// tabletserver/storage/log/log_extent.h
// How far a log reaches on its disk, for a place outside the log (wiredtiger/store_inventory.h), and what a start that
// compares it with the log finds lost.
// Place:      SharedLog::extent() tells it, SharedLogOptions::expected is what an earlier process was told.
// Invariants: 1. An extent claims nothing that the disk did not have when it was told.
//             2. Its claims hold for all later times, but for a disk that loses what it had.
// Threads:    values.
#pragma once

#include <cstdint>
#include <string>

#include "tabletserver/storage/log/log_position.h"

namespace ebla::tabletserver {

struct LogExtent {
  uint64_t log = 0;            // the log's id; 0: nothing is known
  uint64_t first_segment = 0;  // the oldest that may be needed; older files may lie there
  uint64_t last_segment = 0;   // the last whose header is on the disk
  int64_t last_bytes = 0;      // of its file, when it was begun
  LogPosition end;             // behind the last frame that is on the disk
  uint64_t needed = 0;         // the last sequence on the disk that is no end mark: a lost mark is no loss
  int64_t told_ms = 0;         // time of day at which it was noted, for messages; 0: unknown
  friend bool operator==(const LogExtent&, const LogExtent&) = default;
};

struct LogLoss {
  std::string file;                // where it was looked for
  int64_t offset = 0;              // in the file
  uint64_t from = 0, through = 0;  // frames by their sequences; through 0: unknown
  int64_t marked_ms = 0;           // time of day at which the disk had them; 0: unknown
  friend bool operator==(const LogLoss&, const LogLoss&) = default;
};

// For messages: the file, the place and the finding.
std::string Describe(const LogLoss& loss);

}  // namespace ebla::tabletserver
