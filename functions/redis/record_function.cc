#include "functions/redis/record_function.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "common/base/encoding.h"
#include "functions/items/item_function.h"
#include "functions/redis/bits/bit_commands.h"
#include "functions/redis/keys/dump_commands.h"
#include "functions/redis/keys/expiry_commands.h"
#include "functions/redis/strings/string_commands.h"

namespace ebla::redis {
namespace {

constexpr size_t kNameBytesMax = 16;
constexpr size_t kWordsMax = 1'000;

// The commands that must know a value in order to change it.
constexpr CommandFunction kFunctions[] = {
    {"append", 3, Append},     {"bitfield", -2, BitField}, {"decr", 2, Increment},
    {"decrby", 3, Increment},  {"expire", -3, Expire},     {"expireat", -3, Expire},
    {"getdel", 2, GetDel},     {"getex", -2, GetEx},       {"getset", 3, GetSet},
    {"incr", 2, Increment},    {"incrby", 3, Increment},   {"incrbyfloat", 3, IncrementByFloat},
    {"persist", 2, Persist},   {"pexpire", -3, Expire},    {"pexpireat", -3, Expire},
    {"set", -3, Set},          {"setbit", 4, SetBit},      {"setnx", 3, SetNx},
    {"setrange", 4, SetRange}, {"restore", -4, Restore},
};

Error Malformed() { return Error(Code::kInvalidArgument, "the arguments of \"redis\" are no command of Redis"); }

struct Command {
  int protocol = 2;
  Words words;
  UpdateFunction update = nullptr;
};

Result<Command> DecodeCommand(std::string_view arguments) {
  ByteReader in(arguments);
  Command command;
  const uint64_t protocol = in.Varint();
  while (in.ok() && !in.done() && command.words.size() <= kWordsMax) command.words.emplace_back(in.Bytes());
  if (!in.ok() || !in.done() || protocol < 2 || protocol > 3 || command.words.empty()) return Malformed();
  if (command.words.front().size() > kNameBytesMax) return Malformed();
  const CommandFunction* const function = FunctionOf(ToLower(command.words.front()));
  if (function == nullptr || !function->Takes(command.words.size())) return Malformed();
  command.protocol = static_cast<int>(protocol);
  command.update = function->update;
  return command;
}

}  // namespace

const CommandFunction* FunctionOf(std::string_view name) {
  const auto* const found = std::ranges::find(kFunctions, name, &CommandFunction::name);
  return found == std::end(kFunctions) ? nullptr : found;
}

std::string EncodeCommand(int protocol, const Words& words) {
  size_t bytes = 10;
  for (const std::string& word : words) bytes += word.size() + 10;
  ByteWriter out;
  out.Reserve(bytes);
  out.Varint(static_cast<uint64_t>(protocol));
  for (size_t i = 0; i < words.size(); ++i) out.Bytes(i == 1 ? std::string_view() : std::string_view(words[i]));
  return out.Take();
}

Result<FunctionResult> ApplyCommand(const FunctionInput& input) {
  EBLA_ASSIGN(const Command command, DecodeCommand(input.arguments));
  return ExecuteCommand(command.update, command.words, command.protocol, input, /*others_wait=*/true);
}

Result<FunctionResult> ExecuteCommand(UpdateFunction command, const Words& words, int protocol,
                                      const FunctionInput& input, bool others_wait) {
  std::string answer;
  bool declined = false;
  EBLA_ASSIGN(FunctionResult result, ChangeRecord(input, [&](std::optional<FoundItem> found) {
                const std::optional<Value> old = ToValue(std::move(found));
                Update update(words, old, input.now_ms, protocol);
                update.others_wait = others_wait;
                command(update);
                declined = update.declined;
                answer = update.reply.Take();
                return update.TakeStep();
              }));
  if (declined) return Error(Code::kInvalidArgument, "the command takes too long for a server: read and write instead");
  result.answer = std::move(answer);
  return result;
}

}  // namespace ebla::redis
