// functions/counted/counted.h
// Functions of a key group (common/base/functions.h) that keep the number of some of its records in one more record.
//   counted.put     puts a value under the key; the record never expires
//   counted.delete  deletes the key
//   counted.size    reads: the count. The key is that of the count
// All answer with the count as decimal text. The count is a record of the same group, which the caller names: one group
// may have several. Without a record it is 0.
// Errors:  INVALID_ARGUMENT: malformed arguments, a count outside the group or that is the key itself, or a record
//          there that is no count.
// Threads: functions of their arguments.
#pragma once

#include <string>
#include <string_view>

#include "common/base/functions.h"

namespace ebla::counted {

inline constexpr std::string_view kPut = "counted.put";
inline constexpr std::string_view kDelete = "counted.delete";
inline constexpr std::string_view kSize = "counted.size";  // without arguments

// The arguments, in the encoding of common/base/encoding.h: bytes, the key of the count; and of a put bytes, the value.
std::string PutArguments(std::string_view count_key, std::string_view value);
std::string DeleteArguments(std::string_view count_key);

// Adds all.
void AddTo(Functions& functions);

}  // namespace ebla::counted
