// gateway/redis/commands/subcommands.h
// Commands with subcommands, such as CLIENT LIST: their HELP, and their errors in Redis's words. `words` has at least
// the command and its subcommand.
// Threads: functions of their arguments.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "gateway/redis/wire/names.h"

namespace ebla::gateway::redis {

struct Subcommand {
  std::string_view syntax;
  std::string_view does;  // a sentence
};

void AnswerHelp(std::string_view command, std::initializer_list<Subcommand> subcommands, Reply& reply);

std::string UnknownSubcommand(const Words& words);
std::string WrongNumberForSubcommand(const Words& words);
// For commands whose error does not tell which of the two is wrong.
std::string UnknownOrWrongNumber(const Words& words);
// The first or the second, by whether the command has the subcommand.
std::string WrongWithSubcommand(const Words& words);

}  // namespace ebla::gateway::redis
