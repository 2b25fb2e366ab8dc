// tools/cluster/child_process.h
// Starts programs that outlive their parent, and finds, signals and awaits them later, also from another process. A
// process is named by its pid and its start time, so that a recycled pid is never mistaken for it.
// Place:   launcher.h keeps ProcessIds in the cluster's state file.
// Errors:  INTERNAL with the system's reason; NOT_FOUND for a process that no longer exists.
// Threads: free functions without state; Spawn() may be called in a process with threads.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace ebla::cluster {

struct ProcessId {
  pid_t pid = 0;             // 0: none
  uint64_t start_ticks = 0;  // when it started, in clock ticks since the machine did (proc(5), stat, field 22)
  std::string boot_id;       // of the machine's present run: after a reboot everything is another

  explicit operator bool() const { return pid > 0; }
  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

struct SpawnOptions {
  std::vector<std::string> command;  // program (a path) and its arguments
  std::string working_dir;
  std::string output_file;       // stdout and stderr are appended to it
  bool die_with_parent = false;  // SIGKILL when the thread that called Spawn() ends, for tests
};

// Starts the program in a session of its own, with default signals, nothing on stdin and no other file open.
// A program that cannot be executed is an error here.
Result<ProcessId> Spawn(const SpawnOptions& options);

// Alive and not a zombie. Reaps it when it is a dead child of this process.
bool IsAlive(const ProcessId& id);
// NOT_FOUND when it is gone.
Status Signal(const ProcessId& id, int signal);
// Waits until it is gone; false when it still lives after `timeout`.
bool WaitForExit(const ProcessId& id, std::chrono::milliseconds timeout);
// Waits for a child of this process to end and returns its exit code, or 128 + the signal. DEADLINE_EXCEEDED when it
// still lives after `timeout`, NOT_FOUND when it is no child, or was reaped already.
Result<int> ExitCode(const ProcessId& id, std::chrono::milliseconds timeout);
// How long it has been running; zero when it is gone.
std::chrono::seconds Uptime(const ProcessId& id);

}  // namespace ebla::cluster
