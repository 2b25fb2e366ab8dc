// gateway/redis/databases/key_codec.h
// Encodes keys of Redis as keys of records. Keys with the same {tag} stay together. A key without a tag stays alone.
//
//   key                 record
//   cart                cart
//   cart:{42}:items     \1 \3 42 \0 cart:{42}:items
//   (none: "")          \1 \4
//
// In a table whose key groups end at a byte of 0, as gateways make them, no split separates keys with the same bytes
// through the first 0. So keys with a tag lie beside each other, and data that belongs to a key could lie behind it and
// a byte of 0. A tag is the text between the first { and the next }, as in Redis Cluster; an empty text is no tag.
// Within a record, bytes 0 and 1 of a key or tag are written as \1 \1 and \1 \2.
// Threads: functions of their arguments.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/key_range.h"

namespace ebla::gateway::redis {

// The delimiter of a table's key groups.
inline constexpr char kGroupDelimiter = '\0';

std::string RecordKey(std::string key);
// None: the record belongs to no key of Redis.
std::optional<std::string> KeyOfRecord(std::string_view record);

// The first bytes of the records of a key's group, up to the byte of 0. Keys with equal ones are of one group.
std::string GroupOf(std::string_view key);

// The ranges of all records whose keys begin with `prefix`, in order.
std::vector<KeyRange> RangesOfPrefix(std::string_view prefix);

}  // namespace ebla::gateway::redis
