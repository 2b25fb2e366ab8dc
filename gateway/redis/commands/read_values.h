// gateway/redis/commands/read_values.h
// Reads the values of several keys, for commands that take more than one.
// Errors:  if a key cannot be read, or the values exceed 64 MiB together, the call ends with an error and `done` is not
//          called.
// Threads: any, as store_commands.h says.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/redis/commands/store_commands.h"

namespace ebla::gateway::redis {

using SharedCall = std::shared_ptr<StoreCall>;
using Values = std::vector<std::optional<Value>>;

// The words that are keys.
std::vector<std::string> KeyWords(const StoreCall& call);
// How often each key is named.
std::unordered_map<std::string, size_t> CountOf(const std::vector<std::string>& keys);

// `visit` gets the value of each distinct key once. False: the values are too large.
using Visit = std::move_only_function<bool(const std::string& key, std::optional<Value> value)>;
void VisitKeys(SharedCall call, std::vector<std::string> keys, Freshness freshness, Visit visit,
               std::move_only_function<void()> done);

// A delete that requires the key has not found it.
inline bool WasAbsent(const Status& status) {
  return status.code() == Code::kConditionFailed || status.code() == Code::kNotFound;
}

// All values, in the order of the keys. A key that is named twice has its value twice.
void ReadAll(SharedCall call, const std::vector<std::string>& keys, Freshness freshness,
             std::move_only_function<void(Values)> done);

}  // namespace ebla::gateway::redis
