// Patterns as KEYS and SCAN take them: * any bytes, ? one, [abc] [a-z] [^x] one of them, \ the next byte itself.
// Takes time that grows with pattern times text at most: of several stars only the last is tried again.
// Threads: functions of their arguments.
#pragma once

#include <string>
#include <string_view>

namespace ebla::gateway::redis {

bool Matches(std::string_view pattern, std::string_view text);

// The bytes that all that matches begins with.
std::string PrefixOf(std::string_view pattern);

}  // namespace ebla::gateway::redis
