// functions/redis/record_function.h
// Redis's commands of one key as a function of servers (common/base/functions.h), so that a command that must
// know the value takes one round trip. Its name is "redis". Its arguments, in the encoding of common/base/encoding.h:
//
//   varint  protocol of the reply: 2 or 3
//   bytes   each of the command's words, but for the key, which is empty
//
// Its answer is the reply, as the gateway sends it to the client.
// Errors:  INVALID_ARGUMENT: no such command, or malformed arguments. INTERNAL: the record holds no item
//          (functions/items/item_codec.h).
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/functions.h"
#include "functions/redis/command/update.h"

namespace ebla::redis {

inline constexpr std::string_view kFunctionName = "redis";

struct CommandFunction {
  std::string_view name;  // in lower case
  int arity;              // words, its name among them; negative: so many at least
  UpdateFunction update;

  bool Takes(size_t words) const {
    return arity < 0 ? words >= static_cast<size_t>(-arity) : words == static_cast<size_t>(arity);
  }
};

// Null: ApplyCommand has no command of that name.
const CommandFunction* FunctionOf(std::string_view name);
std::string EncodeCommand(int protocol, const Words& words);
Result<FunctionResult> ApplyCommand(const FunctionInput& input);

// The same for a caller that has the command and its words. `others_wait` is that of Update.
Result<FunctionResult> ExecuteCommand(UpdateFunction command, const Words& words, int protocol,
                                      const FunctionInput& input, bool others_wait);

}  // namespace ebla::redis
