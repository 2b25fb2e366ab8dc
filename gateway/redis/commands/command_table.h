// gateway/redis/commands/command_table.h
// The commands: how many words each takes, which of them are keys, and what COMMAND tells of it. The table also names
// the commands of Redis 7.0 that are not served, so that their error can tell.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/redis/wire/names.h"
#include "gateway/server/protocol.h"

namespace ebla::gateway::redis {

// The flags of COMMAND.
enum Flag : uint32_t {
  kWrite = 1 << 0,
  kReadOnly = 1 << 1,
  kFast = 1 << 2,
  kDenyOom = 1 << 3,
  kAdmin = 1 << 4,
  kNoScript = 1 << 5,
  kLoading = 1 << 6,
  kStale = 1 << 7,
  kNoAuth = 1 << 8,  // also before a login
  kPubSub = 1 << 11,
  kSkipMonitor = 1 << 16,
  kNoMandatoryKeys = 1 << 17,
  kMovableKeys = 1 << 18,
  // Not named by COMMAND:
  kTogether = 1 << 9,  // several keys of one group change together
  kAlone = 1 << 10,    // changes the meaning of its connection's later commands, so they wait for it
  kOwn = 1 << 12,      // the connection answers it without a store
  kFetches = 1 << 13,  // answers with values, or null if there is none
};

struct StoreCall;
using KeyCommand = void (*)(std::shared_ptr<StoreCall> call);

// How RunStoreCommand (store_commands.h) runs a command: by the update of its one key, or by a function of its own.
// Neither: its connection answers it.
struct Runner {
  constexpr Runner() = default;
  constexpr Runner(UpdateFunction of_one_key) : update(of_one_key) {}
  constexpr Runner(KeyCommand by_itself) : run(by_itself) {}

  UpdateFunction update = nullptr;
  KeyCommand run = nullptr;
};

struct CommandInfo {
  std::string_view name;  // in lower case
  int arity;              // words, its name among them; negative: so many at least
  uint32_t flags;
  int first_key = 0, last_key = 0, key_step = 0;  // by word; a negative last one counts from the end; 0: none
  std::string_view groups;                        // ACL categories beside those that follow from the flags
  Runner runner;
  int key_count = 0;  // the word that holds the number of keys behind it; 0: none does

  bool HasKeys() const { return first_key != 0 || key_count != 0; }
  bool Is(Flag flag) const { return (flags & flag) != 0; }
  bool Takes(size_t words) const {
    return arity < 0 ? words >= static_cast<size_t>(-arity) : words == static_cast<size_t>(arity);
  }
};

// By a name of any case; null: there is none.
const CommandInfo* FindCommand(std::string_view name);
std::span<const CommandInfo> AllCommands();  // all_commands.cc lists them
// Empty: the command has no subcommands, or accepts any.
const std::set<std::string_view>& SubcommandsOf(const CommandInfo& command);
// The ACL categories of a command, each behind an @.
std::vector<std::string> CategoriesOf(const CommandInfo& command);
// Whether the command has a subcommand of that name, or none at all.
bool KnowsSubcommand(const CommandInfo& command, std::string_view name);
// The commands of Redis 7.0 that are not served, in lower case.
std::span<const std::string_view> NamesNotServed();
// The error for a command, or for a command and its subcommand as in "client|list"; without "ERR".
std::string WrongNumberOfArguments(std::string_view name);
// The error for a command of Redis 7.0 that is not served, which names an alternative. None: the name is unknown to
// Redis.
std::optional<std::string> WhyNotServed(std::string_view name);

// Whether a word is longer than any value, or in RESTORE, than any dump of a value.
bool HasTooLongWord(const CommandInfo& command, const Words& words);

// The words that are keys, of a command that takes so many words; none if their number is malformed.
KeyViews KeysOf(const CommandInfo& command, const Words& words);
std::vector<std::string> CopiedKeysOf(const CommandInfo& command, const Words& words);

// COMMAND and its subcommands.
void DescribeCommands(const Words& words, Reply& reply);
// The entry of a command in COMMAND INFO.
void Describe(const CommandInfo& command, Reply& reply);

}  // namespace ebla::gateway::redis
