// What is known of a replica's applied entries while it goes.
#include "tabletserver/storage/wiredtiger/wt_tablet_states.h"

#include <gtest/gtest.h>

#include "tabletserver/storage/testing/simulated_log_disk.h"
#include "tabletserver/storage/testing/system_tables_fixture.h"

namespace ebla::tabletserver {
namespace {

constexpr TabletId kGoing{5};

struct LivingOwner final : LogOwner {
  Status status() const override { return {}; }
  Status Fail(Status reason) override { return reason; }
  bool writes_refused() const override { return false; }
  void NoteWritten(int64_t) override {}
};

class WtTabletStatesTest : public testing::SystemTablesTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(SystemTablesTest::SetUp());
    auto log = SharedLog::Open(disk_);
    ASSERT_TRUE(log.has_value()) << log.error();
    shared_ = *std::move(log);
    log_ = std::make_unique<StoreLog>(*shared_, owner_);
    states_ = std::make_unique<WtTabletStates>(*sessions_, *log_, dedup_rows_);
  }

  SimulatedLogDisk disk_{1};
  LivingOwner owner_;
  std::unique_ptr<SharedLog> shared_;
  std::unique_ptr<StoreLog> log_;
  WtDedupRows dedup_rows_;
  std::unique_ptr<WtTabletStates> states_;
};

// Whoever reads the log between the two must not take what was applied for never committed.
TEST_F(WtTabletStatesTest, WhatWasAppliedLastIsKnownUntilTheLogHasItsCut) {
  ApplyBatch batch;
  batch.tablet = kGoing;
  batch.state.applied = {Epoch{1}, Lsn{9}};
  states_->NoteApplied({&batch, 1});
  const Result<Lsn> last = states_->Forget(kGoing);
  ASSERT_TRUE(last.has_value()) << last.error();
  EXPECT_EQ(*last, Lsn{9});
  EXPECT_EQ(states_->LastApplied(kGoing), Lsn{9});
  EXPECT_TRUE(states_->Applied().empty());
  states_->ForgetLast(kGoing);
  EXPECT_EQ(states_->LastApplied(kGoing), Lsn{});
}

}  // namespace
}  // namespace ebla::tabletserver
