#include "functions/counted/counted.h"

#include <charconv>

#include "common/base/encoding.h"

namespace ebla::counted {
namespace {

using Change = FunctionResult::Change;

Result<uint64_t> CountAt(std::string_view key, const FunctionInput& input) {
  EBLA_ASSIGN(const auto row, input.rows->Get(key));
  uint64_t count = 0;
  if (!row) return count;
  const char* const last = row->value.data() + row->value.size();
  const auto [end, error] = std::from_chars(row->value.data(), last, count);
  if (error != std::errc() || end != last || row->value.empty())
    return Error(Code::kInvalidArgument, "the record \"" + EscapeBytes(key) + "\" is no count");
  return count;
}

// Answers with the count, which is changed by what the result does to the record.
Result<FunctionResult> Counted(std::string_view count_key, const FunctionInput& input, FunctionResult result) {
  if (count_key == input.key) return Error(Code::kInvalidArgument, "the count needs a key of its own");
  EBLA_ASSIGN(uint64_t count, CountAt(count_key, input));
  const bool was = input.record.has_value(), is = result.change == Change::kPut;
  if (was != is) {
    if (is) ++count;
    if (was && count > 0) --count;
    result.others.push_back({.key = std::string(count_key), .value = std::to_string(count)});
  }
  result.answer = std::to_string(count);
  return result;
}

Result<FunctionResult> Put(const FunctionInput& input) {
  ByteReader arguments(input.arguments);
  const std::string_view count_key = arguments.Bytes(), value = arguments.Bytes();
  if (!arguments.ok() || !arguments.done())
    return Error(Code::kInvalidArgument, "counted.put takes the count's key and a value");
  return Counted(count_key, input, {.change = Change::kPut, .value = std::string(value), .expires_ms = 0});
}

Result<FunctionResult> Size(const FunctionInput& input) {
  EBLA_ASSIGN(const uint64_t count, CountAt(input.key, input));
  return FunctionResult{.answer = std::to_string(count)};
}

Result<FunctionResult> Delete(const FunctionInput& input) {
  ByteReader arguments(input.arguments);
  const std::string_view count_key = arguments.Bytes();
  if (!arguments.ok() || !arguments.done())
    return Error(Code::kInvalidArgument, "counted.delete takes the count's key");
  return Counted(count_key, input, {.change = input.record ? Change::kDelete : Change::kNone});
}

}  // namespace

std::string PutArguments(std::string_view count_key, std::string_view value) {
  return ByteWriter().Bytes(count_key).Bytes(value).Take();
}

std::string DeleteArguments(std::string_view count_key) { return ByteWriter().Bytes(count_key).Take(); }

void AddTo(Functions& functions) {
  functions.Add(std::string(kPut), FunctionScope::kGroup, Put);
  functions.Add(std::string(kDelete), FunctionScope::kGroup, Delete);
  functions.Add(std::string(kSize), FunctionScope::kReadGroup, Size);
}

}  // namespace ebla::counted
