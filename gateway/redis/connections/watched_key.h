// gateway/redis/connections/watched_key.h
// A key as WATCH saw it, which a connection keeps until EXEC.
// Threads: values.
#pragma once

#include <optional>
#include <string>

#include "ebla/table.h"

namespace ebla::gateway::redis {

struct WatchedKey {
  std::string key;
  std::optional<Version> version;  // none: the key did not exist
};

}  // namespace ebla::gateway::redis
