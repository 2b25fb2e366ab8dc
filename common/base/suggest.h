// common/base/suggest.h
// "Did you mean": the known word that is nearest to an unknown one. Pure.
// Place:   the shell's verbs and options; flags of servers (common/process/flags.h).
// Threads: functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ebla {

// The one candidate that needs the fewest changes to become `typed`: a letter more, less or other, or two neighbours
// swapped. One change for each three letters is near; what begins as `typed` does is nearer than that. None: nothing
// is.
std::optional<std::string> Nearest(std::string_view typed, const std::vector<std::string>& candidates);

// ", did you mean "get"?" or nothing.
std::string DidYouMean(std::string_view typed, const std::vector<std::string>& candidates);

}  // namespace ebla
