// tests/sim/checker/last_write_wins.h
// The promises of a last_write_wins table for one group's operations, in addition to the levels' promises (levels.h).
// Servers deliver writes of level ANY to the log at any later time, twice if two servers took a write, and a batch key
// by key. So the checker searches for no order of whole operations. But every record has a version in the log, so the
// checker judges:
//
//   order    a read of the committed state finds no version of a key older than the newest one that a client knew at
//            the moment that the read's level allows. A read finds nothing only if a delete may explain that. One
//            version has one value
//   ANY      a server took each acknowledged write between call and answer. No server took a write that was reported as
//            not executed. Reads show its value under at most one version for each time that a server gave it
//   times    servers take them from clocks, so none is farther ahead of the true time than a clock may be. A tablet's
//            time may be behind the true time, because it does not advance while no primary keeps it
//   the end  after all deliveries, each key's record is no earlier than any acknowledged write, and is that very write
//            if both have the same time. A value that was deleted later than it was written is gone. A write that one
//            server alone had, and whose disk has lied since, may be gone, too
//
// The times are read from the servers' stores, which keep each write until its delivery, because no answer tells a
// client the time of its write.
// Threads: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/checker/history.h"

namespace ebla::sim {

struct WriteTime {
  int64_t ms = 0;
  std::string server;  // that gave it
  friend auto operator<=>(const WriteTime&, const WriteTime&) = default;
};

struct LwwTruth {
  // A write of one key that a server kept for delivery.
  struct Kept {
    int cell = 0;
    std::string value;
    bool is_delete = false;
    bool any = false;  // taken at ANY; else rolled back by a failover
    WriteTime time;
    EventNumber at = 0;        // the first event after it was kept
    int64_t true_ms = 0;       // the true time of day then, which no process's clock has
    bool may_be_lost = false;  // the disk that alone had it has lied since
  };
  struct Final {
    WriteTime time;
    Version version;
    bool is_delete = false;
    std::string value;
  };
  // Did a server keep a delete of the cell by `moment`? The server may deliver the delete at any later time, even if a
  // failover has rolled it back and its retry was executed since.
  bool KeptDelete(int cell, EventNumber moment) const;

  std::vector<Kept> kept;
  std::array<std::optional<Final>, kCellsPerGroup> finals;  // at the end, on every replica
  int64_t ahead_ms_max = 0;                                 // of a clock, before the true time
};

// `operations` are those that levels.h selects for a search: their calls are at the moments that their levels allow.
std::vector<std::string> JudgeLastWriteWins(const std::vector<Operation>& operations, const LwwTruth& truth);

}  // namespace ebla::sim
