// tools/ebla/cli/help.h
// Help texts for several verbs: an overview by subject that fits one screen, one subject, and everything. Pure.
// Place:   line_parser.h, which shows a single verb itself.
// Threads: functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/ebla/verbs/verbs.h"

namespace ebla::shell {

std::string HelpOverview(const Verbs& verbs);
std::string HelpOfAll(const Verbs& verbs);
std::string HelpOfOptions();
// "records", "tables" and so on, or a group of verbs, as "table"; empty: there is no such subject.
std::string HelpOfSubject(const Verbs& verbs, std::string_view subject);
std::vector<std::string> Subjects();
// Breaks lines that are longer than 80 columns; the description of an option continues below itself.
std::string Wrapped(const std::string& text);
// Breaks commands, one a line, with a backslash, so that each can be pasted.
std::string WrappedCommands(const std::string& commands);

}  // namespace ebla::shell
