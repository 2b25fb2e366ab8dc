// The entries that a reader of a server's log gets: all committed ones, also of tablets that are gone, and no others.
#include "tabletserver/storage/log_feeder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/testing/eventually.h"
#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TableId kTable{7};
constexpr TabletId kTablet{70}, kSecond{71}, kMerged{72};
constexpr size_t kMuch = 1 << 30;

class LogFeederTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Reopen();
    ASSERT_TRUE(store_->EnsureTable(kTable, TableCompression::kNone).ok());
    for (const TabletId tablet : {kTablet, kSecond}) ASSERT_TRUE(store_->PutReplicaState(tablet, Present()).ok());
  }
  void Reopen() {
    opened_.reset();
    WtStoreOptions options = SmallStore(directory_ / "store", flusher_, background_);
    options.log_file_bytes = 64 << 10;
    options.disk_check_period = std::chrono::milliseconds(10);
    auto opened = WtStore::Open(std::move(options));
    ASSERT_TRUE(opened) << opened.error();
    opened_ = *std::move(opened);
    store_ = &**opened_;
    ASSERT_TRUE(store_->Recover().has_value());
  }
  static ReplicaState Present() {
    ReplicaState state;
    state.table = kTable;
    return state;
  }
  void Append(TabletId tablet, uint64_t lsn, const std::string& value, uint64_t epoch = 1) {
    LogEntry entry = Entry(lsn, {Put("key", value)});
    entry.version.epoch = Epoch{epoch};
    ASSERT_TRUE(AppendOne(*store_, tablet, entry).ok());
  }
  void Apply(TabletId tablet, uint64_t lsn, uint64_t epoch = 1) {
    LogEntry entry = Entry(lsn, {});
    entry.version.epoch = Epoch{epoch};
    ASSERT_TRUE(ApplyOne(*store_, tablet, kTable, entry).ok());
  }
  void Drop(TabletId tablet) {
    ReplicaState gone = Present();
    gone.tombstone = true;
    ASSERT_TRUE(store_->PutReplicaState(tablet, gone).ok());
  }
  static constexpr uint64_t kLast = 400;
  // A dozen of them, applied, by kTablet's entries from the second to the last.
  void FillSegments() {
    for (uint64_t lsn = 2; lsn <= kLast; ++lsn) Append(kTablet, lsn, std::string(2'000, 'x'));
    for (uint64_t lsn = 2; lsn <= kLast; ++lsn) Apply(kTablet, lsn);
  }
  // "70:1=a" of each entry from the place on.
  std::vector<std::string> Follow(const std::set<TabletId>& pass_over = {}) {
    EXPECT_TRUE(FlushNow(*store_).ok());
    std::vector<std::string> shown;
    while (true) {
      const Result<FeedPage> page =
          store_->Follow({.from = place_, .keep_from = keep_from_, .pass_over = pass_over, .bytes_max = kMuch});
      EXPECT_TRUE(page.has_value()) << page.error();
      if (!page) return shown;
      place_ = page->next;
      lost_ = lost_ || page->lost;
      waits_for_ = page->waits_for;
      for (const FeedStart& start : page->starts) {
        std::string text =
            "start " + std::to_string(start.tablet.value) + "@" + std::to_string(start.lsn.value) + " of";
        for (const auto& [tablet, lsn] : start.origins)
          text += " " + std::to_string(tablet.value) + "@" + std::to_string(lsn.value);
        shown.push_back(text);
      }
      for (const FeedEntry& entry : page->entries) {
        EXPECT_EQ(entry.table, kTable);
        shown.push_back(std::to_string(entry.tablet.value) + ":" + std::to_string(entry.entry.version.lsn.value) + "=" +
                        (entry.entry.effects.empty() ? "" : entry.entry.effects[0].value));
      }
      if (page->at_end || !page->waits_for.empty()) return shown;
    }
  }

  TemporaryDirectory directory_;
  ebla::testing::ThreadExecutor flusher_;
  ebla::testing::ThreadExecutor background_;
  std::unique_ptr<WtStore> opened_;
  TabletStore* store_ = nullptr;  // its
  LogPosition place_, keep_from_;
  bool lost_ = false;
  std::vector<TabletId> waits_for_;
};

TEST_F(LogFeederTest, OnlyWhatIsAppliedAndInItsOrder) {
  Append(kTablet, 1, "a");
  ASSERT_TRUE(FlushNow(*store_).ok());  // what is flushed together is shown together
  Append(kTablet, 2, "b");
  Apply(kTablet, 1);
  EXPECT_THAT(Follow(), ElementsAre("70:1=a"));
  EXPECT_THAT(waits_for_, ElementsAre(kTablet)) << "the second is not committed as far as this server knows";
  EXPECT_THAT(Follow(), IsEmpty());
  Apply(kTablet, 2);
  Append(kSecond, 1, "x");
  Apply(kSecond, 1);
  EXPECT_THAT(Follow(), ElementsAre("70:2=b", "71:1=x"));
  EXPECT_THAT(waits_for_, IsEmpty());
  EXPECT_FALSE(lost_);
}

TEST_F(LogFeederTest, WhatWaitsIsPassedOverOnDemand) {
  Append(kTablet, 1, "never");
  Append(kSecond, 1, "x");
  Apply(kSecond, 1);
  EXPECT_THAT(Follow(), IsEmpty());
  EXPECT_THAT(Follow({kTablet}), ElementsAre("71:1=x"));
}

// Another tablet's latest entry is no hole that the reader has asked for.
TEST_F(LogFeederTest, OnlyTheTabletsThatAreNamedArePassedOver) {
  Append(kTablet, 1, "never");
  ASSERT_TRUE(FlushNow(*store_).ok());
  Append(kSecond, 1, "x");
  EXPECT_THAT(Follow(), IsEmpty());
  EXPECT_THAT(waits_for_, ElementsAre(kTablet));
  EXPECT_THAT(Follow({kTablet}), IsEmpty());
  EXPECT_THAT(waits_for_, ElementsAre(kSecond));
  Apply(kSecond, 1);
  EXPECT_THAT(Follow({kTablet}), ElementsAre("71:1=x"));
}

TEST_F(LogFeederTest, AllThatOneFrameWaitsForAreTold) {
  Append(kTablet, 1, "never");
  Append(kSecond, 1, "nor this");
  EXPECT_THAT(Follow(), IsEmpty());
  EXPECT_THAT(waits_for_, ElementsAre(kTablet, kSecond));
}

TEST_F(LogFeederTest, WhatWasCutOffIsNeverShownThoughItsPlaceWasTakenAndApplied) {
  Append(kTablet, 1, "a");
  Append(kTablet, 2, "of an old primary", 1);
  ASSERT_TRUE(store_->RemoveSuffix(kTablet, Lsn{2}).ok());
  Append(kTablet, 2, "committed", 3);
  Apply(kTablet, 1);
  Apply(kTablet, 2, 3);
  EXPECT_THAT(Follow(), ElementsAre("70:1=a", "70:2=committed"));
  place_ = {};
  Reopen();
  EXPECT_THAT(Follow(), ElementsAre("70:1=a", "70:2=committed")) << "what was cut is known after a start, too";
}

TEST_F(LogFeederTest, ADroppedReplicaLeavesWhatItHadAppliedAndNothingElse) {
  Append(kTablet, 1, "a");
  Append(kTablet, 2, "never committed");
  Apply(kTablet, 1);
  Drop(kTablet);
  ASSERT_TRUE(store_->ForgetReplica(kTablet).ok());
  EXPECT_THAT(Follow(), ElementsAre("70:1=a"));
  // It returns as a copy, further on, and its second entry is another one.
  ASSERT_TRUE(store_->PutReplicaState(kTablet, Present()).ok());
  Append(kTablet, 3, "c");
  Apply(kTablet, 3);
  place_ = {};
  EXPECT_THAT(Follow(), ElementsAre("70:1=a", "70:3=c"));
}

TEST_F(LogFeederTest, ADroppedReplicaLeavesWhatItHadAppliedThoughItsLogWasTruncated) {
  Append(kTablet, 1, "a");
  Apply(kTablet, 1);
  ASSERT_TRUE(store_->TruncateLog(kTablet, Lsn{2}).ok());
  ASSERT_EQ(store_->FirstLogged(kTablet), Lsn{});
  Drop(kTablet);
  ASSERT_TRUE(store_->ForgetReplica(kTablet).ok());
  EXPECT_THAT(Follow(), ElementsAre("70:1=a"));
}

TEST_F(LogFeederTest, ADroppedReplicaLeavesWhatItHadAppliedThoughItIsForgottenAfterAStart) {
  Append(kTablet, 1, "a");
  Apply(kTablet, 1);
  ASSERT_TRUE(CheckpointNow(*store_));
  Drop(kTablet);
  Reopen();
  const LogPosition begun = place_;
  EXPECT_THAT(Follow(), ElementsAre("70:1=a"));
  ASSERT_TRUE(store_->ForgetReplica(kTablet).ok());
  place_ = begun;
  EXPECT_THAT(Follow(), ElementsAre("70:1=a"));
}

TEST_F(LogFeederTest, TabletsAreBornOfOthers) {
  ReplicaState state = Present();
  state.merged = Merged{.left = {.tablet = kTablet, .range = {"", "m"}, .freeze = {Epoch{1}, Lsn{4}}},
                        .right = {.tablet = kSecond, .range = {"m", ""}, .freeze = {Epoch{2}, Lsn{9}}},
                        .position = {Epoch{3}, Lsn{10}}};
  ASSERT_TRUE(store_->PutReplicaState(kMerged, state).ok());
  LogEntry split = Entry(1, {}, EntryKind::kSplit);
  split.detail = EncodeSplitDetail({.child = TabletId{99}, .key = "k", .primary = "ts-1", .voters = {"ts-1"}});
  ASSERT_TRUE(AppendOne(*store_, kTablet, split).ok());
  Apply(kTablet, 1);
  EXPECT_THAT(Follow(), ElementsAre("start 72@10 of 70@4 71@9", "start 99@1 of 70@1", "70:1="));
}

// A reply must fit into what an RPC may carry.
TEST_F(LogFeederTest, WhatIsAppendedAtOnceComesInPages) {
  EXPECT_THAT(Follow(), IsEmpty());
  constexpr uint64_t kEntries = 20;
  std::vector<LogEntry> entries;
  for (uint64_t lsn = 1; lsn <= kEntries; ++lsn) entries.push_back(Entry(lsn, {Put("key", std::string(1 << 20, 'x'))}));
  std::vector<AppendBatch> batches = {{kTablet, {}}, {kSecond, {}}};
  for (const LogEntry& entry : entries) {
    batches[0].entries.push_back(&entry);
    if (entry.version.lsn <= Lsn{2}) batches[1].entries.push_back(&entry);
  }
  ASSERT_TRUE(store_->Append(batches).ok());
  ASSERT_TRUE(FlushNow(*store_).ok());
  for (uint64_t lsn = 1; lsn <= kEntries; ++lsn) Apply(kTablet, lsn);
  for (uint64_t lsn = 1; lsn <= 2; ++lsn) Apply(kSecond, lsn);
  size_t shown = 0;
  for (bool at_end = false; !at_end;) {
    const Result<FeedPage> page = store_->Follow({.from = place_, .pass_over = {}, .bytes_max = 1 << 20});
    ASSERT_TRUE(page) << page.error();
    size_t bytes = 0;
    for (const FeedEntry& entry : page->entries) bytes += entry.entry.ApproximateBytes();
    EXPECT_LT(bytes, size_t{8} << 20);
    shown += page->entries.size();
    place_ = page->next;
    at_end = page->at_end;
  }
  EXPECT_EQ(shown, kEntries + 2);
  EXPECT_EQ(DumpLog(*store_, kSecond), "1.1 1.2");
}

// Its state is kept, so that it never returns, and moves on in the log.
TEST_F(LogFeederTest, ATabletThatIsGoneIsNotBornAgain) {
  ReplicaState state = Present();
  state.lineage_parent = kTablet;
  state.lineage_lsn = Lsn{4};
  state.tombstone = true;
  ASSERT_TRUE(store_->PutReplicaState(kMerged, state).ok());
  EXPECT_THAT(Follow(), IsEmpty());
  state.tombstone = false;
  ASSERT_TRUE(store_->PutReplicaState(kMerged, state).ok());
  EXPECT_THAT(Follow(), ElementsAre("start 72@4 of 70@4"));
}

TEST_F(LogFeederTest, WhatIsTruncatedMeanwhileIsShownAllTheSame) {
  Append(kTablet, 1, "first");
  Apply(kTablet, 1);
  EXPECT_THAT(Follow(), ElementsAre("70:1=first"));
  FillSegments();
  ASSERT_TRUE(store_->TruncateLog(kTablet, Lsn{kLast}).ok());
  EXPECT_EQ(Follow().size(), kLast - 1);
  EXPECT_FALSE(lost_);
}

TEST_F(LogFeederTest, WhatIsTruncatedMeanwhileIsShownAllTheSameAfterAStart) {
  Append(kTablet, 1, "first");
  Apply(kTablet, 1);
  EXPECT_THAT(Follow(), ElementsAre("70:1=first"));
  FillSegments();
  ASSERT_TRUE(store_->TruncateLog(kTablet, Lsn{kLast}).ok());
  for (int start = 0; start < 2; ++start) Reopen();  // each cleans before a reader can ask
  EXPECT_EQ(Follow().size(), kLast - 1);
  EXPECT_FALSE(lost_);
}

TEST_F(LogFeederTest, WhatTheReaderMayComeBackToStays) {
  Append(kTablet, 1, std::string(40'000, 'x'));  // so much of the first segment stays until it is truncated
  Apply(kTablet, 1);
  Reopen();
  EXPECT_EQ(Follow().size(), 1u);
  keep_from_ = place_;
  ASSERT_EQ(keep_from_.segment, 2u);
  FillSegments();
  EXPECT_EQ(Follow().size(), kLast - 1);
  EXPECT_GT(place_.segment, keep_from_.segment + 4);
  EXPECT_THAT(Follow(), IsEmpty());  // from there
  const std::string first_segment = directory_ / "store/log/0000000000000001.log";
  ASSERT_TRUE(std::filesystem::exists(first_segment));
  ASSERT_TRUE(store_->TruncateLog(kTablet, Lsn{kLast}).ok());
  ASSERT_TRUE(ebla::testing::Eventually([&] { return !std::filesystem::exists(first_segment); }));
  place_ = keep_from_;
  EXPECT_EQ(Follow().size(), kLast - 1);
  EXPECT_FALSE(lost_);
}

TEST_F(LogFeederTest, AnotherLogsPlaceBeginsWithTheOldestAndSaysSo) {
  Append(kTablet, 1, "a");
  Apply(kTablet, 1);
  place_ = {.log = 12345, .segment = 999, .offset = 1, .sequence = 9};
  EXPECT_THAT(Follow(), ElementsAre("70:1=a"));
  EXPECT_TRUE(lost_);
}

}  // namespace
}  // namespace ebla::tabletserver::testing
