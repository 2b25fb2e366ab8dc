// tools/ebla/verbs/split_points.h
// Chooses cuts of a table that is about to be created: quantiles of a sample of its keys, or of a pattern of numbered
// keys. Each cut is the shortest text that separates the keys on its two sides, so that it fits a split key's bound.
// Pure, but for reading the sample.
// Threads: functions.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace ebla::shell {

// The cuts that make `tablets` tablets (2 to 10,001) hold about as many of `sample` each; fewer where equal keys leave
// no room. INVALID_ARGUMENT when the sample has fewer distinct keys than tablets.
Result<std::vector<std::string>> SplitByQuantiles(std::vector<std::string> sample, size_t tablets);

// The keys that `pattern`, with one %d (as %d or %08d), takes over 0 .. count-1.
Result<std::vector<std::string>> SampleOfPattern(std::string_view pattern, uint64_t count);

// One key per line, escaped as the shell shows keys; at most ten million are kept (a random choice of more).
Result<std::vector<std::string>> ReadSample(std::istream& input);

// One of the two: the keys of the file at `path`, or those of the pattern.
Result<std::vector<std::string>> SampleKeys(const std::string& path, std::string_view pattern, uint64_t count);

}  // namespace ebla::shell
