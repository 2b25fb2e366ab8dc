// tests/sim/runner/pins.h
// Reads and verifies pinned_seeds.txt, and writes another seed for a bug. The file has a line `bug seed [faults]` for
// each bug, which names a seed that catches the bug.
// Threads: see process_pool.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace ebla::sim {

struct Pin {
  std::string bug;
  uint64_t seed = 0;
  std::string faults;  // these alone, as --faults names them; empty: the seed draws them
};

// NOT_FOUND: there is no such file. INVALID_ARGUMENT names the line that is no pin of a bug.
Result<std::vector<Pin>> ReadPins(const std::string& path);
// For each pin, in order: does its seed catch its bug?
std::vector<bool> VerifyPins(const std::vector<Pin>& pins, int jobs);
// Replaces the line of this bug by this pin. All other lines stay as they are.
Status WritePin(const std::string& path, const Pin& pin);

}  // namespace ebla::sim
