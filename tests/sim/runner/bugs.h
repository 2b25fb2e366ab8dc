// tests/sim/runner/bugs.h
// Every bug that a run may be given, by name: rules of the protocol left out (common/base/planted_bug.h) and
// faulty stores (faulty_records.h). A checker that cannot fail proves nothing.
// Threads: as planted_bug.h: planted before a run begins, one at a time in a process.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "common/base/planted_bug.h"
#include "tests/sim/cluster/faulty_records.h"

namespace ebla::sim {

struct Bug {
  PlantedBug rule = PlantedBug::none;
  StoreFault store_fault = StoreFault::kNone;

  bool none() const { return rule == PlantedBug::none && store_fault == StoreFault::kNone; }
  std::string_view name() const;
  bool of_splits() const;                                                  // shows only where tablets are split
  bool of_merges() const;                                                  // ...and merged
  bool of_memory() const { return rule == PlantedBug::begin_anew_early; }  // ...where tables in memory are forgotten
  bool of_disk() const { return store_fault != StoreFault::kNone; }        // ...where the clients' table is on the disk
};

std::optional<Bug> ParseBug(std::string_view name);  // "none", "ack_before_flush", "commit_older_epoch", ...
std::vector<Bug> AllBugs();                          // but none

}  // namespace ebla::sim
