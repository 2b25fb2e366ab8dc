#include "gateway/redis/stored_value.h"

#include <algorithm>

namespace ebla::gateway::redis {

std::chrono::milliseconds TtlUntil(int64_t expires_ms, const Store& store) {
  return std::chrono::milliseconds(std::clamp<int64_t>(expires_ms - store.NowMs(), 1, kItemLifeMsMax));
}

void PutValue(Store& store, const std::string& key, Value put, Condition condition, Until until,
              Callback<Result<Version>> done) {
  const std::chrono::milliseconds ttl =
      put.expires_ms ? TtlUntil(*put.expires_ms, store) : std::chrono::milliseconds(0);
  store.Put(key, EncodeItem({.value = std::move(put.bytes)}), ttl, condition, until, std::move(done));
}

}  // namespace ebla::gateway::redis
