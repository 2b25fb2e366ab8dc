// gateway/memcached/meta_parser.h
// The lines of meta commands: mg, ms, md, ma, me, mn. Pure.
// Place:   parser.h.
// Threads: functions.
#pragma once

#include "gateway/memcached/parser.h"

namespace ebla::gateway::memcached {

// `tokens` begin with a name of two letters, of which the first is m.
Head ParseMeta(const Tokens& tokens);

// Keys that hold any bytes come and go in base64, with padding. None: it is not that.
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace ebla::gateway::memcached
