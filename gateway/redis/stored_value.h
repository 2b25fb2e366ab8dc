// A value of Redis as an item of a cache, and back.
// Threads: functions.
#pragma once

#include <optional>
#include <string>

#include "gateway/redis/wire/names.h"
#include "gateway/store/change_item.h"
#include "gateway/store/store.h"

namespace ebla::gateway::redis {

// From now until then, as the store takes it: 1 ms at least.
std::chrono::milliseconds TtlUntil(int64_t expires_ms, const Store& store);

void PutValue(Store& store, const std::string& key, Value put, Condition condition, Until until,
              Callback<Result<Version>> done);

}  // namespace ebla::gateway::redis
