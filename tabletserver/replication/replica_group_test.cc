// Random schedules of four replicas (testing/replica_schedule.h). Each keeps every promise, and a planted bug shows.
// The program replica-schedules replays a schedule and hunts for others.
#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "common/base/planted_bug.h"
#include "tabletserver/testing/replica_schedule.h"

namespace ebla::tabletserver {
namespace {

using testing::ReplicaSchedule;

// No master made the mad server a member, so no replica believes its messages.
TEST(ReplicaGroup, AServerThatIsNoMemberAndGoesMadHarmsNobody) {
  for (uint64_t seed = 1; seed <= 300; ++seed) ASSERT_EQ(ReplicaSchedule(seed, {.mad = true}).Run(), "") << seed;
}

// A bug leaves out a rule. The seed is that of the first schedule found to show the bug.
struct Caught {
  PlantedBug bug;
  uint64_t seed;
};
class PlantedBugShows : public ::testing::TestWithParam<Caught> {};
TEST_P(PlantedBugShows, InItsSchedule) {
  Plant(GetParam().bug);
  bool caught = false;
  for (uint64_t seed = GetParam().seed; seed < GetParam().seed + 100 && !caught; ++seed) {
    caught = !ReplicaSchedule(seed).Run().empty();
  }
  Plant(PlantedBug::none);
  EXPECT_TRUE(caught);
}
INSTANTIATE_TEST_SUITE_P(
    All, PlantedBugShows,
    ::testing::Values(Caught{PlantedBug::fence_acks_lower_epochs, 3}, Caught{PlantedBug::fence_ignores_grants, 6},
                      Caught{PlantedBug::promise_not_flushed, 6}, Caught{PlantedBug::serve_again_after_step_down, 1120},
                      Caught{PlantedBug::incomplete_offers_log, 3788}, Caught{PlantedBug::strong_before_barrier, 1},
                      Caught{PlantedBug::copy_complete_at_last_chunk, 11}, Caught{PlantedBug::apply_before_commit, 1},
                      Caught{PlantedBug::commit_older_epoch, 784}, Caught{PlantedBug::rolled_back_primary_vanishes, 2}),
    [](const auto& info) { return std::string(kPlantedBugNames[static_cast<size_t>(info.param.bug)]); });

TEST(ReplicaGroup, RandomSchedulesKeepEveryPromise) {
  ReplicaSchedule::Counts all;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    ReplicaSchedule schedule(seed);
    const std::string fault = schedule.Run();
    ASSERT_EQ(fault, "") << "seed " << seed;
    all.writes += schedule.counts().writes;
    all.acknowledged += schedule.counts().acknowledged;
    all.reads += schedule.counts().reads;
    all.confirmed += schedule.counts().confirmed;
    all.failovers += schedule.counts().failovers;
    all.changes += schedule.counts().changes;
    all.transfers += schedule.counts().transfers;
    all.crashes += schedule.counts().crashes;
    all.rolled_back += schedule.counts().rolled_back;
  }
  std::cout << all.writes << " writes, " << all.acknowledged << " acknowledged, " << all.reads
            << " reads under a lease, " << all.confirmed << " confirmed, " << all.failovers << " failovers, "
            << all.changes << " changes, " << all.transfers << " transfers, " << all.crashes << " crashes, "
            << all.rolled_back << " rolled back\n";
  // An idle run proves little.
  EXPECT_GT(all.acknowledged, 300 * 20);
  EXPECT_GT(all.reads, 300 * 10);
  EXPECT_GT(all.confirmed, 300);
  EXPECT_GT(all.changes, 200);
  EXPECT_GT(all.rolled_back, 10);
}

}  // namespace
}  // namespace ebla::tabletserver
