// tests/sim/main.cc: ebla-sim. Runs simulated clusters, one per seed, on all cores. --seed replays a seed that failed.
// --hunt searches for seeds that catch planted bugs.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "tests/sim/runner/hunt.h"
#include "tests/sim/runner/pins.h"
#include "tests/sim/runner/process_pool.h"
#include "tests/sim/runner/run.h"

DEFINE_uint64(seeds, 50, "How many seeds to run.");
DEFINE_uint64(first_seed, 1, "The first seed to run.");
DEFINE_uint64(seed, 0, "Run this seed alone, and print its event log.");
DEFINE_string(bug, "none", "Plant this bug. --bug list names all bugs.");
DEFINE_bool(hunt, false, "Search for seeds that catch --bug, or each of all bugs.");
DEFINE_uint64(hunt_seeds, 500, "How many seeds --hunt tries for each bug.");
DEFINE_string(
    pins, "",
    "With --hunt: verify each \"bug seed [faults]\" of this file, hunt anew for bugs whose seed misses, and write "
    "the seeds found into the file.");
DEFINE_int32(jobs, 0, "How many runs at a time. 0: one per core.");
DEFINE_int32(fault_seconds, 25, "How much virtual time of a run has faults.");
DEFINE_string(faults, "", "Inject only these faults: names, separated by commas.");
DEFINE_bool(splits, false, "Split tablets, too.");
DEFINE_bool(merges, false, "Split and merge tablets, too.");
DEFINE_bool(memory, false, "The clients' table is in memory alone, and no two servers forget it at a time.");
DEFINE_bool(memory_loss, false, "The same, but servers may forget it at any time. What no majority had is not judged.");
DEFINE_bool(keep_going, false, "Run all seeds, even after one fails.");
DEFINE_bool(quiet, false, "Print no line for a good seed.");

