#include "common/coordination/connection_watch.h"

#include <gtest/gtest.h>

#include "common/coordination/sim_coordinator.h"

namespace ebla::coordination {
namespace {

using std::chrono::seconds;

class ConnectionWatchTest : public ::testing::Test {
 protected:
  bool ConnectedWithin(Duration limit) {
    return scheduler_.RunUntil([&] { return client_->state() == SessionState::kConnected && !watch_.away(); }, limit);
  }

  testing::SimScheduler scheduler_{1};
  SimCoordination coordination_{scheduler_};
  testing::SimExecutor executor_{scheduler_};
  std::unique_ptr<SimCoordinator> client_ = coordination_.NewClient(executor_);
  ConnectionWatch watch_{*client_, executor_, "nothing new is made"};
};

TEST_F(ConnectionWatchTest, AnAbsenceIsCountedFromItsBeginningOnceItLasts) {
  ASSERT_TRUE(ConnectedWithin(seconds(5)));
  EXPECT_EQ(watch_.Describe(), "");
  coordination_.SetAvailable(false);
  client_->Disconnect();
  scheduler_.RunFor(std::chrono::milliseconds(500));
  EXPECT_FALSE(watch_.away()) << "it may be but another server of its";
  scheduler_.RunFor(std::chrono::milliseconds(39'600));
  ASSERT_TRUE(watch_.away());
  EXPECT_GE(*watch_.away(), seconds(40));
  EXPECT_LT(*watch_.away(), seconds(41));
  EXPECT_EQ(watch_.Describe(),
            "the coordinator (ZooKeeper) has been away for 40 s; until it is back, nothing new is made");
  coordination_.SetAvailable(true);
  EXPECT_TRUE(ConnectedWithin(seconds(10)));
  EXPECT_EQ(watch_.Describe(), "");
}

TEST_F(ConnectionWatchTest, OneThatWasNeverReachedIsAway) {
  coordination_.SetAvailable(false);
  scheduler_.RunFor(seconds(3));
  EXPECT_TRUE(watch_.away());
}

TEST_F(ConnectionWatchTest, AShortAbsenceIsNone) {
  ASSERT_TRUE(ConnectedWithin(seconds(5)));
  client_->Disconnect();  // connects again after 200 ms
  for (int i = 0; i < 30; ++i) {
    scheduler_.RunFor(std::chrono::milliseconds(100));
    EXPECT_FALSE(watch_.away());
  }
}

}  // namespace
}  // namespace ebla::coordination
