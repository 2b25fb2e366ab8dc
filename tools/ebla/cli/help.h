// tools/ebla/cli/help.h
// What help shows of several verbs: an overview by subject that fits one screen, one subject, and everything. Pure.
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
// "records", "tables" and so on, or a group of verbs, as "table"; empty: there is no such subject.
std::string HelpOfSubject(const Verbs& verbs, std::string_view subject);
std::vector<std::string> Subjects();
// Breaks lines that are longer than a screen is wide; what describes an option goes on below itself.
std::string Wrapped(const std::string& text);

}  // namespace ebla::shell
