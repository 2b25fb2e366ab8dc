#include "gateway/redis/stored_value.h"

#include <algorithm>

namespace ebla::gateway::redis {

Result<Stored> ToStored(Result<Record> record) {
  if (!record && record.error().code() == Code::kNotFound) return Stored();
  if (!record) return Error(std::move(record.error()));
  EBLA_ASSIGN(Item item, DecodeItem(std::move(record->value)));
  Stored stored{.value = Value{.bytes = std::move(item.value), .expires_ms = std::nullopt}, .version = record->version};
  if (record->expires) stored.value->expires_ms = item.expires_ms.value_or(record->expires->time_since_epoch().count());
  return stored;
}

void PutValue(Store& store, const std::string& key, const Value& put, const std::optional<Value>& old,
              Condition condition, Until until, Callback<Result<Version>> done) {
  Item item{.value = put.bytes};
  // A time that stays is remembered as it is: what is left of it, by another clock, is a little more or less each time.
  if (put.expires_ms && old && old->expires_ms == put.expires_ms) item.expires_ms = put.expires_ms;
  std::chrono::milliseconds ttl{0};
  if (put.expires_ms) {
    constexpr int64_t kLongest = int64_t{10} * 365 * 24 * 3600 * 1000;  // of servers
    ttl = std::chrono::milliseconds(std::clamp<int64_t>(*put.expires_ms - store.NowMs(), 1, kLongest));
    if (ttl.count() == kLongest) item.expires_ms = put.expires_ms;
  }
  store.Put(key, EncodeItem(std::move(item)), ttl, condition, until, std::move(done));
}

}  // namespace ebla::gateway::redis
