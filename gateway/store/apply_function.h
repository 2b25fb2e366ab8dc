// gateway/store/apply_function.h
// Applies a function to a record (common/base/functions.h). A server applies it in one step, in one round trip.
// If servers refuse, the gateway runs the same function on the record that it reads, and writes the result on the
// condition that the record has not changed since.
// Refused:    by servers of a build without the function; if the arguments exceed a record, or the answer exceeds
//             kFunctionAnswerBytesMax; if the function would block a shard; and by a transaction's view of its keys.
// Invariants: 1. The last run sees the record as it was when its result took effect.
//             2. After a lost race, the next attempt waits for a random time that grows, so that all writers of a key
//                make progress.
// Errors:     those of the store and of the function; the record is then unchanged, except after UNKNOWN_OUTCOME.
//             DEADLINE_EXCEEDED: other writers won every race.
// Threads:    `run` and `done` run on any thread, never at once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/executor.h"
#include "common/base/functions.h"
#include "gateway/store/store.h"

namespace ebla::gateway {

struct FunctionCall {
  std::string_view name;                 // of the function at servers; a constant
  std::optional<std::string> arguments;  // none: no server has the function
  // The same function with the same arguments, so an input without them. May run several times.
  std::move_only_function<Result<FunctionResult>(const FunctionInput& input)> run;
};

// `done` gets the answer, and the version that the change made; after a delete, and without a change, it may be none.
// `store` and `executor` outlive the call.
void ApplyFunction(Store& store, Executor& executor, std::string key, FunctionCall call, Until until,
                   Callback<Result<PartResult>> done);

}  // namespace ebla::gateway
