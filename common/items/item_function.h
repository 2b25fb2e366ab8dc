// common/items/item_function.h
// A change of an item as a function of servers (common/base/record_functions.h).
// Errors:  INTERNAL: the record is none of an item; INVALID_ARGUMENT: no clock says such a time.
// Threads: functions.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "common/base/record_functions.h"
#include "common/items/item_step.h"

namespace ebla {

// What becomes of the record, as `decide` says of its item; the answer is the caller's to fill in. `now_ms` is the clock of
// whoever asks, in milliseconds since 1970: an item's end is told, and meant, by it.
Result<FunctionResult> ChangeRecord(const FunctionInput& input, int64_t now_ms,
                                    const std::function<ItemStep(std::optional<FoundItem> found)>& decide);

}  // namespace ebla
