// When the tablets of a shard have the work that waits look again.
#include "tabletserver/shard/shard_tablets.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/testing/sim_executor.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

class ShardTabletsTest : public ::testing::Test {
 protected:
  using Event = DataState::Event;

  // Whether copies and removals of other tablets look again once this one has taken these events.
  bool LooksAgainAfter(std::vector<Event> events) {
    ShardTablet tablet(TabletId{100});
    for (const Event event : events) tablets_.Pass(tablet, event);
    return tablets_.TakeLookAgain();
  }

  ebla::testing::SimScheduler scheduler_{1};
  ebla::testing::SimExecutor executor_{scheduler_};
  SimulatedDisk disk_{1};
  SimulatedStore store_{disk_, executor_};
  TabletDirectory directory_;
  ShardCounters counters_;
  rpc::Dispatcher dispatcher_;
  LocalConnector connector_{dispatcher_};
  PeerBook peers_;
  CopyThrottle throttle_{[] { return CopyThrottle::kDefaultBytesPerSecond; }};
  Refusals refusals_;
  PeerMemory peer_memory_;
  ClockGuard clock_{executor_, {}};
  const ShardOptions options_{};
  const ShardPorts ports_{executor_,  nullptr, executor_, executor_, *store_,   directory_, counters_,    {},    {},
                          connector_, peers_,  {},        {},        throttle_, refusals_,  peer_memory_, clock_};
  ShardTablets tablets_{options_, ports_, [] {}};
};

TEST_F(ShardTabletsTest, WorkThatEndsFreesWhatWaits) {
  EXPECT_TRUE(LooksAgainAfter({Event::kInstall, Event::kFinish}));
  EXPECT_TRUE(LooksAgainAfter({Event::kEmpty, Event::kFinish}));
  EXPECT_TRUE(LooksAgainAfter({Event::kStoreMerge, Event::kFinish}));
  EXPECT_TRUE(LooksAgainAfter({Event::kStoreChunk, Event::kDrop, Event::kFinish})) << "its removal waits for it";
}

// Else each of them would have other tablets' failed work tried again at once, a hundred times a second.
TEST_F(ShardTabletsTest, ChunksAndTruncationsFreeNothing) {
  EXPECT_FALSE(LooksAgainAfter({Event::kStoreChunk, Event::kFinish}));
  EXPECT_FALSE(LooksAgainAfter({Event::kDrop, Event::kTruncate, Event::kFinish}));
  EXPECT_FALSE(LooksAgainAfter({Event::kInstall, Event::kFail})) << "the next tick tries again";
}

}  // namespace
}  // namespace ebla::tabletserver
