// gateway/redis/testing/reply_length.h
// Finds the end of a reply of Redis's protocol.
// Threads: a function.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace ebla::gateway::redis {

// The length of the first reply; none: it is incomplete.
std::optional<size_t> ReplyLength(std::string_view bytes);

}  // namespace ebla::gateway::redis
