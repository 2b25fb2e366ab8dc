// The simulator itself: it repeats itself, and it finds what is wrong.
#include "tests/sim/run.h"

#include <gtest/gtest.h>

#include <optional>

namespace ebla::sim {
namespace {

// The first seed of `seeds_max` whose run finds something, or none.
std::optional<RunReport> FirstToFind(PlantedBug bug, uint64_t seeds_max) {
  for (uint64_t seed = 1; seed <= seeds_max; ++seed) {
    RunReport report = RunOnce({.seed = seed, .bug = bug});
    if (!report.problems.empty()) return report;
  }
  return std::nullopt;
}

TEST(SimRun, TheSameSeedGivesTheSameRun) {
  const RunReport once = RunOnce({.seed = 7, .faults_for = std::chrono::seconds(10)});
  const RunReport again = RunOnce({.seed = 7, .faults_for = std::chrono::seconds(10)});
  EXPECT_EQ(once.log, again.log);
  EXPECT_EQ(once.digest, again.digest);
  EXPECT_NE(once.digest, RunOnce({.seed = 8, .faults_for = std::chrono::seconds(10)}).digest);
}

TEST(SimRun, ARunThatDidTooLittleProvesNothing) {
  const RunReport report = RunOnce({.seed = 3,
                                    .faults_for = std::chrono::seconds(1),
                                    .answered_min = 1'000'000,
                                    .patience = std::chrono::seconds(10)});
  ASSERT_FALSE(report.problems.empty());
  EXPECT_NE(report.problems.back().find("proved nothing"), std::string::npos) << report.problems.back();
}

class PlantedBugs : public ::testing::TestWithParam<PlantedBug> {};

TEST_P(PlantedBugs, AreFoundByTheCheckerWithinFortySeeds) {
  const auto report = FirstToFind(GetParam(), 40);
  ASSERT_TRUE(report.has_value());
  bool by_checker = false;
  for (const std::string& problem : report->problems) by_checker |= problem.find("fits nowhere") != std::string::npos;
  EXPECT_TRUE(by_checker) << report->problems.front();
}

INSTANTIATE_TEST_SUITE_P(Each, PlantedBugs,
                         ::testing::Values(PlantedBug::kAckBeforeFlush, PlantedBug::kForgetWindow, PlantedBug::kTornBatch,
                                           PlantedBug::kStaleRead),
                         [](const auto& info) { return std::string(PlantedBugName(info.param)); });

}  // namespace
}  // namespace ebla::sim
