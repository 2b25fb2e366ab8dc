// gateway/redis/commands/subcommands.h
// Of commands that have subcommands, such as CLIENT LIST: their HELP, and what is wrong with one, in Redis's words.
// `words`: the command and its subcommand at least.
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
// Of one that could not be answered: either of these, by whether the command has it.
// The same, of the commands that say no more than that one of the two is wrong.
std::string UnknownOrWrongNumber(const Words& words);
std::string WrongWithSubcommand(const Words& words);

}  // namespace ebla::gateway::redis
