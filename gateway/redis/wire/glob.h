// gateway/redis/wire/glob.h
// Patterns of KEYS and SCAN: * stands for any bytes, ? for one, [abc] [a-z] [^x] for one of a class, \ for the next
// byte itself. The time grows at most with pattern times text, because only the last of several stars is tried again.
// For many or long texts and patterns that is still too much, so a caller bounds the steps, of some 2 ns each.
// Threads: functions of their arguments.
#pragma once

#include <string>
#include <string_view>

namespace ebla::gateway::redis {

// The longest pattern of a client.
inline constexpr size_t kPatternBytesMax = 4'096;
inline constexpr std::string_view kPatternTooLong = "ERR the pattern is longer than 4096 bytes";

// The steps of one command at a time: enough for any pattern and any one key, so that each SCAN makes progress.
inline constexpr size_t kMatchStepsMax = 17'000'000;
inline constexpr std::string_view kPatternTooSlow =
    "ERR the pattern takes too long to match: give one with fewer * or []";

// `steps_left`: at 0 the match was given up, and is none.
bool Matches(std::string_view pattern, std::string_view text, size_t& steps_left);
inline bool Matches(std::string_view pattern, std::string_view text) {
  size_t steps = static_cast<size_t>(-1);
  return Matches(pattern, text, steps);
}

// The common first bytes of all texts that match.
std::string PrefixOf(std::string_view pattern);

}  // namespace ebla::gateway::redis
