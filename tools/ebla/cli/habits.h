// tools/ebla/cli/habits.h
// Words that people type out of habit from other stores. Some mean a verb of the shell, others have an answer in place
// of a list of verbs. Pure.
// Place:   line_parser.h understands them; help.h shows those that mean a verb.
// Threads: functions.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace ebla::shell {

// By what is typed: "del" means "delete", "ls" means "table list".
const std::map<std::string, std::string, std::less<>>& Aliases();
// "del, rm"; empty: only its own words mean the verb.
std::string AliasesOf(std::string_view verb);
// A sentence on the verb that does the same: "get TABLE KEY answers ..."; empty if no verb does.
std::string_view Equivalent(std::string_view word);

}  // namespace ebla::shell
