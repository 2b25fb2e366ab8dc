#include <glog/logging.h>

#include <algorithm>
#include <optional>
#include <string>

#include "common/base/key_range.h"
#include "common/redis/record_function.h"
#include "gateway/redis/testing/reply_length.h"
#include "tests/fuzz/targets.h"

namespace ebla::fuzz {
namespace {

// A line for each word.
redis::Words WordsIn(std::string_view bytes) {
  redis::Words words;
  while (!bytes.empty()) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    words.emplace_back(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  return words;
}

}  // namespace

// How it is to be read, the size of the record, the record, the arguments.
void RecordFunctions(std::string_view bytes) {
  constexpr int64_t kNowMs = 1'700'000'000'000, kLeftMs = 60'000, kYearMs = int64_t{366} * 24 * 3600 * 1000;
  if (bytes.size() < 2) return;
  const auto kind = static_cast<unsigned char>(bytes[0]);
  const size_t size = std::min<size_t>(static_cast<unsigned char>(bytes[1]), bytes.size() - 2);
  const std::string_view record = bytes.substr(2, size), rest = bytes.substr(2 + size);
  FunctionInput input;
  if (kind % 2 != 0) input.record.emplace(FunctionInput::Record{.value = record, .left_ms = std::nullopt});
  if (input.record && kind / 2 % 2 != 0) input.record->left_ms = kLeftMs;
  const std::string encoded = redis::EncodeCommand(kind / 4 % 2 == 0 ? 2 : 3, kNowMs, WordsIn(rest));
  input.arguments = kind / 8 % 2 == 0 ? encoded : rest;
  const Result<FunctionResult> result = redis::ApplyCommand(input);
  if (!result) return;
  const auto length = gateway::redis::ReplyLength(result->answer);
  CHECK(length && *length == result->answer.size()) << "no whole reply: " << result->answer;
  if (result->change != FunctionResult::Change::kPut) return;
  CHECK(CheckValue(result->value).ok());
  CHECK(DecodeItem(result->value)) << "no item";
  if (result->ttl_ms) CHECK(*result->ttl_ms >= 0 && *result->ttl_ms <= 10 * kYearMs);
}

}  // namespace ebla::fuzz
