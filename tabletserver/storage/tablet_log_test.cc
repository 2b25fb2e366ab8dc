// The store's demands on its log beyond the log's own tests: states are on the disk before the records that they
// explain.
#include "tabletserver/storage/tablet_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tabletserver/storage/log/log_follower.h"
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/testing/hooked_log_disk.h"
#include "tabletserver/storage/testing/simulated_log_disk.h"
#include "tabletserver/storage/unresolved_writes.h"

namespace ebla::tabletserver {
namespace {

constexpr TabletId kParent{1}, kChild{2};

struct Owner final : LogOwner {
  Status status() const override { return dead; }
  Status Fail(Status reason) override { return dead = std::move(reason); }
  DiskRoom room() const override { return has; }
  void NoteWritten(int64_t) override {}

  Status dead;
  DiskRoom has = DiskRoom::kAll;
};

class TabletLogTest : public ::testing::Test {
 protected:
  void SetUp() override { Begin(); }
  void Begin() {
    log_.reset();
    shared_.reset();
    auto opened = SharedLog::Open(hooks_, options_);
    ASSERT_TRUE(opened.has_value()) << opened.error();
    shared_ = *std::move(opened);
    log_ = std::make_unique<TabletLog>(*shared_, owner_);
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
  SharedLogOptions options_;
  SimulatedLogDisk disk_{1};
  HookedLogDisk hooks_{disk_};
  std::unique_ptr<SharedLog> shared_;
  std::unique_ptr<TabletLog> log_;
};

// ---- room ----------------------------------------------------------------------------------------------------------

LogEntry WriteOf(uint64_t lsn, std::vector<bool> deletes) {
  LogEntry entry;
  entry.version = {Epoch{1}, Lsn{lsn}};
  for (const bool is_delete : deletes) {
    Effect& effect = entry.effects.emplace_back();
    effect.key = "k" + std::to_string(entry.effects.size());
    effect.is_delete = is_delete;
  }
  return entry;
}

TEST_F(TabletLogTest, BelowTheReserveOnlyDeletesPass) {
  uint64_t last = 0;
  const auto append = [&](std::vector<bool> deletes, bool admitted = false, EntryKind kind = EntryKind::kWrite) {
    LogEntry entry = WriteOf(last + 1, std::move(deletes));
    entry.kind = kind;
    const AppendBatch batch{.tablet = kParent, .entries = {&entry}, .admitted = admitted};
    const Status appended = log_->Append({&batch, 1});
    last += appended.ok() ? 1 : 0;
    return appended.code();
  };
  owner_.has = DiskRoom::kDeletes;
  EXPECT_EQ(append({false}), Code::kOverloaded);
  EXPECT_EQ(append({true, true}), Code::kOk);
  EXPECT_EQ(append({true, false, true}), Code::kOverloaded) << "all effects of a write are deletes, or it is none";
  EXPECT_EQ(append({false}, true), Code::kOk) << "its leader had room for it";
  owner_.has = DiskRoom::kNone;
  EXPECT_EQ(append({true}), Code::kOverloaded);
  EXPECT_EQ(append({false}, true), Code::kOverloaded);
  EXPECT_EQ(append({}, false, EntryKind::kBarrier), Code::kOk);
  EXPECT_EQ(append({true}, false, EntryKind::kPurge), Code::kOk);
  owner_.has = DiskRoom::kAll;
  EXPECT_EQ(append({false}), Code::kOk);
}

// ---- states --------------------------------------------------------------------------------------------------------

// A split: the child's state is put, and the parent's records shrink in a checkpoint that may come at once.
TEST_F(TabletLogTest, AStateIsOnTheDiskBeforeRecordsThatItExplains) {
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

TEST_F(TabletLogTest, AnApplyWaitsForNoDiskButForAStateOfItsTablets) {
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

// Applied entries are committed, and may be in a checkpoint before this log has them on the disk.
TEST_F(TabletLogTest, ALogThatHasNotWhatIsAppliedIsDropped) {
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

// A suffix of an old primary was removed and replaced by other entries. The crash leaves the suffix. And a log that
// only lacks its end.
TEST_F(TabletLogTest, OfALogThatIsDroppedWhatTheHistoryHasIsSettledAndNothingElse) {
  using Fate = LogFollower::Fate;
  const auto append = [&](TabletId tablet, std::vector<uint64_t> epochs) {
    std::vector<LogEntry> entries(epochs.size());
    AppendBatch batch{.tablet = tablet, .entries = {}};
    for (size_t i = 0; i < epochs.size(); ++i) {
      entries[i].version = {Epoch{epochs[i]}, Lsn{i + 1}};
      batch.entries.push_back(&entries[i]);
    }
    ASSERT_TRUE(log_->Append({&batch, 1}).ok());
  };
  const auto fates = [&](TabletId tablet) {
    std::vector<Fate> found;
    const LogPlace before{.segment = 1, .offset = kLogBlock, .bytes = 1};
    for (const uint64_t lsn : {1, 2, 3}) found.push_back(LogFollower(*shared_).FateOf(tablet, Lsn{lsn}, before));
    return found;
  };
  const auto recover = [&](TabletId tablet, Version applied, std::vector<EpochStart> starts) {
    RecoveredReplica replica{.tablet = tablet, .state = {}};
    replica.applied.emplace().applied = applied;
    replica.applied->epoch_starts = std::move(starts);
    ASSERT_TRUE(log_->Recover(replica).ok());
    EXPECT_EQ(replica.last_logged, Version{});
  };
  constexpr TabletId kForked{10}, kReplaced{11}, kShort{12}, kForgotten{13};
  append(kForked, {1, 1, 1});
  append(kReplaced, {1, 1, 1});
  append(kShort, {1, 2, 2});
  append(kForgotten, {1, 1, 1});
  ASSERT_TRUE(log_->Flush(FlushMode::kSync).ok());
  CrashOfTheMachine();
  const std::vector<EpochStart> history = {{Epoch{1}, Lsn{1}}, {Epoch{2}, Lsn{2}}};
  recover(kForked, {Epoch{2}, Lsn{5}}, history);
  recover(kReplaced, {Epoch{2}, Lsn{3}}, history);
  recover(kShort, {Epoch{2}, Lsn{5}}, history);
  recover(kForgotten, {Epoch{9}, Lsn{5}}, {{Epoch{9}, Lsn{5}}});
  EXPECT_THAT(fates(kForked), ::testing::Each(Fate::kCut));
  EXPECT_THAT(fates(kReplaced), ::testing::Each(Fate::kCut));
  EXPECT_THAT(fates(kShort), ::testing::Each(Fate::kSettled));
  EXPECT_THAT(fates(kForgotten), ::testing::Each(Fate::kCut)) << "the history begins behind it";
}

// ---- damage ---------------------------------------------------------------------------------------------------------

const LogScrub::Pace kAtOnce = [](int64_t) { return true; };

class DamagedLogTest : public TabletLogTest {
 protected:
  void SetUp() override {
    options_ = {.segment_bytes = 64 << 10, .tail_bytes = 0};  // what is written is read from the disk
    Begin();
  }
  Status Append(TabletId tablet, Lsn lsn, const std::string& value) {
    LogEntry entry;
    entry.version = {Epoch{1}, lsn};
    entry.effects.emplace_back().value = value;
    const AppendBatch batch{.tablet = tablet, .entries = {&entry}};
    EBLA_TRY(log_->Append({&batch, 1}));
    return log_->Flush(FlushMode::kSync);
  }
  void Damage(std::string_view text) {
    const std::vector<uint64_t> segments = *disk_.List();
    for (const uint64_t segment : segments) {
      auto file = disk_.Open(segment);
      const size_t at = (*file)->Read(0, *(*file)->Size())->find(text);
      if (at != std::string::npos) return disk_.Damage(segment, static_cast<int64_t>(at));
    }
    ADD_FAILURE() << "no segment has " << text;
  }
  // Does the same as the watcher while the log rests.
  void Rest() {
    for (int looks = 0; looks < 2; ++looks) ASSERT_TRUE(log_->MarkEndAtRest().ok());
  }
};

TEST_F(DamagedLogTest, AStateThatTheDiskHasLostIsPutAgain) {
  ReplicaState state = Promised(3);
  state.schema = "the schema of it";
  ASSERT_TRUE(log_->PutState(kParent, state).ok());
  ASSERT_TRUE(log_->Flush(FlushMode::kSync).ok());
  Damage("the schema of it");
  ASSERT_TRUE(log_->Scrub(kAtOnce).ok());
  EXPECT_EQ(PromisedBy(kParent), 3u);
  EXPECT_TRUE(log_->Damaged().empty());
  ASSERT_TRUE(log_->Clean().ok());
  Begin();
  EXPECT_EQ(PromisedBy(kParent), 3u);
}

// Without that note a start would take a store that has lost its inventory for one of a build without one.
TEST_F(DamagedLogTest, TheNoteOfTheInventoryIsPutAgain) {
  ASSERT_TRUE(shared_->Put(kInventoriedKey, EncodeInventoried()).ok());
  ASSERT_TRUE(log_->Flush(FlushMode::kSync).ok());
  Damage("\1" + std::string(kInventoriedKey) + EncodeInventoried());
  ASSERT_TRUE(log_->Scrub(kAtOnce).ok());
  EXPECT_TRUE(owner_.dead.ok()) << owner_.dead;
  EXPECT_EQ(shared_->Get(kInventoriedKey)->value_or(""), EncodeInventoried());
}

// One hint fewer: the other writes are delivered, and the server lives.
TEST_F(DamagedLogTest, AWriteThatTheDiskHasLostIsCountedOutAndCostsNothingElse) {
  for (const bool by_scrub : {true, false}) {
    Begin();
    UnresolvedWrites unresolved(*log_);
    const TableId table{7};
    for (uint64_t lsn = 1; lsn <= 3; ++lsn) {
      LogEntry entry;
      entry.version = {Epoch{by_scrub ? 2u : 1u}, Lsn{lsn}};
      entry.effects.emplace_back().value = "hint " + std::to_string(lsn);
      const LogEntry* const entries[] = {&entry};
      ASSERT_TRUE(unresolved.Put({}, table, entries).ok());
      ASSERT_TRUE(log_->Flush(FlushMode::kSync).ok());
    }
    const int64_t before = unresolved.hinted().bytes;
    Damage("hint 2");
    if (by_scrub) {
      ASSERT_TRUE(log_->Scrub(kAtOnce).ok());
    }
    const auto listed = unresolved.List(table, {}, 10, 1 << 20);
    ASSERT_TRUE(listed) << listed.error();
    EXPECT_EQ(listed->size(), 2u);
    EXPECT_EQ(unresolved.hinted().entries, 2);
    EXPECT_EQ(unresolved.hinted().bytes, before / 3 * 2);
    EXPECT_TRUE(owner_.dead.ok()) << owner_.dead;
    for (const uint64_t lsn : {1u, 3u}) ASSERT_TRUE(unresolved.Discard({}, {Epoch{by_scrub ? 2u : 1u}, Lsn{lsn}}).ok());
    EXPECT_EQ(unresolved.hinted().bytes, 0);
    ASSERT_TRUE(log_->Clean().ok());
  }
}

TEST_F(DamagedLogTest, WhatStandsBeforeADamagedEntryIsRead) {
  for (uint64_t lsn = 1; lsn <= 3; ++lsn) ASSERT_TRUE(Append(kParent, Lsn{lsn}, "entry " + std::to_string(lsn)).ok());
  Damage("entry 2");
  const auto before = log_->Read(kParent, Lsn{1}, Lsn{3}, 1 << 20);
  ASSERT_TRUE(before) << before.error();
  EXPECT_EQ(before->size(), 1u);
  EXPECT_EQ(log_->Read(kParent, Lsn{2}, Lsn{3}, 1 << 20).error().code(), Code::kUnavailable);
  EXPECT_EQ(log_->Read(kParent, Lsn{3}, Lsn{3}, 1 << 20)->size(), 1u);
  EXPECT_THAT(log_->Damaged(), ::testing::ElementsAre(kParent));
  EXPECT_EQ(log_->Bounds(kParent).first, Lsn{1});
  EXPECT_TRUE(owner_.dead.ok()) << owner_.dead;
}

// Nobody scrubs: what finds damage while it cleans moves off it, too.
TEST_F(DamagedLogTest, CleaningMovesOffWhatItFindsDamaged) {
  options_ = {.segment_bytes = 16 << 10, .tail_bytes = 0, .kept_segments = 0};
  Begin();
  ASSERT_TRUE(Append(kChild, Lsn{1}, "quiet and damaged").ok());
  ASSERT_TRUE(Append(kParent, Lsn{1}, "quiet and whole").ok());
  for (uint64_t lsn = 2; lsn <= 6; ++lsn) ASSERT_TRUE(Append(kParent, Lsn{lsn}, std::string(3'000, 'x')).ok());
  Damage("quiet and damaged");
  ASSERT_TRUE(log_->Clean().ok());
  EXPECT_THAT(log_->Damaged(), ::testing::ElementsAre(kChild));
  ASSERT_TRUE(log_->Forget(kChild, Lsn{}).ok());
  ASSERT_TRUE(log_->Clean().ok());
  Begin();
  EXPECT_EQ(log_->Read(kParent, Lsn{1}, Lsn{6}, 1 << 20)->size(), 6u);
}

// The append is acknowledged, and the log rests: damage of it must not look like what a crash has left.
TEST_F(DamagedLogTest, AWriteThatComesWhileTheEndIsMarkedGetsAMarkOfItsOwn) {
  for (const bool before : {true, false}) {  // during the sync before the mark; during the mark's own
    if (before) {
      ASSERT_TRUE(log_->Put("key", "what is still to be synced").ok());
    }
    LogEntry entry;
    entry.version = {Epoch{1}, Lsn{1}};
    hooks_.on_sync = [&, once = true]() mutable {
      const AppendBatch batch{.tablet = kChild, .entries = {&entry}};
      if (std::exchange(once, false)) {
        ASSERT_TRUE(log_->Append({&batch, 1}).ok());
      }
    };
    Rest();
    hooks_.on_sync = nullptr;
    ASSERT_TRUE(log_->Flush(FlushMode::kSync).ok());
    const uint64_t written = shared_->changed();
    Rest();
    EXPECT_EQ(shared_->changed(), written + 1);
    Rest();
    EXPECT_EQ(shared_->changed(), written + 1) << "one is enough";
    ASSERT_TRUE(log_->Forget(kChild, Lsn{}).ok());
  }
}

}  // namespace
}  // namespace ebla::tabletserver
