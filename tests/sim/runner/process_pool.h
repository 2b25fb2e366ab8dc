// tests/sim/runner/process_pool.h
// Runs in processes of their own, several at a time: a run that a broken invariant ends (a CHECK) is reported like any
// other, a planted bug dies with its process, and all cores work.
// Threads: one; to be called while the process has no other.
#pragma once

#include <functional>
#include <optional>

#include "tests/sim/runner/run.h"

namespace ebla::sim {

struct Pool {
  int jobs = 1;  // at once
  // The next run; none: all have been begun.
  std::function<std::optional<RunOptions>()> next;
  // In the order in which they were begun. The report has no log. False: begin no more, forget those under way.
  std::function<bool(const RunOptions&, RunReport)> done;
};

void RunInProcesses(const Pool& pool);

}  // namespace ebla::sim
