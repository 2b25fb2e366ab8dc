#include "gateway/redis/commands/subcommands.h"

#include "gateway/redis/commands/command_table.h"

namespace ebla::gateway::redis {

void AnswerHelp(std::string_view command, std::initializer_list<Subcommand> subcommands, Reply& reply) {
  reply.Array(1 + 2 * (subcommands.size() + 1));
  reply.Simple(std::string(command) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  const auto add = [&reply](const Subcommand& one) { reply.Simple(one.syntax).Simple("    " + std::string(one.does)); };
  for (const Subcommand& one : subcommands) add(one);
  add({"HELP", "Shows this."});
}

std::string UnknownSubcommand(const Words& words) {
  return "ERR unknown subcommand '" + words[1].substr(0, 128) + "'. Try " + ToUpper(words[0]) + " HELP.";
}

std::string WrongNumberForSubcommand(const Words& words) {
  return "ERR " + WrongNumberOfArguments(ToLower(words[0]) + "|" + ToLower(words[1]));
}

std::string UnknownOrWrongNumber(const Words& words) {
  return "ERR unknown subcommand or wrong number of arguments for '" + words[1].substr(0, 128) + "'. Try " +
         ToUpper(words[0]) + " HELP.";
}

std::string WrongWithSubcommand(const Words& words) {
  const CommandInfo* const command = FindCommand(words[0]);
  const bool known = command != nullptr && KnowsSubcommand(*command, words[1]);
  return known ? WrongNumberForSubcommand(words) : UnknownSubcommand(words);
}

}  // namespace ebla::gateway::redis
