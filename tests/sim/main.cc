// tests/sim/main.cc: ebla-sim. Runs simulated clusters, one per seed; a seed that fails is replayed with --seed.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <cstdio>

#include "tests/sim/run.h"

DEFINE_uint64(seeds, 50, "How many seeds to run.");
DEFINE_uint64(first_seed, 1, "The first of them.");
DEFINE_uint64(seed, 0, "Run this one alone and print its event log.");
DEFINE_string(bug, "none", "A planted bug: ack_before_flush, forget_window, torn_batch or stale_read.");
DEFINE_int32(fault_seconds, 25, "Virtual time with faults.");
DEFINE_bool(keep_going, false, "Run all seeds, whatever fails.");

namespace ebla::sim {
namespace {

int Main() {
  const auto bug = ParsePlantedBug(FLAGS_bug);
  if (!bug) {
    std::fprintf(stderr, "ebla-sim: no bug is called \"%s\"; see --help\n", FLAGS_bug.c_str());
    return 2;
  }
  if (FLAGS_fault_seconds < 1 || FLAGS_seeds < 1) {
    std::fprintf(stderr, "ebla-sim: --seeds and --fault_seconds must be at least 1\n");
    return 2;
  }
  const bool replay = FLAGS_seed != 0;
  const uint64_t first = replay ? FLAGS_seed : FLAGS_first_seed;
  const uint64_t count = replay ? 1 : FLAGS_seeds;
  uint64_t failed = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    RunOptions options;
    options.seed = seed;
    options.bug = *bug;
    options.faults_for = std::chrono::seconds(FLAGS_fault_seconds);
    if (replay) options.sink = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
    const RunReport report = RunOnce(options);
    std::printf("seed %llu: %s: %s\n", static_cast<unsigned long long>(seed), report.problems.empty() ? "good" : "FAILED",
                report.summary.c_str());
    for (const std::string& problem : report.problems) std::printf("  %s\n", problem.c_str());
    std::fflush(stdout);
    if (report.problems.empty()) continue;
    ++failed;
    std::printf("  replay: ebla-sim --seed %llu --fault_seconds %d --bug %s\n", static_cast<unsigned long long>(seed),
                FLAGS_fault_seconds, FLAGS_bug.c_str());
    if (!FLAGS_keep_going) break;
  }
  if (failed > 0) std::printf("%llu of %llu seeds failed\n", static_cast<unsigned long long>(failed),
                              static_cast<unsigned long long>(count));
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ebla::sim

int main(int argc, char** argv) {
  FLAGS_minloglevel = 3;  // the processes' own logs know nothing of virtual time; --minloglevel=0 shows them
  FLAGS_logtostderr = true;
  gflags::SetUsageMessage("simulates whole clusters in one thread; the same seed gives the same run");
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  google::InitGoogleLogging(argv[0]);
  if (argc > 1) {
    std::fprintf(stderr, "ebla-sim: unexpected argument \"%s\"; see --help\n", argv[1]);
    return 2;
  }
  return ebla::sim::Main();
}
