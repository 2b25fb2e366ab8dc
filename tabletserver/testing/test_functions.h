// tabletserver/testing/test_functions.h
// Functions of records, for tests: each does one of the things that a function may do.
//   append    puts the arguments behind what is there, which keeps its time; answers with what was there
//   take      deletes; answers with what was there
//   live_for  gives what is there as many milliseconds as the arguments say, 0: for ever; answers with
//             what was left, or "for ever"
//   refuse    refuses
// Of groups:
//   count_put  puts the arguments under the key; if nothing was there, raises the number under the group's first key;
//              answers with that number
//   list       answers with the keys of the group, in order, the last one first if the arguments are "reverse"
//   clear      deletes all of the group
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/base/functions.h"

namespace ebla::tabletserver {

inline std::shared_ptr<const Functions> TestFunctions() {
  using Change = FunctionResult::Change;
  const auto functions = std::make_shared<Functions>();
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
  functions->Add("count_put", FunctionScope::kGroup, [](const FunctionInput& input) -> Result<FunctionResult> {
    const std::string& counter = input.rows->group().start;
    EBLA_ASSIGN(const auto counted, input.rows->Get(counter));
    int64_t count = counted ? std::stoll(counted->value) : 0;
    FunctionResult result{.change = Change::kPut, .value = std::string(input.arguments)};
    if (!input.record) result.others.push_back({.key = counter, .value = std::to_string(++count)});
    result.answer = std::to_string(count);
    return result;
  });
  functions->Add("list", FunctionScope::kReadGroup, [](const FunctionInput& input) -> Result<FunctionResult> {
    const RowScan all{.keys = KeyRange::All(), .reverse = input.arguments == "reverse", .keys_only = true};
    EBLA_ASSIGN(const auto rows, input.rows->Scan(all));
    FunctionResult result;
    for (const FunctionRow& row : rows) result.answer += (result.answer.empty() ? "" : " ") + row.key;
    return result;
  });
  functions->Add("clear", FunctionScope::kGroup, [](const FunctionInput& input) -> Result<FunctionResult> {
    EBLA_ASSIGN(const auto rows, input.rows->Scan({.keys = KeyRange::All(), .keys_only = true}));
    FunctionResult result;
    for (const FunctionRow& row : rows) result.others.push_back({.key = row.key, .is_delete = true});
    return result;
  });
  return functions;
}

}  // namespace ebla::tabletserver
