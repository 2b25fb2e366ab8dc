// Tests the simulator: the same seed repeats its run, and a run finds the fault that is in the cluster.
#include "tests/sim/runner/run.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "common/testing/temporary_directory.h"
#include "tests/sim/runner/hunt.h"
#include "tests/sim/runner/pins.h"

namespace ebla::sim {
namespace {

TEST(SimRun, TheSameSeedGivesTheSameRun) {
  const RunReport once = RunOnce({.seed = 7, .faults_for = std::chrono::seconds(10)});
  const RunReport again = RunOnce({.seed = 7, .faults_for = std::chrono::seconds(10)});
  EXPECT_EQ(once.log, again.log);
  EXPECT_EQ(once.digest, again.digest);
  EXPECT_NE(once.digest, RunOnce({.seed = 8, .faults_for = std::chrono::seconds(10)}).digest);
}

TEST(SimRun, TabletsAreSplitUnderFaults) {
  uint64_t made = 0;
  for (const uint64_t seed : {3, 209, 739}) {
    RunReport report = RunOnce({.seed = seed, .splits = true});
    EXPECT_TRUE(report.problems.empty()) << seed << ": " << report.problems.front();
    made += report.kinds["splits"];
  }
  EXPECT_GT(made, 3u);
}

TEST(SimRun, NobodyWaitsForACoordinatorThatGoesAwayInAPlannedChange) {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    const RunReport report = RunOnce({.seed = seed, .faults = {Fault::kOutageInChange}});
    EXPECT_TRUE(report.problems.empty()) << seed << ": " << report.problems.front();
  }
}

TEST(SimRun, NobodyWaitsForACoordinatorThatGoesAwayInAMerge) {
  uint64_t merges = 0;
  for (const uint64_t seed : {1, 2, 3, 4}) {
    RunReport report = RunOnce({.seed = seed, .faults = {Fault::kOutageInChange}, .splits = true, .merges = true});
    EXPECT_TRUE(report.problems.empty()) << seed << ": " << report.problems.front();
    merges += report.kinds["merges"];
  }
  EXPECT_GT(merges, 3u);
}

TEST(SimRun, ARunThatDidTooLittleProvesNothing) {
  const RunReport report = RunOnce({.seed = 3,
                                    .faults_for = std::chrono::seconds(1),
                                    .answered_min = 1'000'000,
                                    .patience = std::chrono::seconds(10)});
  ASSERT_FALSE(report.problems.empty());
  EXPECT_NE(report.problems.back().find("proved nothing"), std::string::npos) << report.problems.back();
}

std::vector<Pin> PinnedSeeds() {
  const auto pins = ReadPins(EBLA_PINNED_SEEDS);
  EXPECT_TRUE(pins.has_value()) << pins.error();
  return pins.value_or(std::vector<Pin>());
}

// No seed shows these. The end of docs/design/replication-rules.md states the reasons.
const std::set<std::string_view> kWithoutSeed = {
    "create_below_tombstone",   "failover_in_open_merge", "give_up_unexcluded",
    "merge_before_all_have_it", "merge_despite_promise",  "merge_unchecked_epoch",
    "parents_are_orphans",      "release_before_level",   "thaw_after_merge"};

TEST(PinnedSeeds, EveryBugHasOneOrAReasonWhyNot) {
  std::set<std::string> bugs;
  for (const Pin& pin : PinnedSeeds()) EXPECT_TRUE(bugs.insert(pin.bug).second) << pin.bug;
  for (const Bug& bug : AllBugs()) {
    const std::string name(bug.name());
    EXPECT_NE(bugs.contains(name), kWithoutSeed.contains(name))
        << name << ": find a seed by ebla-sim --hunt --bug " << name;
  }
}

TEST(PinnedSeeds, AreVerifiedAndWrittenAnew) {
  const ebla::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/pins.txt";
  std::ofstream(path) << "# kept\ntorn_batch 1\nstale_read 2 link_cut,server_kill\n";
  auto pins = ReadPins(path);
  ASSERT_TRUE(pins.has_value() && pins->size() == 2);
  EXPECT_EQ((*pins)[1].faults, "link_cut,server_kill");
  (*pins)[1].seed = 3;
  ASSERT_TRUE(WritePin(path, (*pins)[1]).ok());
  std::stringstream written;
  written << std::ifstream(path).rdbuf();
  EXPECT_EQ(written.str(), "# kept\ntorn_batch 1\nstale_read 3 link_cut,server_kill\n");
  std::ofstream(path) << "no_such_bug 1\n";
  EXPECT_EQ(ReadPins(path).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(ReadPins(path + ".not").error().code(), Code::kNotFound);
}

class PlantedBugs : public ::testing::TestWithParam<Pin> {};

// A change anywhere in the cluster changes the runs of all seeds. Then `ebla-sim --hunt --pins` finds other seeds.
TEST_P(PlantedBugs, IsCaughtByItsPinnedSeed) {
  const auto bug = ParseBug(GetParam().bug);
  ASSERT_TRUE(bug.has_value());
  const auto caught =
      Hunt(*bug, {.first_seed = GetParam().seed, .seeds = 1, .jobs = 1, .faults = FaultsNamed(GetParam().faults)});
  ASSERT_TRUE(caught.has_value()) << "pin anew: ebla-sim --hunt --pins tests/sim/runner/pinned_seeds.txt";
  std::cout << caught->problem << "\n";
}

INSTANTIATE_TEST_SUITE_P(Each, PlantedBugs, ::testing::ValuesIn(PinnedSeeds()),
                         [](const auto& info) { return info.param.bug; });

TEST(Bugs, HaveNamesOfTheirOwn) {
  for (const Bug& bug : AllBugs()) {
    const auto found = ParseBug(bug.name());
    ASSERT_TRUE(found.has_value()) << bug.name();
    EXPECT_EQ(found->name(), bug.name());
    EXPECT_EQ(found->rule, bug.rule);
    EXPECT_EQ(found->store_fault, bug.store_fault);
  }
  EXPECT_FALSE(ParseBug("no_such_bug").has_value());
}

TEST(RunInProcesses, AnswersInOrderAndOutlivesARunThatDies) {
  uint64_t seed = 0;
  std::vector<uint64_t> done;
  RunInProcesses({.jobs = 2,
                  .next = [&]() -> std::optional<RunOptions> {
                    if (seed == 3) return std::nullopt;
                    RunOptions options{.seed = ++seed, .faults_for = std::chrono::seconds(1), .answered_min = 1};
                    if (seed == 2) options.sink = [](const std::string&) { std::abort(); };
                    return options;
                  },
                  .done =
                      [&](const RunOptions& options, RunReport report) {
                        done.push_back(options.seed);
                        EXPECT_EQ(FoundFault(report), options.seed == 2) << report.problems.front();
                        EXPECT_EQ(report.kinds["operations"] > 0, options.seed != 2);
                        return true;
                      }});
  EXPECT_EQ(done, (std::vector<uint64_t>{1, 2, 3}));
}

}  // namespace
}  // namespace ebla::sim
