// tests/sim/runner/hunt.h
// Which seeds catch a bug. Where a run finds a fault with the bug planted, and would find none without it, the bug is
// caught.
// Threads: as process_pool.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/nemesis/fault.h"
#include "tests/sim/runner/bugs.h"
#include "tests/sim/runner/process_pool.h"

namespace ebla::sim {

// The run of this seed that is to catch the bug; with no bug planted, the run that has to find nothing.
RunOptions TrialOf(const Bug& bug, uint64_t seed, const std::vector<Fault>& faults);

struct HuntOptions {
  uint64_t first_seed = 1;
  uint64_t seeds = 500;
  int jobs = 1;
  std::vector<Fault> faults = {};  // as of RunOptions
};

struct Catch {
  uint64_t seed = 0;
  std::string problem;  // the first that the run found
};
std::optional<Catch> Hunt(const Bug& bug, const HuntOptions& options);

}  // namespace ebla::sim
