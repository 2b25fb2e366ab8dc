// gateway/store/items.h
// Items (functions/items/item_codec.h) in the records of a store.
// Threads: as the store's.
#pragma once

#include <optional>
#include <string>

#include "functions/items/item_step.h"
#include "gateway/store/store.h"

namespace ebla::gateway {

// The item in a record that was read; none after NOT_FOUND.
Result<std::optional<FoundItem>> ItemIn(Result<Record> record);

// Puts the item of a step of kPut, whose lifetime is not kKept.
void PutItem(Store& store, std::string key, ItemStep put, Condition condition, Until until,
             Callback<Result<Version>> done);

}  // namespace ebla::gateway
