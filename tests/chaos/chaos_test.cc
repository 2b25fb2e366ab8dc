// The chaos scenarios, briefly; ./dev chaos runs them at length.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/chaos/scenarios.h"

namespace ebla::chaos {
namespace {

using ::testing::IsEmpty;

TEST(Chaos, KilledServersKeepEveryPromiseOfSyncTables) {
  const ScenarioReport report = KillServers({.kills = 3, .seed = 1});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, KilledServersKeepEveryPromiseOfIntervalTables) {
  const ScenarioReport report = KillServers({.kills = 3, .seed = 2, .durability = TableDurability::kInterval});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, KilledPrimariesAreReplacedInTimeAndNothingIsLost) {
  const ScenarioReport report = KillPrimaries({.kills = 5, .seed = 3});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

TEST(Chaos, RestartOfAllServersAtOnceLosesNothing) {
  const ScenarioReport report = RestartAll({.rounds = 1, .seed = 4});
  EXPECT_THAT(report.faults, IsEmpty()) << report.summary;
}

}  // namespace
}  // namespace ebla::chaos
