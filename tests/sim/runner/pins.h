// tests/sim/runner/pins.h
// pinned_seeds.txt: a line for each bug, `bug seed [faults]`, names the seed that catches it. Reads and verifies such a
// file, and gives a bug another seed there.
// Threads: as process_pool.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace ebla::sim {

struct Pin {
  std::string bug;
  uint64_t seed = 0;
  std::string faults;  // these alone, as --faults names them; empty: those that the seed draws
};

// NOT_FOUND: there is no such file. INVALID_ARGUMENT names the line that is no pin of a bug.
Result<std::vector<Pin>> ReadPins(const std::string& path);
// Whether each pin's seed catches its bug, in their order.
std::vector<bool> VerifyPins(const std::vector<Pin>& pins, int jobs);
// The line of this bug becomes this pin; all other lines stay as they are.
Status WritePin(const std::string& path, const Pin& pin);

}  // namespace ebla::sim
