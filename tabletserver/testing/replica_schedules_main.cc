// tabletserver/testing/replica_schedules_main.cc: replica-schedules. Runs random schedules of four replicas
// (replica_schedule.h), prints one of them, or hunts for the schedules that show planted bugs.
#include <gflags/gflags.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "common/base/planted_bug.h"
#include "tabletserver/testing/replica_schedule.h"

DEFINE_uint64(seeds, 1000, "Number of schedules to run, for each bug with --hunt.");
DEFINE_uint64(first_seed, 1, "Seed of the first schedule.");
DEFINE_uint64(seed, 0,
              "Run the schedule of this seed alone, and print each change of a replica. 0: run --seeds schedules.");
DEFINE_bool(mad, false, "Let a server that is no member send arbitrary messages.");
DEFINE_string(bug, "none", "Planted bug. \"all\" with --hunt: each in turn.");
DEFINE_bool(hunt, false, "Search for the first schedule that shows --bug.");

namespace ebla::tabletserver::testing {
namespace {

// The seed of the first broken promise, and which; 0: every schedule kept every promise.
std::pair<uint64_t, std::string> FirstFault() {
  for (uint64_t seed = FLAGS_first_seed; seed < FLAGS_first_seed + FLAGS_seeds; ++seed) {
    std::string fault = ReplicaSchedule(seed, {.mad = FLAGS_mad}).Run();
    if (!fault.empty()) return {seed, std::move(fault)};
  }
  return {0, ""};
}

// The number of bugs without a schedule that shows them.
int Hunt() {
  int missed = 0;
  for (size_t i = 1; i < kPlantedBugNames.size(); ++i) {
    if (FLAGS_bug != "all" && kPlantedBugNames[i] != FLAGS_bug) continue;
    Plant(static_cast<PlantedBug>(i));
    const auto [seed, fault] = FirstFault();
    Plant(PlantedBug::none);
    missed += seed == 0 ? 1 : 0;
    std::printf("%s: %s\n", std::string(kPlantedBugNames[i]).c_str(),
                seed == 0 ? "no schedule shows it" : ("seed " + std::to_string(seed) + ": " + fault).c_str());
    std::fflush(stdout);
  }
  return missed;
}

int Main() {
  if (FLAGS_hunt) return Hunt() == 0 ? 0 : 1;
  if (const auto* bug = std::ranges::find(kPlantedBugNames, FLAGS_bug); bug != kPlantedBugNames.end())
    Plant(static_cast<PlantedBug>(bug - kPlantedBugNames.begin()));
  if (FLAGS_seed != 0) {
    const std::string fault = ReplicaSchedule(FLAGS_seed, {.mad = FLAGS_mad, .trace = true}).Run();
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(FLAGS_seed), fault.empty() ? "good" : fault.c_str());
    return fault.empty() ? 0 : 1;
  }
  const auto [seed, fault] = FirstFault();
  if (seed == 0) {
    std::printf("%llu schedules are good\n", static_cast<unsigned long long>(FLAGS_seeds));
  } else {
    std::printf("seed %llu FAILED: %s\n  replay: replica-schedules --seed %llu\n",
                static_cast<unsigned long long>(seed), fault.c_str(), static_cast<unsigned long long>(seed));
  }
  return seed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ebla::tabletserver::testing

int main(int argc, char** argv) {
  gflags::SetUsageMessage("random schedules of four replicas; --hunt --bug all searches for planted bugs");
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  const bool known = FLAGS_bug == "all"
                         ? FLAGS_hunt
                         : std::ranges::find(ebla::kPlantedBugNames, FLAGS_bug) != ebla::kPlantedBugNames.end();
  if (argc > 1 || !known) {
    std::fprintf(stderr, "%s\n",
                 argc > 1 ? ("unknown argument " + std::string(argv[1]) + "; see --help").c_str()
                          : ("no bug is named " + FLAGS_bug + "; common/base/planted_bug.h lists them").c_str());
    return 2;
  }
  return ebla::tabletserver::testing::Main();
}
