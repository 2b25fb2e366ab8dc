// tabletserver/testing/test_functions.h
// Functions of records, for tests: each does one of the things that a function may do.
//   append    puts the arguments behind what is there, which keeps its time; answers with what was there
//   take      deletes; answers with what was there
//   live_for  gives what is there as many milliseconds as the arguments say, 0: for ever; answers with
//             what was left, or "for ever"
//   refuse    refuses
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/base/record_functions.h"

namespace ebla::tabletserver {

inline std::shared_ptr<const RecordFunctions> TestFunctions() {
  using Change = FunctionResult::Change;
  const auto functions = std::make_shared<RecordFunctions>();
  const auto value = [](const FunctionInput& input) {
    return input.record ? std::string(input.record->value) : std::string();
  };
  functions->Add("append", [value](const FunctionInput& input) -> Result<FunctionResult> {
    const std::string old = value(input);
    return FunctionResult{Change::kPut, old + std::string(input.arguments), std::nullopt, old};
  });
  functions->Add("take", [value](const FunctionInput& input) -> Result<FunctionResult> {
    return FunctionResult{input.record ? Change::kDelete : Change::kNone, "", std::nullopt, value(input)};
  });
  functions->Add("live_for", [value](const FunctionInput& input) -> Result<FunctionResult> {
    if (!input.record) return FunctionResult{};
    const auto& expires_ms = input.record->expires_ms;
    const int64_t ms = std::stoll(std::string(input.arguments));
    return FunctionResult{Change::kPut, value(input), ms == 0 ? 0 : input.now_ms + ms,
                          expires_ms ? std::to_string(*expires_ms - input.now_ms) : "for ever"};
  });
  functions->Add("refuse", [](const FunctionInput&) -> Result<FunctionResult> {
    return Error(Code::kInternal, "it does not like it");
  });
  return functions;
}

}  // namespace ebla::tabletserver
