// COMMAND.
#include <algorithm>
#include <ranges>
#include <utility>

#include "functions/redis/bits/bit_commands.h"
#include "gateway/redis/commands/command_table.h"
#include "gateway/redis/commands/subcommands.h"
#include "gateway/redis/wire/glob.h"

namespace ebla::gateway::redis {
namespace {

void DescribeNamed(const Words& words, Reply& reply) {
  reply.Array(words.size() - 2);
  for (size_t at = 2; at < words.size(); ++at) {
    const CommandInfo* const command = FindCommand(words[at]);
    command == nullptr ? void(reply.Null()) : Describe(*command, reply);
  }
}

void DescribeAll(Reply& reply) {
  reply.Array(AllCommands().size());
  for (const CommandInfo& command : AllCommands()) Describe(command, reply);
}

// Without a text of each: its name and group alone.
void Docs(const Words& words, Reply& reply) {
  std::vector<const CommandInfo*> wanted;
  for (const CommandInfo& command : AllCommands()) {
    const bool named = words.size() == 2 || std::any_of(words.begin() + 2, words.end(), [&](const std::string& word) {
                         return ToLower(word) == command.name;
                       });
    if (named) wanted.push_back(&command);
  }
  reply.Map(wanted.size());
  for (const CommandInfo* const command : wanted) {
    reply.Bulk(command->name).Map(2).Bulk("summary").Bulk("").Bulk("group");
    reply.Bulk(command->groups.empty() ? "server" : command->groups.substr(0, command->groups.find(',')));
  }
}

// The use of keys in the words of Redis's key specifications, where the flags do not tell it.
struct KeyUse {
  std::string_view command, first, others = first;  // keys
};
constexpr std::string_view kReads = "RO access", kChanges = "RW access update", kLooks = "RO", kSets = "OW update",
                           kTouches = "RW update", kAdds = "OW insert", kRemoves = "RM delete",
                           kTakes = "RW access delete";
constexpr KeyUse kKeyUses[] = {{"append", "RW insert"},
                               {"bitop", kSets, kReads},
                               {"copy", kReads, kSets},
                               {"del", kRemoves},
                               {"exists", kLooks},
                               {"expire", kTouches},
                               {"expireat", kTouches},
                               {"getdel", kTakes},
                               {"mset", kSets},
                               {"msetnx", kAdds},
                               {"object", kLooks},
                               {"persist", kTouches},
                               {"pexpire", kTouches},
                               {"pexpireat", kTouches},
                               {"psetex", kSets},
                               {"rename", kTakes, kSets},
                               {"renamenx", kTakes, kAdds},
                               {"restore", kSets},
                               {"set", kSets},
                               {"setex", kSets},
                               {"setnx", kAdds},
                               {"setrange", kTouches},
                               {"strlen", kLooks},
                               {"touch", kLooks},
                               {"type", kLooks},
                               {"unlink", kRemoves},
                               {"watch", kLooks}};

KeyUse UseOfKeys(const CommandInfo& command, const Words& words) {
  const auto is_get = [](const std::string& word) { return IsWord(word, "GET"); };
  if (command.name == "set" && std::any_of(words.begin() + 3, words.end(), is_get)) return {command.name, kChanges};
  if (command.name == "bitfield" && OnlyReads(words)) return {command.name, kReads};
  const auto found = std::ranges::find(kKeyUses, command.name, &KeyUse::command);
  return found != std::end(kKeyUses) ? *found : KeyUse{command.name, command.Is(kReadOnly) ? kReads : kChanges};
}

void ShowFlags(std::string_view flags, Reply& reply) {
  reply.Set(1 + static_cast<size_t>(std::ranges::count(flags, ' ')));
  for (const auto flag : std::views::split(flags, ' ')) reply.Simple(std::string_view(flag));
}

// Some subcommands have keys, and others of the same command have none.
bool HasKeys(const CommandInfo& command, const Words& words) {
  if (SubcommandsOf(command).empty()) return command.HasKeys();
  return command.HasKeys() && (IsWord(words[1], "USAGE") || (command.name == "object" && !IsWord(words[1], "HELP")));
}

void GetKeys(const Words& words, Reply& reply, bool with_flags) {
  const Words named(words.begin() + 2, words.end());
  const CommandInfo* const command = FindCommand(named[0]);
  if (command == nullptr || !KnowsSubcommand(*command, named[1]))
    return void(reply.Failure("ERR Invalid command specified"));
  if (!HasKeys(*command, named)) return void(reply.Failure("ERR The command has no key arguments"));
  if (!command->Takes(named.size()) || (command->name == "object" && named.size() != 3) ||
      std::cmp_greater_equal(command->first_key, named.size()))
    return void(reply.Failure("ERR Invalid number of arguments specified for command"));
  const KeyViews keys = KeysOf(*command, named);
  reply.Array(keys.size());
  if (!with_flags) {
    for (const std::string_view key : keys) reply.Bulk(key);
    return;
  }
  const KeyUse use = UseOfKeys(*command, named);
  for (size_t at = 0; at < keys.size(); ++at) {
    reply.Array(2).Bulk(keys[at]);
    ShowFlags(at == 0 ? use.first : use.others, reply);
  }
}

bool IsOf(const CommandInfo& command, const std::string& category) {
  const std::vector<std::string> categories = CategoriesOf(command);
  return std::ranges::find(categories, "@" + category) != categories.end();
}

void ListNames(const Words& words, Reply& reply) {
  const bool filters = words.size() == 5 && IsWord(words[2], "FILTERBY");
  const bool by_pattern = filters && IsWord(words[3], "PATTERN"), by_category = filters && IsWord(words[3], "ACLCAT"),
             by_module = filters && IsWord(words[3], "MODULE");  // there are none
  if (words.size() != 2 && !by_pattern && !by_category && !by_module) return void(reply.Failure(kSyntax));
  if (by_pattern && words[4].size() > kPatternBytesMax) return void(reply.Failure(kPatternTooLong));
  std::vector<std::string> names;
  for (const CommandInfo& command : AllCommands()) {
    if (by_module || (by_category && !IsOf(command, ToLower(words[4])))) continue;
    names.emplace_back(command.name);
    for (const std::string_view subcommand : SubcommandsOf(command))
      names.push_back(std::string(command.name) + "|" + std::string(subcommand));
  }
  if (by_pattern)
    std::erase_if(names, [pattern = ToLower(words[4])](const std::string& name) { return !Matches(pattern, name); });
  reply.Array(names.size());
  for (const std::string& name : names) reply.Bulk(name);
}

}  // namespace

void DescribeCommands(const Words& words, Reply& reply) {
  if (words.size() == 1) return DescribeAll(reply);
  const std::string what = ToUpper(words[1]);
  if (what == "COUNT" && words.size() == 2) {
    reply.Number(static_cast<int64_t>(AllCommands().size()));
  } else if (what == "INFO") {
    words.size() == 2 ? DescribeAll(reply) : DescribeNamed(words, reply);
  } else if (what == "DOCS") {
    Docs(words, reply);
  } else if (what == "LIST") {
    ListNames(words, reply);
  } else if ((what == "GETKEYS" || what == "GETKEYSANDFLAGS") && words.size() > 3) {
    GetKeys(words, reply, what == "GETKEYSANDFLAGS");
  } else if (what == "HELP" && words.size() == 2) {
    AnswerHelp("COMMAND",
               {{"(no subcommand)", "Describes all commands."},
                {"COUNT", "Shows how many there are."},
                {"DOCS [<command> ...]", "Describes commands for people."},
                {"GETKEYS <command> [<arg> ...]", "Shows which words of a command are keys."},
                {"GETKEYSANDFLAGS <command> [<arg> ...]", "The same, with what is done to each."},
                {"INFO [<command> ...]", "Describes these commands, or all."},
                {"LIST [FILTERBY (MODULE <name> | ACLCAT <category> | PATTERN <pattern>)]", "Shows their names."}},
               reply);
  } else {
    reply.Failure(WrongWithSubcommand(words));
  }
}

}  // namespace ebla::gateway::redis
