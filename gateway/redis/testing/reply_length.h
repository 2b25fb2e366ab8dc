// gateway/redis/testing/reply_length.h
// Finds the end of a reply of Redis's protocol.
// Threads: a function.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace ebla::gateway::redis {

// How many of the bytes are one reply; none: it is not whole.
std::optional<size_t> ReplyLength(std::string_view bytes);

}  // namespace ebla::gateway::redis
