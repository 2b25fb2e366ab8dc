// tests/chaos/damage/results_file.h
// The verdicts of a run so far, in a file, so that a run of an hour that was ended continues where it was.
// Format:  a line "programs CHECKSUM SEED", then one line "NUMBER VERDICT SECONDS" a case, written as it ends.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tests/chaos/damage/verdict.h"

namespace ebla::chaos {

class ResultsFile {
 public:
  // Returns what `file` has; makes it if it is not there. INVALID_ARGUMENT: it has results of other programs or of
  // another seed, or a line of something else.
  Result<std::vector<Outcome>> Open(const std::string& file, const std::string& programs, uint64_t seed);
  // Nothing, unless it is open. A case that could not be run is left out, and so is run again.
  void Add(const Outcome& outcome);

 private:
  std::ofstream out_;
};

}  // namespace ebla::chaos
