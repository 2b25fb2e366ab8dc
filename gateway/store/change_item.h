// gateway/store/change_item.h
// Changes an item by reading it, deciding, and putting it back if nobody has changed it since: again and again until the
// deadline. For what the servers have no single operation for.
// Invariants: 1. What is decided last is decided on the item as it was when the change took effect.
//             2. After a lost race it waits a random time that grows, so that many who change one key get on.
// Errors:     Those of the store, after which the item is as it was, but for UNKNOWN_OUTCOME; DEADLINE_EXCEEDED when
//             others were faster every time.
// Threads:    `decide` and `done` run on any, one after the other.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/base/executor.h"
#include "functions/items/item_step.h"
#include "gateway/store/store.h"

namespace ebla::gateway {

// None: there is no item.
using DecideItem = std::move_only_function<ItemStep(std::optional<FoundItem>)>;

// `done` gets the version of what was put; none where nothing was. `store` and `executor` outlive it.
void ChangeItem(Store& store, Executor& executor, std::string key, Until until, DecideItem decide,
                Callback<Result<Version>> done);

// `put`: of which nothing is kept.
void PutItem(Store& store, std::string key, ItemStep put, Condition condition, Until until,
             Callback<Result<Version>> done);

// What the store said of a key, as an item. NOT_FOUND is none.
Result<std::optional<FoundItem>> ItemIn(Result<Record> record);

}  // namespace ebla::gateway
