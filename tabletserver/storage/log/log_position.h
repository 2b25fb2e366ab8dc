// tabletserver/storage/log/log_position.h
// A place in a server's log from which it is read on: where a frame begins, or is to begin.
// Threads: values.
#pragma once

#include <cstdint>

namespace ebla::tabletserver {

inline constexpr int64_t kLogOffsetMax = int64_t{1} << 40;  // no segment is as large

struct LogPosition {
  uint64_t log = 0;  // the log's id; 0: no position
  uint64_t segment = 0;
  int64_t offset = 0;
  uint64_t sequence = 0;  // of the frame
  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

}  // namespace ebla::tabletserver
