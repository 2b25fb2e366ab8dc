// The chaos scenarios, briefly; LongChaos runs longer ones, and ./dev chaos any length. chaos_namespaces_test.cc has
// the scenarios that need namespaces.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/chaos/scenarios/scenarios.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;

TEST(Chaos, KilledServersKeepEveryPromiseOfSyncTables) {
  const ScenarioReport report = KillServers({.kills = 2, .seed = 1});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(LongChaos, KilledServersKeepEveryPromiseOfIntervalTables) {
  const ScenarioReport report = KillServers({.kills = 4, .seed = 2, .durability = TableDurability::kInterval});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, KilledPrimariesAreReplacedInTimeAndNothingIsLost) {
  const ScenarioReport report = KillPrimaries({.kills = 3, .seed = 3});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(LongChaos, KilledPrimariesAreReplacedInTimeAndNothingIsLost) {
  const ScenarioReport report = KillPrimaries({.kills = 10, .seed = 13});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, WhoeverDiesWithinAChangeItIsFinishedOrUndone) {
  const ScenarioReport report = KillWithinChanges({.rounds = 4, .seed = 7});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(LongChaos, WhoeverDiesWithinAChangeItIsFinishedOrUndone) {
  const ScenarioReport report = KillWithinChanges({.rounds = 12, .seed = 17});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, RestartOfAllServersAtOnceLosesNothing) {
  const ScenarioReport report = RestartAll({.rounds = 1, .seed = 4});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, APausedPrimaryIsReplacedAndShowsNothingStale) {
  const ScenarioReport report = PausePrimaries({.pauses = 1, .seed = 5});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, WithoutZooKeeperAndMastersEveryLevelIsServed) {
  const ScenarioReport report = ControlPlaneOutage({.length = 5s, .seed = 6});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

// Few writers, as what they have under way is memory, too, and the bound is small.
TEST(Chaos, RecordsOfEverOtherSizesStayWithinTheBoundOfMemory) {
  const ScenarioReport report = Churn({.length = 12s, .phase = 1700ms, .bound_mb = 192, .writers = 2, .seed = 9});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

// Side by side, because a case mostly waits.
TEST(Chaos, DamagedFilesNeverGiveWrongAnswers) {
  ScenarioReport away;
  std::thread beside([&] { away = DamageFiles({.shape = Shape::kOneAway, .cases = 3, .jobs = 1, .seed = 10}); });
  const ScenarioReport alone = DamageFiles({.shape = Shape::kStandalone, .cases = 16, .jobs = 1, .seed = 10});
  beside.join();
  EXPECT_THAT(alone.faults, IsEmpty()) << alone.summary;
  EXPECT_THAT(away.faults, IsEmpty()) << away.summary;
}

TEST(LongChaos, DamagedFilesNeverGiveWrongAnswers) {
  const ScenarioReport report = DamageFiles({.cases = 30, .seed = 20});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, AnOperatorWithoutRestIsNoticedByNobody) {
  const ScenarioReport report = Procedures({.procedures = 8, .seed = 7});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(LongChaos, AnOperatorWithoutRestIsNoticedByNobody) {
  const ScenarioReport report = Procedures({.procedures = 30, .seed = 17});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

}  // namespace
}  // namespace ebla::chaos
