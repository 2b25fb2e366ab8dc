// client/include/ebla/level_names.h
// The levels of reads and writes, and what tables in memory forget, as people write them, in flags and settings.
// Threads: functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ebla/admin.h"
#include "ebla/options.h"

namespace ebla {

// "majority", "all", "primary", "any" or "default". None: it is another word.
std::optional<Ack> AckNamed(std::string_view name);
// "strong", "session", "eventual", "default", or "bounded=" and a duration of 1 ms to 1 h: "bounded=500ms",
// "bounded=2s". None: it is none of these.
std::optional<Read> ReadNamed(std::string_view name);

// "none", "lru", "lfu" or "ttl". None: it is another word.
std::optional<TableEviction> EvictionNamed(std::string_view name);

std::string FormatAck(Ack ack);
std::string FormatRead(const Read& read);
std::string FormatEviction(TableEviction eviction);

}  // namespace ebla
