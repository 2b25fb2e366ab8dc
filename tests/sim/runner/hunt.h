// tests/sim/runner/hunt.h
// Searches for the seeds that catch a bug. A seed catches a bug if its run finds a fault with the bug planted, and none
// without it.
// Threads: see process_pool.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/nemesis/fault.h"
#include "tests/sim/runner/bugs.h"
#include "tests/sim/runner/process_pool.h"

namespace ebla::sim {

// The run of this seed that is to catch the bug. Without the bug, the same run must find nothing.
RunOptions TrialOf(const Bug& bug, uint64_t seed, const std::vector<Fault>& faults);

struct HuntOptions {
  uint64_t first_seed = 1;
  uint64_t seeds = 500;
  int jobs = 1;
  std::vector<Fault> faults = {};  // see RunOptions
};

struct Catch {
  uint64_t seed = 0;
  std::string problem;  // the first that the run found
};
std::optional<Catch> Hunt(const Bug& bug, const HuntOptions& options);

}  // namespace ebla::sim
