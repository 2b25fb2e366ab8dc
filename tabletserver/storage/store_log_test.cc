// What the store asks of its log beyond what the log's own tests show: states on the disk before what they explain.
#include "tabletserver/storage/store_log.h"

#include <gtest/gtest.h>

#include "tabletserver/storage/memory/simulated_log_disk.h"
#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {
namespace {

constexpr TabletId kParent{1}, kChild{2};

struct Owner final : LogOwner {
  Status status() const override { return dead; }
  Status Fail(Status reason) override { return dead = std::move(reason); }
  bool writes_refused() const override { return false; }
  void NoteWritten(int64_t) override {}

  Status dead;
};

class StoreLogTest : public ::testing::Test {
 protected:
  void SetUp() override { Begin(); }
  void Begin() {
    log_.reset();
    shared_.reset();
    auto opened = SharedLog::Open(disk_);
    ASSERT_TRUE(opened.has_value()) << opened.error();
    shared_ = *std::move(opened);
    log_ = std::make_unique<StoreLog>(*shared_, owner_);
  }
  void CrashOfTheMachine() {
    disk_.CrashNow(SimulatedLogDisk::CrashKind::kMachine);
    log_.reset();
    shared_.reset();
    disk_.Restart();
    Begin();
  }
  static ReplicaState Promised(uint64_t epoch) {
    ReplicaState state;
    state.table = TableId{7};
    state.promised = Epoch{epoch};
    return state;
  }
  uint64_t PromisedBy(TabletId tablet) {
    const auto value = log_->Get(ReplicaStateKey(tablet));
    if (!value || !*value) return 0;
    return DecodeReplicaState(**value)->promised.value;
  }
  Status SyncStatesOf(std::vector<TabletId> tablets) {
    std::vector<ApplyBatch> batches;
    for (const TabletId tablet : tablets) batches.emplace_back().tablet = tablet;
    return log_->SyncStates(batches);
  }

  Owner owner_;
  SimulatedLogDisk disk_{1};
  std::unique_ptr<SharedLog> shared_;
  std::unique_ptr<StoreLog> log_;
};

// A split: the child's state is put, and the parent's records shrink in a checkpoint that may come at once.
TEST_F(StoreLogTest, AStateIsOnTheDiskBeforeRecordsThatItExplains) {
  ASSERT_TRUE(log_->PutState(kChild, Promised(3)).ok());
  ASSERT_TRUE(SyncStatesOf({kParent, kChild}).ok());
  ASSERT_TRUE(log_->PutState(kParent, Promised(4)).ok());
  CrashOfTheMachine();
  EXPECT_EQ(PromisedBy(kChild), 3u);
  EXPECT_EQ(PromisedBy(kParent), 0u) << "nothing was to be explained by it";

  ASSERT_TRUE(log_->PutState(kParent, Promised(5)).ok());
  ASSERT_TRUE(log_->SyncStates().ok());
  CrashOfTheMachine();
  EXPECT_EQ(PromisedBy(kParent), 5u);
}

TEST_F(StoreLogTest, AnApplyWaitsForNoDiskButForAStateOfItsTablets) {
  ASSERT_TRUE(log_->PutState(kParent, Promised(1)).ok());
  ASSERT_TRUE(log_->Flush(FlushMode::kSync).ok());
  const int64_t before = log_->syncs();
  ASSERT_TRUE(SyncStatesOf({kParent}).ok());
  ASSERT_TRUE(log_->PutState(kChild, Promised(1)).ok());
  ASSERT_TRUE(SyncStatesOf({kParent}).ok());
  EXPECT_EQ(log_->syncs(), before);
  ASSERT_TRUE(SyncStatesOf({kParent, kChild}).ok());
  EXPECT_EQ(log_->syncs(), before + 1);
  ASSERT_TRUE(SyncStatesOf({kParent, kChild}).ok());
  ASSERT_TRUE(log_->SyncStates().ok());
  EXPECT_EQ(log_->syncs(), before + 1);
}

// What is applied is committed, and may be in a checkpoint before this log has it on the disk.
TEST_F(StoreLogTest, ALogThatHasNotWhatIsAppliedIsDropped) {
  const auto append = [&](Epoch epoch, Lsn first, Lsn last) {
    std::vector<LogEntry> entries;
    for (Lsn lsn = first; lsn <= last; lsn = lsn.Next()) entries.emplace_back().version = {epoch, lsn};
    AppendBatch batch{.tablet = kParent, .entries = {}};
    for (const LogEntry& entry : entries) batch.entries.push_back(&entry);
    ASSERT_TRUE(log_->Append({&batch, 1}).ok());
  };
  const auto recovered = [&](Version applied) {
    RecoveredReplica replica{.tablet = kParent, .state = {}};
    replica.applied.emplace().applied = applied;
    EXPECT_TRUE(log_->Recover(replica).ok());
    return std::pair(replica.first_logged.lsn.value, replica.last_logged.lsn.value);
  };
  append(Epoch{1}, Lsn{1}, Lsn{9});
  ASSERT_TRUE(log_->Flush(FlushMode::kSync).ok());
  EXPECT_EQ(recovered({Epoch{1}, Lsn{5}}), std::pair(uint64_t{1}, uint64_t{9}));
  ASSERT_TRUE(log_->RemoveSuffix(kParent, Lsn{5}).ok());
  append(Epoch{2}, Lsn{5}, Lsn{6});
  CrashOfTheMachine();
  EXPECT_EQ(log_->Read(kParent, Lsn{1}, Lsn{9}, SIZE_MAX)->size(), 9u) << "as before the suffix was removed";
  EXPECT_EQ(recovered({Epoch{2}, Lsn{6}}), std::pair(uint64_t{0}, uint64_t{0}));
  append(Epoch{2}, Lsn{7}, Lsn{7});
  EXPECT_EQ(recovered({Epoch{2}, Lsn{6}}), std::pair(uint64_t{7}, uint64_t{7}));
  CrashOfTheMachine();
  EXPECT_EQ(recovered({Epoch{2}, Lsn{12}}), std::pair(uint64_t{0}, uint64_t{0})) << "it ends before";
}

}  // namespace
}  // namespace ebla::tabletserver
