// functions/memcached/record_function.h
// Memcached's commands of one item as a function of servers (common/base/functions.h) of the name "memcached".
// Its arguments, in the encoding of common/base/encoding.h, are an ItemOrder:
//
//   byte           the verb, as ItemOrder::Verb numbers them
//   byte           which optional fields follow: 1 cas, 2 new_ttl, 4 created_ttl, 8 recache_ttl;
//                  16: the value is wanted; 32: recache_by_new_ttl
//   varint         flags, delta, initial
//   bytes          value
//   varint         cas, and signed varints: new_ttl, created_ttl, recache_ttl; each where the bits say so
//
// Its answer is a Finding:
//
//   byte           the outcome, as Outcome numbers them
//   byte           1 changed, 2 created, 4 won, 8 sent_before, 16 stale, 32: expires_ms follows
//   varint         flags, size, number, the version's epoch and lsn
//   bytes          value
//   signed varint  expires_ms
//
// Errors:  INVALID_ARGUMENT: malformed arguments. INTERNAL: the record holds no item (functions/items/item_codec.h), or
//          the answer is malformed.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/functions.h"
#include "functions/memcached/item_order.h"

namespace ebla::memcached {

inline constexpr std::string_view kFunctionName = "memcached";

std::string EncodeOrder(const ItemOrder& order);
Result<FunctionResult> ApplyOrder(const FunctionInput& input);
// The same for a caller that has the order.
Result<FunctionResult> ExecuteOrder(const ItemOrder& order, const FunctionInput& input);
Result<Finding> DecodeFinding(std::string_view answer);

}  // namespace ebla::memcached
