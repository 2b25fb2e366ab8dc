#include "functions/memcached/record_function.h"

#include <limits>
#include <utility>

#include "common/base/encoding.h"
#include "functions/items/item_function.h"

namespace ebla::memcached {
namespace {

constexpr uint8_t kCas = 1, kNewTtl = 2, kCreatedTtl = 4, kRecacheTtl = 8, kValueWanted = 16,
                  kByNewTtl = 32;                                                                     // of an order
constexpr uint8_t kChanged = 1, kCreated = 2, kWon = 4, kSentBefore = 8, kStale = 16, kExpires = 32;  // of a finding
constexpr auto kVerbMax = static_cast<uint8_t>(ItemOrder::Verb::kInvalidate);
constexpr auto kOutcomeMax = static_cast<uint8_t>(Outcome::kNotANumber);
constexpr int64_t kTimeMin = std::numeric_limits<int32_t>::min(), kTimeMax = std::numeric_limits<int32_t>::max();

uint8_t If(bool is, uint8_t bit) { return is ? bit : 0; }

Result<ItemOrder> DecodeOrder(std::string_view arguments) {
  ByteReader in(arguments);
  ItemOrder order;
  bool sound = true;
  const auto time = [&in, &sound]() -> std::optional<int64_t> {
    const int64_t read = in.SignedVarint();
    sound = sound && read >= kTimeMin && read <= kTimeMax;
    return read;
  };
  const uint8_t verb = in.Byte(), has = in.Byte();
  const uint64_t flags = in.Varint();
  order.delta = in.Varint();
  order.initial = in.Varint();
  order.value = in.Bytes();
  if ((has & kCas) != 0) order.cas = in.Varint();
  if ((has & kNewTtl) != 0) order.new_ttl = time();
  if ((has & kCreatedTtl) != 0) order.created_ttl = time();
  if ((has & kRecacheTtl) != 0) order.recache_ttl = time();
  const bool known = verb <= kVerbMax && has < 2 * kByNewTtl && flags <= std::numeric_limits<uint32_t>::max();
  if (!in.ok() || !in.done() || !sound || !known || order.value.size() > kCacheValueBytesMax)
    return Error(Code::kInvalidArgument, "the arguments of \"memcached\" are no command of Memcached");
  order.verb = static_cast<ItemOrder::Verb>(verb);
  order.flags = static_cast<uint32_t>(flags);
  order.value_wanted = (has & kValueWanted) != 0;
  order.recache_by_new_ttl = (has & kByNewTtl) != 0;
  return order;
}

std::string EncodeFinding(const Finding& finding) {
  ByteWriter out;
  out.Byte(static_cast<uint8_t>(finding.outcome));
  out.Byte(static_cast<uint8_t>(If(finding.changed, kChanged) | If(finding.created, kCreated) | If(finding.won, kWon) |
                                If(finding.sent_before, kSentBefore) | If(finding.stale, kStale) |
                                If(finding.expires_ms.has_value(), kExpires)));
  out.Varint(finding.flags).Varint(finding.size).Varint(finding.number);
  out.Varint(finding.version.epoch.value).Varint(finding.version.lsn.value).Bytes(finding.value);
  if (finding.expires_ms) out.SignedVarint(*finding.expires_ms);
  return out.Take();
}

}  // namespace

std::string EncodeOrder(const ItemOrder& order) {
  ByteWriter out;
  out.Reserve(order.value.size() + 64);
  out.Byte(static_cast<uint8_t>(order.verb));
  out.Byte(static_cast<uint8_t>(If(order.cas.has_value(), kCas) | If(order.new_ttl.has_value(), kNewTtl) |
                                If(order.created_ttl.has_value(), kCreatedTtl) |
                                If(order.recache_ttl.has_value(), kRecacheTtl) | If(order.value_wanted, kValueWanted) |
                                If(order.recache_by_new_ttl, kByNewTtl)));
  out.Varint(order.flags).Varint(order.delta).Varint(order.initial).Bytes(order.value);
  if (order.cas) out.Varint(*order.cas);
  for (const auto& ttl : {order.new_ttl, order.created_ttl, order.recache_ttl}) {
    if (ttl) out.SignedVarint(*ttl);
  }
  return out.Take();
}

Result<FunctionResult> ApplyOrder(const FunctionInput& input) {
  EBLA_ASSIGN(const ItemOrder order, DecodeOrder(input.arguments));
  return ExecuteOrder(order, input);
}

Result<FunctionResult> ExecuteOrder(const ItemOrder& order, const FunctionInput& input) {
  Finding finding;
  EBLA_ASSIGN(FunctionResult result, ChangeRecord(input, [&](std::optional<FoundItem> found) {
                return Decide(order, input.now_ms, std::move(found), finding);
              }));
  result.answer = EncodeFinding(finding);
  return result;
}

Result<Finding> DecodeFinding(std::string_view answer) {
  ByteReader in(answer);
  Finding finding;
  const uint8_t outcome = in.Byte(), has = in.Byte();
  finding.flags = static_cast<uint32_t>(in.Varint());
  finding.size = in.Varint();
  finding.number = in.Varint();
  finding.version.epoch.value = in.Varint();
  finding.version.lsn.value = in.Varint();
  finding.value = in.Bytes();
  if ((has & kExpires) != 0) finding.expires_ms = in.SignedVarint();
  if (!in.ok() || !in.done() || outcome > kOutcomeMax)
    return Error(Code::kInternal, "the answer of the function \"memcached\" is malformed");
  finding.outcome = static_cast<Outcome>(outcome);
  finding.changed = (has & kChanged) != 0;
  finding.created = (has & kCreated) != 0;
  finding.won = (has & kWon) != 0;
  finding.sent_before = (has & kSentBefore) != 0;
  finding.stale = (has & kStale) != 0;
  return finding;
}

}  // namespace ebla::memcached
