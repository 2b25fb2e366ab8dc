// The rounds of a shard at the end of a turn, as peers see them.
#include "tabletserver/shard/round_driver.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "tabletserver/testing/lineage_fixture.h"

namespace ebla::tabletserver {
namespace {

class RoundDriverTest : public LineageFixture {
 protected:
  static int64_t ChildOf(int number) { return kTablet + int64_t{64} * number; }

  // A heartbeat of the tablet's primary, in epoch 1, sent to ts-3.
  using Answer = std::shared_ptr<std::optional<idl::HeartbeatTabletReply>>;
  Answer SendHeartbeat(int64_t tablet) {
    idl::PeerHeartbeatRequest request;
    request.header.clusterId = kCluster;
    request.header.fromServer = "ts-1";
    request.header.fromIncarnation = static_cast<int64_t>(at("ts-1").incarnation);
    request.header.toServer = "ts-3";
    request.tablets.resize(1);
    request.tablets[0].tabletId = tablet;
    request.tablets[0].epoch = 1;
    auto answer = std::make_shared<std::optional<idl::HeartbeatTabletReply>>();
    at("ts-3").server->replication_service()->peerHeartbeat(
        [answer](const idl::PeerHeartbeatReply& reply) { *answer = reply.tablets.at(0); }, request);
    return answer;
  }
};

// A follower applies a chain of splits, each in a round of its own. A turn has 8 rounds, so the last child is created
// some turns later, and its call waits until then.
TEST_F(RoundDriverTest, AnEarlyCallWaitsForRoundsThatATurnHasNoTimeFor) {
  constexpr int kSplits = 30;
  ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
  ASSERT_TRUE(Serves("ts-1"));
  at("ts-3").disk.RefuseToApply(true);
  for (int i = 1; i <= kSplits; ++i) {
    const std::string key(1, static_cast<char>('z' - i / 10));
    const idl::SplitResult split = Split("ts-1", 1, key + static_cast<char>('9' - i % 10), ChildOf(i));
    ASSERT_EQ(split.status.code, idl::Code::OK) << split.status.message;
  }
  scheduler_.RunFor(500ms);
  ASSERT_EQ(View("ts-3", ChildOf(1)), nullptr);
  at("ts-3").disk.RefuseToApply(false);
  ASSERT_TRUE(Until([&] { return View("ts-3", ChildOf(1)) != nullptr; }, 5s));
  ASSERT_EQ(View("ts-3", ChildOf(kSplits)), nullptr) << "more than one turn has time for";
  const Answer answer = SendHeartbeat(ChildOf(kSplits));
  ASSERT_TRUE(Until([&] { return answer->has_value(); }, 5s));
  EXPECT_TRUE((*answer)->known);
  EXPECT_NE(View("ts-3", ChildOf(kSplits)), nullptr);
}

TEST_F(RoundDriverTest, ACallForATabletThatIsNotHereIsAnsweredAtOnce) {
  ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
  ASSERT_TRUE(Serves("ts-1"));
  const MonotonicTime begun = world_.Now();
  const Answer answer = SendHeartbeat(kChild);
  ASSERT_TRUE(Until([&] { return answer->has_value(); }, 5s));
  EXPECT_FALSE((*answer)->known);
  EXPECT_EQ(world_.Now(), begun);
}

}  // namespace
}  // namespace ebla::tabletserver
