// tools/ycsb/record_codec.h
// How the fields of one record become one value of a key-value store, and back:
//
//   size           meaning
//   1              format: 1
//   then for each field, in the order given:
//   varint         length of the name
//   that many      name
//   varint         length of the value
//   that many      value
//
// A varint is LEB128: seven bits in each byte, the lowest first, the top bit set on all but the last.
// Errors:  INTERNAL for bytes that are no such record, because another program wrote them.
// Threads: free functions.
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"
#include "tools/ycsb/database.h"

namespace ebla::ycsb {

std::string EncodeRecord(const Fields& fields);
// `names` empty: all fields.
Status DecodeRecord(std::string_view value, const std::vector<std::string>& names, Fields& fields);
// `record` with these fields replaced or, where it lacks them, appended.
void MergeFields(const Fields& changes, Fields& record);

}  // namespace ebla::ycsb
