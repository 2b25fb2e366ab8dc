#include "tests/sim/runner/hunt.h"

#include <algorithm>
#include <utility>

namespace ebla::sim {

namespace {

bool FailsWithout(RunOptions trial) {
  trial.bug = {};
  bool fails = false;
  uint64_t left = 1;
  RunInProcesses({.jobs = 1,
                  .next = [&]() -> std::optional<RunOptions> {
                    if (left-- == 0) return std::nullopt;
                    return trial;
                  },
                  .done =
                      [&](const RunOptions&, RunReport report) {
                        fails = FoundFault(report);
                        return false;
                      }});
  return fails;
}

}  // namespace

RunOptions TrialOf(const Bug& bug, uint64_t seed, const std::vector<Fault>& faults) {
  return {.seed = seed,
          .bug = bug,
          .faults = faults,
          .splits = bug.of_splits() || bug.of_merges(),
          .merges = bug.of_merges(),
          .memory_loss = bug.of_memory()};
}

std::optional<Catch> Hunt(const Bug& bug, const HuntOptions& options) {
  std::optional<Catch> caught;
  uint64_t seed = options.first_seed;
  RunInProcesses({.jobs = options.jobs,
                  .next = [&]() -> std::optional<RunOptions> {
                    if (seed == options.first_seed + options.seeds) return std::nullopt;
                    return TrialOf(bug, seed++, options.faults);
                  },
                  .done =
                      [&](const RunOptions& run, RunReport report) {
                        if (!FoundFault(report) || FailsWithout(run)) return true;
                        const auto problem = std::ranges::find_if(
                            report.problems, [](const std::string& text) { return !text.starts_with(kProvedNothing); });
                        caught = Catch{run.seed, std::move(*problem)};
                        return false;
                      }});
  return caught;
}

}  // namespace ebla::sim
