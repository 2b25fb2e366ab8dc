// common/process/flags.h
// Reads the command line and the flag files that it names.
// Place:   InitProcess.
// Errors:  the first fault ends the process with kUsageError and one line on stderr, before anything is made or
//          changed.
// Threads: main's, before there are others.
#pragma once

#include <string>

namespace ebla::process {

struct ProcessOptions;

// How a process ends where what it was told cannot be: repeating it does not help.
inline constexpr int kUsageError = 2;

// Sets the flags, and answers --help and --version.
void ParseFlags(const ProcessOptions& options, int argc, char** argv);

}  // namespace ebla::process
