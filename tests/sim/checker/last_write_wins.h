// tests/sim/checker/last_write_wins.h
// What a last_write_wins table promises of one group's operations, beside what each level does (levels.h). Writes of
// level ANY come to the log whenever they are delivered, or twice when two servers took them, and a batch of them key
// by key: so no order of whole operations is searched for. Every record stands in the log under a version all the same:
//
//   order    who reads the committed state shows of a key no version older than was known of it by the moment that its
//            level allows, and nothing only where somebody deletes; one version has one value
//   ANY      acknowledged, it was taken by a server between call and answer; told to be not executed, by none. It shows
//            under one version for each time at which a server took it
//   times    are those of clocks: none is farther ahead of the true time than clocks may be. Behind it a tablet's time
//            may be, by as long as nobody led who had kept it
//   the end  when all is delivered, each key's record is as late as every write that was acknowledged, and is that very
//            write where it has its time; what was deleted later than it was written does not live
//
// Times given to writes are read at the servers' disks, where they are kept until they are delivered: clients are not
// told.
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
  // A write of one key that a server kept to be delivered.
  struct Kept {
    int cell = 0;
    std::string value;
    bool is_delete = false;
    bool any = false;  // taken at ANY; else rolled back by a failover
    WriteTime time;
    EventNumber at = 0;   // the first event after it was kept
    int64_t true_ms = 0;  // the time of day then, as nobody's clock has it
  };
  struct Final {
    WriteTime time;
    Version version;
    bool is_delete = false;
    std::string value;
  };
  // Whether a server kept a delete of the cell before `moment`: it is delivered at any time, also one that a failover
  // has rolled back and whose retry was executed since.
  bool KeptDelete(int cell, EventNumber moment) const;

  std::vector<Kept> kept;
  std::array<std::optional<Final>, kCellsPerGroup> finals;  // in the end, on every replica
  int64_t ahead_ms_max = 0;                                 // of the true time
};

// `operations` as levels.h would have them searched: with the moments that their levels allow.
std::vector<std::string> JudgeLastWriteWins(const std::vector<Operation>& operations, const LwwTruth& truth);

}  // namespace ebla::sim
