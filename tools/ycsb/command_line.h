// tools/ycsb/command_line.h
// YCSB's command line, whose long options begin with one dash:
//   ebla-ycsb load|run [-P file]... [-p name=value]... [-threads N] [-target OPS] [-s] [-l label]
// Place:   main.cc. (CLI11, which the other tools use, knows no long option with one dash.)
// Errors:  INVALID_ARGUMENT naming the argument and what would be right.
// Threads: free functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "tools/ycsb/properties.h"

namespace ebla::ycsb {

struct CommandLine {
  enum class Action { kLoad, kRun, kHelp, kVersion };
  Action action = Action::kHelp;
  Properties properties;
};

// `arguments` without the program's name. Files are read as they are met.
Result<CommandLine> ParseCommandLine(std::span<const std::string_view> arguments);

extern const char kUsage[];

}  // namespace ebla::ycsb