namespace ebla::sim {
namespace {

// With at least this many seeds, each kind of fault, operation and change must have happened.
constexpr uint64_t kSeedsForEveryKind = 40;

int Jobs() { return FLAGS_jobs > 0 ? FLAGS_jobs : static_cast<int>(std::max(1U, std::thread::hardware_concurrency())); }

std::vector<Fault> OnlyFaults() { return FaultsNamed(FLAGS_faults); }

RunOptions OptionsOf(uint64_t seed, const Bug& bug) {
  return {.seed = seed,
          .bug = bug,
          .faults_for = std::chrono::seconds(FLAGS_fault_seconds),
          .faults = OnlyFaults(),
          .splits = FLAGS_splits || FLAGS_merges || bug.of_splits() || bug.of_merges(),
          .merges = FLAGS_merges || bug.of_merges(),
          .memory = FLAGS_memory,
          .memory_loss = FLAGS_memory_loss || bug.of_memory()};
}

void Print(const RunOptions& options, const RunReport& report) {
  if (!FLAGS_quiet || !report.problems.empty()) {
    std::printf("seed %llu: %s: %s\n", static_cast<unsigned long long>(options.seed),
                report.problems.empty() ? "good" : "FAILED", report.summary.c_str());
  }
  for (const std::string& problem : report.problems) std::printf("  %s\n", problem.c_str());
  if (!report.problems.empty()) {
    std::printf("  replay: ebla-sim --seed %llu --fault_seconds %d --bug %s%s%s\n",
                static_cast<unsigned long long>(options.seed), FLAGS_fault_seconds,
                std::string(options.bug.name()).c_str(),
                options.merges   ? " --merges"
                : options.splits ? " --splits"
                                 : "",
                options.memory        ? " --memory"
                : options.memory_loss ? " --memory_loss"
                                      : "");
  }
  std::fflush(stdout);
}

int Replay(const Bug& bug) {
  RunOptions options = OptionsOf(FLAGS_seed, bug);
  options.sink = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
  const RunReport report = RunOnce(options);
  Print(options, report);
  return report.problems.empty() ? 0 : 1;
}

// Prints how often each kind happened in all runs together. False: a kind never happened, or too little happened.
bool PrintKinds(const std::map<std::string, uint64_t>& kinds, uint64_t runs) {
  bool enough = true;
  const bool judged = runs >= kSeedsForEveryKind && FLAGS_faults.empty() && !FLAGS_memory && !FLAGS_memory_loss;
  std::printf("in %llu runs:\n", static_cast<unsigned long long>(runs));
  for (const auto& [kind, count] : kinds) {
    std::printf("  %-28s %10llu %12.2f each\n", kind.c_str(), static_cast<unsigned long long>(count),
                static_cast<double>(count) / static_cast<double>(runs));
    if (count > 0 || !judged) continue;
    std::printf("FAILED: this never happened: %s\n", kind.c_str());
    enough = false;
  }
  const std::map<std::string, uint64_t> wanted = {
      {"operations", 500}, {"faults", 5}, {"failovers", 1}, {"membership changes", 1}};
  for (const auto& [kind, least] : wanted) {
    if (!judged || kinds.at(kind) >= least * runs) continue;
    std::printf("FAILED: fewer than %llu %s each\n", static_cast<unsigned long long>(least), kind.c_str());
    enough = false;
  }
  return enough;
}

int RunAll(const Bug& bug) {
  uint64_t seed = FLAGS_first_seed;
  uint64_t failed = 0;
  uint64_t runs = 0;
  std::map<std::string, uint64_t> kinds;
  const auto began = std::chrono::steady_clock::now();
  RunInProcesses({.jobs = Jobs(),
                  .next = [&]() -> std::optional<RunOptions> {
                    if (seed == FLAGS_first_seed + FLAGS_seeds) return std::nullopt;
                    return OptionsOf(seed++, bug);
                  },
                  .done =
                      [&](const RunOptions& options, RunReport report) {
                        Print(options, report);
                        ++runs;
                        for (const auto& [kind, count] : report.kinds) kinds[kind] += count;
                        if (report.problems.empty()) return true;
                        ++failed;
                        return FLAGS_keep_going;
                      }});
  const bool enough = PrintKinds(kinds, runs);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("%llu of %llu seeds failed; %.1f s\n", static_cast<unsigned long long>(failed),
              static_cast<unsigned long long>(runs), took.count());
  return failed == 0 && enough ? 0 : 1;
}

// Hunts for a seed that catches the bug, prints its line, and returns the seed. None: no seed catches the bug.
std::optional<uint64_t> HuntFor(const Bug& bug, const std::string& faults) {
  const auto caught = Hunt(
      bug, {.first_seed = FLAGS_first_seed, .seeds = FLAGS_hunt_seeds, .jobs = Jobs(), .faults = FaultsNamed(faults)});
  const std::string name(bug.name());
  if (caught) {
    std::printf("%s %llu%s%s  # %s\n", name.c_str(), static_cast<unsigned long long>(caught->seed),
                faults.empty() ? "" : " ", faults.c_str(),
                caught->problem.substr(0, caught->problem.find('\n')).c_str());
  } else {
    std::printf("# not caught in %llu seeds: %s\n", static_cast<unsigned long long>(FLAGS_hunt_seeds), name.c_str());
  }
  std::fflush(stdout);
  return caught ? std::optional(caught->seed) : std::nullopt;
}

int HuntAll(const Bug& only) {
  const std::vector<Bug> bugs = only.none() ? AllBugs() : std::vector<Bug>{only};
  int missed = 0;
  for (const Bug& bug : bugs) missed += HuntFor(bug, FLAGS_faults) ? 0 : 1;
  return missed == 0 ? 0 : 1;
}

int HuntPins() {
  const auto pins = ReadPins(FLAGS_pins);
  if (!pins) {
    std::fprintf(stderr, "ebla-sim: %s\n", pins.error().message().c_str());
    return 2;
  }
  const std::vector<bool> caught = VerifyPins(*pins, Jobs());
  std::printf("%td of %zu pinned seeds catch their bugs\n", std::ranges::count(caught, true), pins->size());
  std::fflush(stdout);
  int missed = 0;
  for (size_t i = 0; i < pins->size(); ++i) {
    if (caught[i]) continue;
    Pin pin = (*pins)[i];
    const std::optional<uint64_t> seed = HuntFor(*ParseBug(pin.bug), pin.faults);
    missed += seed ? 0 : 1;
    if (!seed) continue;
    pin.seed = *seed;
    if (const Status written = WritePin(FLAGS_pins, pin); !written.ok()) {
      std::fprintf(stderr, "ebla-sim: %s\n", written.message().c_str());
      return 1;
    }
  }
  return missed == 0 ? 0 : 1;
}

int Main() {
  if (FLAGS_bug == "list") {
    for (const Bug& bug : AllBugs()) std::printf("%s\n", std::string(bug.name()).c_str());
    return 0;
  }
  const auto bug = ParseBug(FLAGS_bug);
  if (!bug) {
    std::fprintf(stderr, "ebla-sim: no bug is called \"%s\"; --bug list names them all\n", FLAGS_bug.c_str());
    return 2;
  }
  if (FLAGS_fault_seconds < 1 || FLAGS_seeds < 1 || FLAGS_hunt_seeds < 1) {
    std::fprintf(stderr, "ebla-sim: --seeds, --hunt_seeds and --fault_seconds must be at least 1\n");
    return 2;
  }
  if (!FLAGS_faults.empty() && OnlyFaults().empty()) {
    std::fprintf(stderr, "ebla-sim: no fault is called \"%s\"\n", FLAGS_faults.c_str());
    return 2;
  }
  if (bug->of_disk() && (FLAGS_memory || FLAGS_memory_loss)) {
    std::fprintf(stderr,
                 "ebla-sim: bug %s is in the files of a server, and with --memory or --memory_loss the clients' table "
                 "has none: leave out that flag\n",
                 FLAGS_bug.c_str());
    return 2;
  }
  if (!FLAGS_pins.empty() && (!FLAGS_hunt || !bug->none() || !FLAGS_faults.empty())) {
    std::fprintf(stderr, "ebla-sim: --pins needs --hunt, and takes neither --bug nor --faults: the file names them\n");
    return 2;
  }
  if (FLAGS_hunt) return FLAGS_pins.empty() ? HuntAll(*bug) : HuntPins();
  return FLAGS_seed != 0 ? Replay(*bug) : RunAll(*bug);
}

}  // namespace
}  // namespace ebla::sim

int main(int argc, char** argv) {
  FLAGS_minloglevel = 3;  // the processes' own logs lack virtual time; --minloglevel=0 shows them
  FLAGS_logtostderr = true;
  gflags::SetUsageMessage("Simulates whole clusters, each in one thread. The same seed gives the same run.");
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  google::InitGoogleLogging(argv[0]);
  if (argc > 1) {
    std::fprintf(stderr, "ebla-sim: unexpected argument \"%s\"; see --help\n", argv[1]);
    return 2;
  }
  return ebla::sim::Main();
}
