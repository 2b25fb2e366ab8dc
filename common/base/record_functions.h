// common/base/record_functions.h
// Functions that tablet servers apply to a record in place, in one step with the rest of a write. A function takes the
// present record, and returns the new one and an answer. A client names the function, and gives it arguments.
// Place:      a server's binary fills one in; tabletserver/tablet/write_evaluator.h calls it.
// Invariants: a function depends on its input alone, takes no longer than some copies of the largest value,
//             and never throws.
//             It may be applied again to another state, if the first application was never answered.
// Errors:     a function's error refuses the write with INVALID_ARGUMENT. The client then runs the function itself,
//             between a read and a conditional write.
// Threads:    any; it is filled in before its first use.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace ebla {

// Limits of one function, and of a batch's functions together. A larger answer is refused, because the log and the
// dedup window keep an answer until its client acknowledges it.
inline constexpr size_t kFunctionAnswerBytesMax = 16 << 10;
inline constexpr size_t kFunctionAnswersBytesMax = 64 << 10;

struct FunctionInput {
  struct Record {
    std::string_view value;
    Version version;
    std::optional<int64_t> expires_ms;  // above now_ms; none: never
  };
  std::string_view arguments;  // as the function understands them
  int64_t now_ms = 0;          // tablet time, in milliseconds since 1970, as all times here
  std::optional<Record> record;
};

struct FunctionResult {
  enum class Change : uint8_t { kNone, kPut, kDelete };
  Change change = Change::kNone;
  std::string value;  // of kPut
  // Expiry of kPut; 0: never. No value: as before, or never if there was no record. A moment that has passed hides the
  // record at once.
  std::optional<int64_t> expires_ms;
  std::string answer;
  bool expires_after = false;  // expires_ms is a duration after now_ms, rather than a moment that a client has named
};

using RecordFunction = std::function<Result<FunctionResult>(const FunctionInput& input)>;

class RecordFunctions {
 public:
  void Add(std::string name, RecordFunction function) {
    functions_.insert_or_assign(std::move(name), std::move(function));
  }
  // Null: there is none of that name.
  const RecordFunction* Find(std::string_view name) const {
    const auto found = functions_.find(name);
    return found == functions_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, RecordFunction, std::less<>> functions_;
};

}  // namespace ebla
