// Replicas whose log has holes.
#include "tabletserver/storage/salvaged_replicas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tabletserver/storage/testing/simulated_log_disk.h"

namespace ebla::tabletserver {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr TableId kTable{7};
constexpr TabletId kOne{1}, kTwo{2}, kThree{3};

struct Owner final : LogOwner {
  Status status() const override { return dead; }
  Status Fail(Status reason) override { return dead = std::move(reason); }
  DiskRoom room() const override { return DiskRoom::kAll; }
  void NoteWritten(int64_t) override {}

  Status dead;
};

RecoveredReplica Replica(TabletId tablet, uint64_t applied = 0) {
  RecoveredReplica replica;
  replica.tablet = tablet;
  replica.state.table = kTable;
  if (applied > 0) replica.applied.emplace().applied = {Epoch{1}, Lsn{applied}};
  return replica;
}

class SalvagedReplicasTest : public ::testing::Test {
 protected:
  SalvagedReplicasTest() { Open({}); }

  void Open(SharedLogOptions options) {
    log_.reset();
    shared_.reset();
    options.segment_bytes = 128 << 10;
    auto opened = SharedLog::Open(disk_, std::move(options));
    EXPECT_TRUE(opened) << opened.error();
    shared_ = *std::move(opened);
    log_ = std::make_unique<TabletLog>(*shared_, owner_);
  }
  // One frame with one entry.
  void Append(TabletId tablet, uint64_t lsn, uint64_t epoch = 1) {
    LogEntry entry;
    entry.version = {Epoch{epoch}, Lsn{lsn}};
    const AppendBatch batch{.tablet = tablet, .entries = {&entry}};
    ASSERT_TRUE(log_->Append({&batch, 1}).ok());
    ASSERT_TRUE(log_->Flush(FlushMode::kSync).ok());
  }
  // Frames are counted from 1.
  std::vector<UnsalvagedPart> SalvageWithout(const std::vector<int64_t>& frames,
                                             std::vector<RecoveredReplica>& replicas) {
    const LogExtent extent = shared_->extent();
    for (const int64_t frame : frames) disk_.Damage(1, frame * kLogBlock + 20);
    SalvagedReplicas salvaged;
    Open({.expected = extent, .salvage = &salvaged.holes()});
    const Status kept = salvaged.Keep(*log_, replicas);
    EXPECT_TRUE(kept.ok()) << kept;
    return salvaged.lost();
  }

  Owner owner_;
  SimulatedLogDisk disk_{1};
  std::unique_ptr<SharedLog> shared_;
  std::unique_ptr<TabletLog> log_;
};

TEST_F(SalvagedReplicasTest, ATabletEndsBeforeItsFirstEntryThatLacks) {
  for (uint64_t lsn = 1; lsn <= 5; ++lsn) {
    Append(kOne, lsn);  // frames 1, 3, 5 and so on
    Append(kTwo, lsn);
  }
  std::vector replicas = {Replica(kOne), Replica(kTwo)};
  const auto lost = SalvageWithout({5}, replicas);
  EXPECT_EQ(log_->Bounds(kOne).last, Lsn{2});
  EXPECT_EQ(log_->Bounds(kTwo).last, Lsn{5}) << "it lacks nothing";
  ASSERT_THAT(lost, SizeIs(1));
  EXPECT_EQ(lost.front().tablet, kOne);
  EXPECT_THAT(lost.front().what, HasSubstr("lacks entry 3, so the entries from there to 5 are left out"));
}

TEST_F(SalvagedReplicasTest, EntriesThatTheRecordsHaveAreNotMissed) {
  for (uint64_t lsn = 1; lsn <= 5; ++lsn) Append(kOne, lsn);
  std::vector replicas = {Replica(kOne, 3)};
  EXPECT_THAT(SalvageWithout({2, 3}, replicas), IsEmpty());
  EXPECT_EQ(log_->Bounds(kOne).last, Lsn{5});
  EXPECT_EQ(log_->Read(kOne, Lsn{4}, Lsn{9}, 1000)->size(), 2u);
}

TEST_F(SalvagedReplicasTest, AfterALostCutTheOldEndDoesNotCount) {
  for (uint64_t lsn = 1; lsn <= 5; ++lsn) Append(kOne, lsn);
  ASSERT_TRUE(log_->RemoveSuffix(kOne, Lsn{3}).ok());
  ASSERT_TRUE(log_->Flush(FlushMode::kSync).ok());  // frame 6
  Append(kOne, 3, 2);
  std::vector replicas = {Replica(kOne)};
  EXPECT_THAT(SalvageWithout({6}, replicas), SizeIs(1));
  EXPECT_EQ(log_->Bounds(kOne).last, Lsn{3});
  EXPECT_EQ(log_->Read(kOne, Lsn{3}, Lsn{3}, 1)->front().version.epoch, Epoch{2});
  EXPECT_EQ(replicas.front().state.promised, Epoch{2}) << "no state of that epoch is there";
}

TEST_F(SalvagedReplicasTest, ATabletThatWasMadeBehindAGapIsLeftOut) {
  for (uint64_t lsn = 1; lsn <= 4; ++lsn) Append(kOne, lsn);
  Append(kTwo, 5);
  Append(kThree, 6);
  std::vector replicas = {Replica(kOne), Replica(kTwo), Replica(kThree)};
  replicas[1].state.lineage_parent = kOne;
  replicas[1].state.lineage_lsn = Lsn{4};
  replicas[2].state.lineage_parent = kTwo;
  replicas[2].state.lineage_lsn = Lsn{5};
  std::vector whole = replicas;
  EXPECT_THAT(SalvageWithout({}, whole), IsEmpty());
  EXPECT_THAT(whole, SizeIs(3));
  const auto lost = SalvageWithout({2}, replicas);
  ASSERT_THAT(replicas, SizeIs(1));
  EXPECT_EQ(replicas.front().tablet, kOne);
  EXPECT_THAT(lost, SizeIs(3));
}

TEST_F(SalvagedReplicasTest, ThePartsOfAMergeBehindAGapLiveOn) {
  for (uint64_t lsn = 1; lsn <= 3; ++lsn) {
    Append(kOne, lsn);
    Append(kTwo, lsn);
  }
  std::vector replicas = {Replica(kOne), Replica(kTwo), Replica(kThree)};
  replicas[0].state.tombstone = replicas[1].state.tombstone = true;
  const Version freeze{Epoch{1}, Lsn{3}};
  replicas[2].state.merged = Merged{{kOne, {"", "m"}, freeze}, {kTwo, {"m", ""}, freeze}, {Epoch{1}, Lsn{4}}};
  std::vector whole = replicas;
  EXPECT_THAT(SalvageWithout({}, whole), IsEmpty());
  EXPECT_THAT(whole, SizeIs(3));
  EXPECT_THAT(SalvageWithout({3}, replicas), SizeIs(1));
  ASSERT_THAT(replicas, SizeIs(2));
  EXPECT_TRUE(replicas[0].state.present() && replicas[1].state.present());
}

TEST_F(SalvagedReplicasTest, AnUnfinishedCopyIsLeftOut) {
  std::vector replicas = {Replica(kOne), Replica(kTwo)};
  replicas[1].state.incomplete = true;
  const auto lost = SalvageWithout({}, replicas);
  ASSERT_THAT(lost, SizeIs(1));
  EXPECT_EQ(lost.front().tablet, kTwo);
  EXPECT_THAT(replicas, SizeIs(1));
}

}  // namespace
}  // namespace ebla::tabletserver
