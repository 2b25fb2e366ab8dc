// gateway/memcached/stats.h
// The answers to "stats": what this gateway has counted, under memcached's names. What a table knows and a gateway does
// not, such as how many items there are, is left out.
// Threads: any.
#pragma once

#include <string>

#include "gateway/memcached/environment.h"

namespace ebla::gateway::memcached {

// `of`: what stands behind the word: empty, "settings", "reset", "items", "slabs", "sizes". Whole lines, with their end.
std::string StatsText(Environment& environment, const std::string& of);

}  // namespace ebla::gateway::memcached
