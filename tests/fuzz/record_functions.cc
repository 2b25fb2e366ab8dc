#include <glog/logging.h>

#include <algorithm>
#include <optional>
#include <string>

#include "common/base/key_range.h"
#include "common/base/number_limits.h"
#include "functions/memcached/record_function.h"
#include "functions/redis/record_function.h"
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

constexpr int64_t kNowMs = 1'700'000'000'000;

// How it is to be read, the size of the record, the record, the arguments.
struct Parts {
  explicit Parts(std::string_view bytes) {
    kind = static_cast<unsigned char>(bytes[0]);
    const size_t size = std::min<size_t>(static_cast<unsigned char>(bytes[1]), bytes.size() - 2);
    if (kind % 2 != 0)
      record.emplace(FunctionInput::Record{
          .value = bytes.substr(2, size), .version = {Epoch{3}, Lsn{7}}, .expires_ms = std::nullopt});
    if (record && kind / 2 % 2 != 0) record->expires_ms = kNowMs + 60'000;
    rest = bytes.substr(2 + size);
  }

  unsigned kind;
  std::optional<FunctionInput::Record> record;
  std::string_view rest;
};

void CheckItem(const FunctionResult& result) {
  if (result.change != FunctionResult::Change::kPut) return;
  CHECK(CheckValue(result.value).ok());
  CHECK(DecodeItem(result.value)) << "no item";
  if (result.expires_ms) CHECK(limits::IsWithin(*result.expires_ms, limits::kExpiryMsMax));
}

}  // namespace

void RecordFunctions(std::string_view bytes) {
  if (bytes.size() < 2) return;
  const Parts parts(bytes);
  const std::string encoded = redis::EncodeCommand(parts.kind / 4 % 2 == 0 ? 2 : 3, WordsIn(parts.rest));
  const Result<FunctionResult> result = redis::ApplyCommand(
      {.arguments = parts.kind / 8 % 2 == 0 ? encoded : parts.rest, .now_ms = kNowMs, .record = parts.record});
  if (!result) return;
  const auto length = gateway::redis::ReplyLength(result->answer);
  CHECK(length && *length == result->answer.size()) << "no whole reply: " << result->answer;
  CheckItem(*result);
}

void MemcachedOrders(std::string_view bytes) {
  if (bytes.size() < 2) return;
  const Parts parts(bytes);
  const Result<FunctionResult> result =
      memcached::ApplyOrder({.arguments = parts.rest, .now_ms = kNowMs, .record = parts.record});
  if (!result) return;
  const Result<memcached::Finding> finding = memcached::DecodeFinding(result->answer);
  CHECK(finding) << finding.error();
  CHECK(finding->changed || result->change == FunctionResult::Change::kNone);
  CheckItem(*result);
}

}  // namespace ebla::fuzz
