// gateway/redis/wire/glob.h
// Patterns as KEYS and SCAN take them: * any bytes, ? one, [abc] [a-z] [^x] one of them, \ the next byte itself.
// Takes time that grows with pattern times text at most: of several stars only the last is tried again. Where many texts or
// patterns are long that is too much still, so that who matches many says how many steps they may take: some 2 ns each.
// Threads: functions of their arguments.
#pragma once

#include <string>
#include <string_view>

namespace ebla::gateway::redis {

// Of what a client says.
inline constexpr size_t kPatternBytesMax = 4'096;
inline constexpr std::string_view kPatternTooLong = "ERR the pattern is longer than 4096 bytes";

// Of what one command may match at a time: enough for any pattern and any one key, so that each SCAN comes on.
inline constexpr size_t kMatchStepsMax = 17'000'000;
inline constexpr std::string_view kPatternTooSlow =
    "ERR the pattern takes too long to match: give one with fewer * or []";

// `steps_left`: none afterwards, and it has given up, which is no match.
bool Matches(std::string_view pattern, std::string_view text, size_t& steps_left);
inline bool Matches(std::string_view pattern, std::string_view text) {
  size_t steps = static_cast<size_t>(-1);
  return Matches(pattern, text, steps);
}

// The bytes that all that matches begins with.
std::string PrefixOf(std::string_view pattern);

}  // namespace ebla::gateway::redis
