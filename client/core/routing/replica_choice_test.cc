#include "client/core/routing/replica_choice.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>

namespace ebla::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

MonotonicTime At(Duration since) { return {std::chrono::hours(1) + since}; }

Replica Make(uint16_t port, uint8_t distance = 0) {
  return {"ts-" + std::to_string(port), {"host", port}, true, distance, std::make_shared<ServerGauge>()};
}

// How often each is chosen of 1,000 times.
std::array<int, 3> Draw(const std::vector<Replica>& replicas, MonotonicTime now,
                        const std::vector<rpc::Endpoint>& asked = {}) {
  std::array<int, 3> counts{};
  uint64_t random = 88172645463325252ull;
  for (int i = 0; i < 1000; ++i) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    if (const auto chosen = ChooseReplica(replicas, asked, now, random)) ++counts[*chosen];
  }
  return counts;
}

TEST(ReplicaChoice, NearIsTheSameRackThenTheSameHost) {
  const ClientLocation location{"r1", "alpha"};
  EXPECT_EQ(DistanceOf(location, "r1", "beta"), 0);
  EXPECT_EQ(DistanceOf(location, "r2", "alpha"), 1);
  EXPECT_EQ(DistanceOf(location, "r2", "127.0.0.1"), 1);
  EXPECT_EQ(DistanceOf(location, "", "beta"), 2);
  EXPECT_EQ(DistanceOf({}, "", "beta"), 2) << "who names no rack is in none";
}

TEST(ReplicaChoice, EqualsShareAndTheNearestTakesAll) {
  for (const int count : Draw({Make(1), Make(2), Make(3)}, At({}))) EXPECT_NEAR(count, 333, 80);
  EXPECT_EQ(Draw({Make(1, 2), Make(2, 1), Make(3, 2)}, At({})), (std::array{0, 1000, 0}));
}

TEST(ReplicaChoice, LearnersAndThoseAskedAreLeftOut) {
  std::vector<Replica> replicas = {Make(1), Make(2), Make(3)};
  replicas[2].voter = false;
  EXPECT_EQ(Draw(replicas, At({}), {replicas[0].endpoint}), (std::array{0, 1000, 0}));
  EXPECT_FALSE(ChooseReplica(replicas, std::vector{replicas[0].endpoint, replicas[1].endpoint}, At({}), 7));
}

TEST(ReplicaChoice, TheLessLoadedOfTwo) {
  const std::vector<Replica> replicas = {Make(1), Make(2), Make(3)};
  for (int i = 0; i < 10; ++i) replicas[0].gauge->Began();  // busy
  replicas[1].gauge->Began();
  replicas[1].gauge->Answered(At({}), milliseconds(5));  // slow
  const auto counts = Draw(replicas, At(milliseconds(1)));
  EXPECT_EQ(counts[0], 0) << "more loaded than any other";
  EXPECT_NEAR(counts[2], 667, 80) << "wherever it is one of the two";
}

TEST(ReplicaChoice, ASlowAnswerIsForgottenInTime) {
  ServerGauge gauge;
  gauge.Began();
  gauge.Answered(At({}), milliseconds(50));
  const double slow = gauge.Load(At({}));
  gauge.Began();
  gauge.Answered(At(milliseconds(1)), microseconds(100));
  EXPECT_GT(gauge.Load(At(milliseconds(1))), slow * 0.9) << "one quick answer proves little";
  EXPECT_LT(gauge.Load(At(seconds(20))), slow * 0.03) << "so it is tried again";
}

TEST(ReplicaChoice, WhoIsAwayIsLeftAloneForAGrowingWhileAndIsTheLastResort) {
  const std::vector<Replica> replicas = {Make(1), Make(2)};
  ServerGauge& gauge = *replicas[0].gauge;
  Duration now{0};
  Duration before{0};
  for (int round = 0; round < 12; ++round) {
    gauge.Chosen(At(now));
    gauge.Began();
    gauge.Silent(At(now));
    Duration pause{0};
    while (gauge.IsAvoided(At(now + pause))) pause += milliseconds(10);
    EXPECT_GE(pause, before);
    EXPECT_LE(pause, kAwayMax);
    EXPECT_EQ(Draw(replicas, At(now))[0], 0);
    before = pause;
    now += pause;
  }
  EXPECT_EQ(before, kAwayMax);
  gauge.Chosen(At(now));
  EXPECT_TRUE(gauge.IsAvoided(At(now))) << "one call tries it, the others wait for what it finds";
  EXPECT_EQ(ChooseReplica(replicas, std::vector{replicas[1].endpoint}, At(now), 3), 0u) << "better than nobody";
  gauge.Began();
  gauge.Answered(At(now), milliseconds(1));
  EXPECT_FALSE(gauge.IsAvoided(At(now)));
}

TEST(ReplicaChoice, CallsThatFailTogetherCountOnce) {
  ServerGauge gauge;
  for (int i = 0; i < 100; ++i) gauge.Began();
  for (int i = 0; i < 100; ++i) gauge.Silent(At(milliseconds(1)));
  EXPECT_FALSE(gauge.IsAvoided(At(milliseconds(1) + kAwayFirst)));
}

TEST(ReplicaChoice, SomebodyIsFoundWhileAVoterIsLeft) {
  EXPECT_TRUE(rc::check([] {
    std::vector<Replica> replicas;
    std::vector<rpc::Endpoint> asked;
    bool left = false;
    const auto count = *rc::gen::inRange<uint16_t>(0, 8);
    for (uint16_t i = 1; i <= count; ++i) {
      Replica replica = Make(i, *rc::gen::inRange<uint8_t>(0, 3));
      replica.voter = *rc::gen::inRange(0, 4) != 0;
      if (*rc::gen::inRange(0, 2) == 0) replica.gauge->Silent(At({}));
      if (*rc::gen::inRange(0, 4) == 0) replica.gauge.reset();
      const bool was_asked = *rc::gen::inRange(0, 3) == 0;
      if (was_asked) asked.push_back(replica.endpoint);
      left = left || (replica.voter && !was_asked);
      replicas.push_back(std::move(replica));
    }
    const auto chosen = ChooseReplica(replicas, asked, At({}), *rc::gen::arbitrary<uint64_t>());
    RC_ASSERT(chosen.has_value() == left);
    RC_ASSERT(!chosen || replicas[*chosen].voter);
  }));
}

}  // namespace
}  // namespace ebla::client
