// functions/items/item_function.h
// A change of an item as a function of servers (common/base/functions.h).
// Errors:  INTERNAL: the record holds no item.
// Threads: functions.
#pragma once

#include <functional>
#include <optional>

#include "common/base/functions.h"
#include "functions/items/item_step.h"

namespace ebla {

// Applies the step that `decide` returns to the record. The caller fills in the answer.
Result<FunctionResult> ChangeRecord(const FunctionInput& input,
                                    const std::function<ItemStep(std::optional<FoundItem> found)>& decide);

}  // namespace ebla
