// functions/items/item_function.h
// A change of an item as a function of servers (common/base/record_functions.h).
// Errors:  INTERNAL: the record is none of an item.
// Threads: functions.
#pragma once

#include <functional>
#include <optional>

#include "common/base/record_functions.h"
#include "functions/items/item_step.h"

namespace ebla {

// What becomes of the record, as `decide` says of its item; the answer is the caller's to fill in.
Result<FunctionResult> ChangeRecord(const FunctionInput& input,
                                    const std::function<ItemStep(std::optional<FoundItem> found)>& decide);

}  // namespace ebla
