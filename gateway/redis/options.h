// The options that CONFIG GET shows, as Redis names them, and the two that a connection may set: how it reads, and when
// its writes are acknowledged.
// Threads: functions of their arguments.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ebla/options.h"

namespace ebla::gateway::redis {

// Whose commands these are.
inline constexpr std::string_view kRedisVersion = "7.0.15";
inline constexpr int kDatabases = 16;  // by number

std::vector<std::pair<std::string, std::string>> OptionsAre(const Read& read, Ack ack);

// What to answer where it cannot be set; empty: it is. What can have one value alone is set to that.
std::string SetOption(const std::string& name, const std::string& value, Read& read, Ack& ack);

}  // namespace ebla::gateway::redis
