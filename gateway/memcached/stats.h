// gateway/memcached/stats.h
// The answers to "stats": the counts of this gateway, under memcached's names. Counts that a table knows and a gateway
// does not, such as the number of items, are left out.
// Threads: any.
#pragma once

#include <string>

#include "gateway/memcached/environment.h"

namespace ebla::gateway::memcached {

// `of` is the argument: empty, "settings", "reset", "items", "slabs" or "sizes". Returns whole lines, with their ends.
std::string StatsText(Environment& environment, const std::string& of);

}  // namespace ebla::gateway::memcached
