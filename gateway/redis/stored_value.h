// A value of Redis as a record, and back.
// Threads: functions.
#pragma once

#include <optional>
#include <string>

#include "gateway/redis/update.h"
#include "gateway/store/item_codec.h"
#include "gateway/store/store.h"

namespace ebla::gateway::redis {

struct Stored {
  std::optional<Value> value;  // none: there is no such key
  Version version;             // of it
};

// NOT_FOUND is no error.
Result<Stored> ToStored(Result<Record> record);

// Puts what an update makes of what was there.
void PutValue(Store& store, const std::string& key, const Value& put, const std::optional<Value>& old,
              Condition condition, Until until, Callback<Result<Version>> done);

}  // namespace ebla::gateway::redis
