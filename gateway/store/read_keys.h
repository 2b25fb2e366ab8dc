// gateway/store/read_keys.h
// Reads many keys, some at a time, because each value may be large.
// Threads: any; the callbacks run on any, never at once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gateway/store/store.h"

namespace ebla::gateway {

// Gets the record of each key, in the order of the keys. False: reads and shows no more.
using TakeRecord = std::move_only_function<bool(const std::string& key, Result<Record> record)>;

// `done` is called last, and once. `store` outlives the reads.
void ReadKeys(Store& store, std::vector<std::string> keys, Freshness freshness, Until until, TakeRecord take,
              std::move_only_function<void()> done);

}  // namespace ebla::gateway
