// tests/sim/runner/process_pool.h
// Executes runs in processes of their own, several at a time. So a run that a failed CHECK ends is reported like any
// other, a planted bug ends with its process, and all cores work.
// Threads: one; to be called while the process has no other thread.
#pragma once

#include <functional>
#include <optional>

#include "tests/sim/runner/run.h"

namespace ebla::sim {

struct Pool {
  int jobs = 1;  // at once
  // Returns the next run. None: all runs have been started.
  std::function<std::optional<RunOptions>()> next;
  // Gets the reports, without their logs, in the order in which the runs were started. False: start no more runs, and
  // forget those under way.
  std::function<bool(const RunOptions&, RunReport)> done;
};

void RunInProcesses(const Pool& pool);

}  // namespace ebla::sim
