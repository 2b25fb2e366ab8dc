#include <glog/logging.h>

#include <algorithm>
#include <optional>
#include <string>

#include "common/base/encoding.h"
#include "common/base/key_range.h"
#include "common/memcached/record_function.h"
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

constexpr int64_t kNowMs = 1'700'000'000'000;

// How it is to be read, the size of the record, the record, the arguments.
struct Parts {
  explicit Parts(std::string_view bytes) {
    kind = static_cast<unsigned char>(bytes[0]);
    const size_t size = std::min<size_t>(static_cast<unsigned char>(bytes[1]), bytes.size() - 2);
    if (kind % 2 != 0)
      record.emplace(FunctionInput::Record{
          .value = bytes.substr(2, size), .version = {Epoch{3}, Lsn{7}}, .left_ms = std::nullopt});
    if (record && kind / 2 % 2 != 0) record->left_ms = 60'000;
    rest = bytes.substr(2 + size);
  }

  unsigned kind;
  std::optional<FunctionInput::Record> record;
  std::string_view rest;
};

void CheckItem(const FunctionResult& result) {
  constexpr int64_t kYearMs = int64_t{366} * 24 * 3600 * 1000;
  if (result.change != FunctionResult::Change::kPut) return;
  CHECK(CheckValue(result.value).ok());
  CHECK(DecodeItem(result.value)) << "no item";
  if (result.ttl_ms) CHECK(*result.ttl_ms >= 0 && *result.ttl_ms <= 10 * kYearMs);
}

}  // namespace

void RecordFunctions(std::string_view bytes) {
  if (bytes.size() < 2) return;
  const Parts parts(bytes);
  const std::string encoded = redis::EncodeCommand(parts.kind / 4 % 2 == 0 ? 2 : 3, kNowMs, WordsIn(parts.rest));
  const Result<FunctionResult> result =
      redis::ApplyCommand({.arguments = parts.kind / 8 % 2 == 0 ? encoded : parts.rest, .record = parts.record});
  if (!result) return;
  const auto length = gateway::redis::ReplyLength(result->answer);
  CHECK(length && *length == result->answer.size()) << "no whole reply: " << result->answer;
  CheckItem(*result);
}

void MemcachedOrders(std::string_view bytes) {
  if (bytes.size() < 2) return;
  const Parts parts(bytes);
  const std::string clock = ByteWriter().SignedVarint(kNowMs).Take() + std::string(parts.rest);
  const Result<FunctionResult> result =
      memcached::ApplyOrder({.arguments = parts.kind / 8 % 2 == 0 ? clock : parts.rest, .record = parts.record});
  if (!result) return;
  const Result<memcached::Finding> finding = memcached::DecodeFinding(result->answer);
  CHECK(finding) << finding.error();
  CHECK_EQ(finding->put, result->change == FunctionResult::Change::kPut);
  CheckItem(*result);
}

}  // namespace ebla::fuzz
