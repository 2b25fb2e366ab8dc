// gateway/redis/databases/key_codec.h
// Which record a key of Redis is, and which keys stay together: those with the same {tag}. A key without one stays alone.
//
//   key                 record
//   cart                cart
//   cart:{42}:items     \1 \3 42 \0 cart:{42}:items
//   (none: "")          \1 \4
//
// In a table whose key groups end at a byte of 0, as gateways make them, no split cuts what begins alike through the first
// one. So keys with a tag lie beside each other, and what belongs to a key may come to lie behind it and one byte of 0.
// A tag is what lies between the first { and the next }, as in Redis Cluster; nothing between them is no tag. Within a
// record, bytes 0 and 1 of a key or tag are written as \1 \1 and \1 \2.
// Threads: functions of their arguments.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/key_range.h"

namespace ebla::gateway::redis {

// Of the key groups of a table.
inline constexpr char kGroupDelimiter = '\0';

std::string RecordKey(std::string key);
// None: the record is no key's.
std::optional<std::string> KeyOfRecord(std::string_view record);

// What the records of a key's group begin with, but for the byte of 0. Keys are of one group if theirs are the same.
std::string GroupOf(std::string_view key);

// Where the records of all keys lie that begin with `prefix`; in order.
std::vector<KeyRange> RangesOfPrefix(std::string_view prefix);

}  // namespace ebla::gateway::redis
