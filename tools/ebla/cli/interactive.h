// tools/ebla/cli/interactive.h
// The shell at a terminal: it names its cluster, and has a prompt with history (~/.ebla_history; "history" shows it)
// and completion. Ctrl-C drops the line being typed, or stops the scan, load or dump that runs. Ctrl-D, exit or quit
// leaves. Dangerous verbs ask first.
// Threads: one per process, because readline has only one state.
#pragma once

#include "tools/ebla/cli/shell.h"

namespace ebla::shell {

// Returns the exit code of the last command.
int RunInteractive(Shell& shell);

// Ctrl-C interrupts `shell` (a long verb stops at its next record); pressed again while it has not, it ends the
// process.
void CatchInterrupts(Shell& shell);

}  // namespace ebla::shell
