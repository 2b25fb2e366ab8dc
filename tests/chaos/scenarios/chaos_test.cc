// The chaos scenarios, briefly; ./dev chaos runs them at length. Those that take namespaces: chaos_namespaces_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/chaos/scenarios/scenarios.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;

TEST(Chaos, KilledServersKeepEveryPromiseOfSyncTables) {
  const ScenarioReport report = KillServers({.kills = 2, .seed = 1});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, KilledServersKeepEveryPromiseOfIntervalTables) {
  const ScenarioReport report = KillServers({.kills = 2, .seed = 2, .durability = TableDurability::kInterval});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, KilledPrimariesAreReplacedInTimeAndNothingIsLost) {
  const ScenarioReport report = KillPrimaries({.kills = 5, .seed = 3});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, WhoeverDiesWithinAChangeItIsFinishedOrUndone) {
  const ScenarioReport report = KillWithinChanges({.rounds = 8, .seed = 7});
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
  const ScenarioReport report = ControlPlaneOutage({.length = 10s, .seed = 6});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

// Few writers, as what they have under way is memory, too, and the bound is small.
TEST(Chaos, RecordsOfEverOtherSizesStayWithinTheBoundOfMemory) {
  const ScenarioReport report = Churn({.length = 12s, .phase = 1700ms, .bound_mb = 192, .writers = 2, .seed = 9});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, AnOperatorWithoutRestIsNoticedByNobody) {
  const ScenarioReport report = Procedures({.procedures = 20, .seed = 7});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

}  // namespace
}  // namespace ebla::chaos
