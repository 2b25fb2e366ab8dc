// One replica of a table in memory: what it answers to a fence and does as a primary whom nobody else's log proves
// wrong (PROTOCOL 5).
#include <gtest/gtest.h>

#include "common/base/lineage.h"
#include "tabletserver/tablet/session_token.h"
#include "tabletserver/testing/core_rig.h"

namespace ebla::tabletserver {
namespace {

using std::chrono::milliseconds;
using testing::CoreRig;

constexpr TabletId kMemoryTablet{9};
constexpr TabletId kLater{kMemoryTablet.value + kLineages}, kLatest{kMemoryTablet.value + 2 * kLineages};

class MemoryTabletTest : public ::testing::Test {
 protected:
  static TabletOptions Options() {
    TabletOptions options;
    options.tablet = kMemoryTablet;
    options.self = "ts-1";
    return options;
  }
  static TabletSchema Schema() {
    TabletSchema schema = CoreRig::DefaultSchema();
    schema.in_memory = true;
    schema.durability = FlushMode::kMemory;
    return schema;
  }
  static ConfigureReplica Roles(uint64_t epoch, const ServerName& primary) {
    ConfigureReplica configure;
    configure.epoch = Epoch{epoch};
    configure.primary = primary;
    configure.voters = {"ts-1", "ts-2", "ts-3"};
    configure.created_empty = epoch == 1;
    configure.fenced = epoch > 1;
    return configure;
  }
  // Of ts-2 in epoch 1, all that it sends being committed.
  void Append(const std::string& key) {
    auto entry = std::make_shared<LogEntry>();
    entry->version = {Epoch{1}, rig_.core().replica().last_appended().lsn.Next()};
    entry->kind = key.empty() ? EntryKind::kBarrier : EntryKind::kWrite;
    if (!key.empty()) entry->effects = {{.key = key, .value = "v"}};
    AppendMessage message{.epoch = Epoch{1},
                          .previous = rig_.core().replica().last_appended(),
                          .entries = {entry},
                          .committed = entry->version.lsn};
    rig_.Receive(PeerRequest{RequestToken{++token_}, "ts-2", std::move(message), rig_.now()});
  }
  void FollowWith(const std::vector<std::string>& keys) {
    rig_.Configure(Roles(1, "ts-2"));
    Append("");
    for (const std::string& key : keys) Append(key);
  }
  ControlReply Fence(uint64_t epoch) {
    rig_.controls.clear();
    rig_.Fence(Epoch{epoch});
    rig_.Tick(milliseconds(2'000));
    EXPECT_FALSE(rig_.controls.empty());
    return rig_.controls.empty() ? ControlReply() : rig_.controls.back();
  }
  std::vector<std::string> Log() {
    std::vector<std::string> log;
    for (const LogEntry& entry : rig_.store().Log()) {
      std::string line = entry.version.ToString();
      if (entry.kind == EntryKind::kBarrier) line += " Barrier";
      if (entry.kind == EntryKind::kSplit) {
        const SplitDetail split = DecodeSplitDetail(entry.detail).value();
        line += " SPLIT " + split.key + " " + std::to_string(split.child.value) + " of " + split.primary;
      }
      log.push_back(std::move(line));
    }
    return log;
  }
  // A copy whose chunks show what its source had applied through `upto`; its log begins after 1.50.
  void Copy(uint64_t upto) {
    rig_.Step(ReceiveCopy{RequestToken{++token_}, "ts-2", 4, Epoch{1}, {Epoch{1}, Lsn{50}}, {Epoch{1}, Lsn{50}}});
    ASSERT_TRUE(rig_.prepare);
    AppliedState applied;
    applied.applied = {Epoch{1}, Lsn{50}};
    applied.epoch_starts = {{Epoch{1}, Lsn{1}}};
    rig_.Install({4, applied, {}});
    // Its end is here, and no round has been made of it yet.
    rig_.core().Step(CopyArrived{RequestToken{++token_}, 4, Lsn{upto}});
  }
  void ReceiveCopyOf() {
    ConfigureReplica configure = Roles(1, "ts-2");
    configure.created_empty = false;
    rig_.Configure(configure);
    ASSERT_TRUE(rig_.core().replica().state().incomplete);
  }

  // What it makes as it begins to lead.
  std::vector<std::shared_ptr<const SplitChild>> ChildrenOf(const ConfigureReplica& lead) {
    rig_.core().Step(ConfigureTablet{.replica = lead, .schema = Schema(), .now = rig_.now()});
    return Drain();
  }
  std::vector<std::shared_ptr<const SplitChild>> Drain() {
    TabletCore& core = rig_.core();
    std::vector<std::shared_ptr<const SplitChild>> children;
    while (core.HasOutput()) {
      const TabletOutput output = core.TakeOutput();
      if (output.replica.state || !output.replica.append.empty()) core.Step(Stored{});
      if (output.replica.flush) core.Step(Flushed{output.replica.flush->number});
      if (output.split != nullptr) children.push_back(output.split);
      if (output.apply) core.Step(Applied{output.apply->state.applied});
    }
    return children;
  }

  CoreRig rig_{Options(), Schema()};
  uint64_t token_ = 1'000;
};

TEST_F(MemoryTabletTest, AFenceSaysWhereTheLogLeavesItToEnd) {
  rig_.Configure(Roles(1, "ts-1"));
  EXPECT_EQ(rig_.controls.back().logged_end, "");
  // Logged, and committed nowhere.
  rig_.Step(SplitTablet{RequestToken{++token_}, Epoch{1}, "m", kLater, rig_.now()});
  EXPECT_EQ(rig_.view->range.end, "");
  EXPECT_EQ(Fence(2).logged_end, "m");
}

// Whoever had them has forgotten them with its process, and the catalog says that they were.
TEST_F(MemoryTabletTest, SplitsThatNoLogHasAreLoggedAgainBeforeTheBarrier) {
  FollowWith({"b", "p"});
  EXPECT_EQ(Fence(3).logged_end, "");
  ConfigureReplica lead = Roles(3, "ts-1");
  lead.presumed = {Epoch{1}, Lsn{3}};
  lead.sole_log = true;
  lead.lost_splits = {{kLater, "m"}, {kLatest, "g"}};
  rig_.Configure(lead);
  EXPECT_EQ(Log(), (std::vector<std::string>{"1.1 Barrier", "1.2", "1.3", "3.4 SPLIT m 73 of ", "3.5 SPLIT g 137 of ",
                                             "3.6 Barrier"}));
  // The others have nothing, and could not be filled from one that ends elsewhere than they do.
  EXPECT_EQ(rig_.core().replica().committed(), Lsn{5});
  EXPECT_EQ(rig_.view->range.end, "g");
  EXPECT_TRUE(InHistory({Epoch{3}, Lsn{4}}, rig_.view->epoch_starts));
  EXPECT_FALSE(rig_.view->barrier_applied);
  EXPECT_TRUE(rig_.view->replaying) << "nobody else has it, so no retry is answered from it";
  rig_.Configure(lead);
  EXPECT_EQ(rig_.core().replica().last_appended(), (Version{Epoch{3}, Lsn{6}})) << "told again, it logs nothing";
}

TEST_F(MemoryTabletTest, WhatTheLogHasIsNotLoggedAgain) {
  rig_.Configure(Roles(1, "ts-1"));
  rig_.Step(SplitTablet{RequestToken{++token_}, Epoch{1}, "m", kLater, rig_.now()});
  Fence(2);
  ConfigureReplica lead = Roles(2, "ts-1");
  lead.lost_splits = {{kLater, "m"}, {kLatest, "g"}};
  rig_.Configure(lead);
  EXPECT_EQ(Log(),
            (std::vector<std::string>{"1.1 Barrier", "1.2 SPLIT m 73 of ts-1", "2.3 SPLIT g 137 of ", "2.4 Barrier"}));
  EXPECT_EQ(rig_.core().replica().committed(), Lsn{}) << "another may have a log";
}

// The catalog says in which epoch the child is led, and by whom.
TEST_F(MemoryTabletTest, TheChildOfALostSplitIsLedByNobody) {
  FollowWith({"b"});
  Fence(3);
  ConfigureReplica lead = Roles(3, "ts-1");
  lead.sole_log = true;
  lead.lost_splits = {{kLater, "m"}};
  const auto children = ChildrenOf(lead);
  ASSERT_EQ(children.size(), 1U);
  const auto& child = children[0];
  EXPECT_FALSE(child->lead);
  TabletOptions options = Options();
  options.tablet = kLater;
  CoreRig born(options, Schema());
  born.Step(BeginChild{child, born.now()});
  EXPECT_EQ(born.core().replica().role(), RoleKind::kFollower);
  EXPECT_FALSE(born.core().replica().epoch()) << "it obeys nobody yet";
  EXPECT_FALSE(born.core().replica().state().led);
}

// It has nothing of what the child wrote since: who has more of that, or of the parent before, is chosen before it.
TEST_F(MemoryTabletTest, TheChildOfALostSplitIsAsOldAsWhatStandsBeforeIt) {
  FollowWith({"b", "p"});
  Fence(9);
  ConfigureReplica lead = Roles(9, "ts-1");
  lead.sole_log = true;
  lead.lost_splits = {{kLater, "m"}, {kLatest, "g"}};
  const auto children = ChildrenOf(lead);
  ASSERT_EQ(children.size(), 2U);
  for (const auto& child : children) {
    EXPECT_EQ(child->applied.applied, (Version{Epoch{1}, Lsn{3}}));
    EXPECT_TRUE(InHistory({Epoch{1}, Lsn{3}}, child->applied.epoch_starts));
    EXPECT_FALSE(InHistory({Epoch{9}, Lsn{4}}, child->applied.epoch_starts)) << "it goes on with another entry there";
    TabletOptions options = Options();
    options.tablet = child->split.child;
    CoreRig born(options, Schema());
    born.Step(BeginChild{child, born.now()});
    born.Fence(Epoch{7});
    born.Tick(milliseconds(2'000));
    ASSERT_FALSE(born.controls.empty());
    EXPECT_TRUE(born.controls.back().status.ok()) << "the parent's epoch is none of its own";
    EXPECT_EQ(born.controls.back().last_appended, (Version{Epoch{1}, Lsn{3}}));
  }
}

// Of five voters two may have a log that lacks the split: the other is sent it.
TEST_F(MemoryTabletTest, AFollowerMakesTheSameOfASplitThatIsLoggedAgain) {
  FollowWith({"b", "p"});
  std::vector<EntryPtr> entries;
  for (const auto& [child, key] : {std::pair(kLater, "m"), std::pair(kLatest, "g")}) {
    LogEntry split;
    split.version = {Epoch{9}, Lsn{4 + entries.size()}};
    split.kind = EntryKind::kSplit;
    split.detail = EncodeSplitDetail({child, key, {}, {"ts-1", "ts-2", "ts-3"}});
    entries.push_back(std::make_shared<const LogEntry>(std::move(split)));
  }
  rig_.Configure(Roles(9, "ts-2"));
  TabletCore& core = rig_.core();
  AppendMessage append{.epoch = Epoch{9}, .previous = {Epoch{1}, Lsn{3}}, .entries = entries, .committed = Lsn{5}};
  core.Step(PeerRequest{RequestToken{++token_}, "ts-2", std::move(append), rig_.now()});
  const auto children = Drain();
  ASSERT_EQ(children.size(), 2u);
  for (const auto& child : children) {
    EXPECT_FALSE(child->lead);
    EXPECT_EQ(child->applied.applied, (Version{Epoch{1}, Lsn{3}}));
    EXPECT_FALSE(InHistory({Epoch{9}, Lsn{4}}, child->applied.epoch_starts));
  }
  EXPECT_EQ(core.range().end, "g");
  EXPECT_TRUE(InHistory({Epoch{9}, Lsn{4}}, core.CurrentView()->epoch_starts));
}

TEST_F(MemoryTabletTest, TheChildOfALostSplitHasNothingWhereNothingStandsBeforeIt) {
  rig_.Configure(Roles(1, "ts-2"));
  Fence(3);
  ConfigureReplica lead = Roles(3, "ts-1");
  lead.sole_log = true;
  lead.lost_splits = {{kLater, "m"}};
  const auto children = ChildrenOf(lead);
  ASSERT_EQ(children.size(), 1U);
  EXPECT_EQ(children[0]->applied.applied, Version());
  TabletOptions options = Options();
  options.tablet = kLater;
  CoreRig born(options, Schema());
  born.Step(BeginChild{children[0], born.now()});
  EXPECT_EQ(born.core().replica().last_appended(), Version());
  ConfigureReplica lead_child = Roles(5, "ts-1");
  lead_child.voters = {"ts-1"};
  born.Configure(lead_child);
  EXPECT_TRUE(born.view->barrier_applied);
}

// "No log" would be read of one that has everything a moment later.
TEST_F(MemoryTabletTest, WhoIsApplyingACopyAnswersAFenceOnceItHas) {
  ReceiveCopyOf();
  Copy(50);
  EXPECT_EQ(Fence(2).status.code(), Code::kComeAgain);
  const ControlReply again = Fence(2);
  EXPECT_TRUE(again.status.ok());
  EXPECT_FALSE(again.incomplete);
  EXPECT_EQ(again.last_appended, (Version{Epoch{1}, Lsn{50}}));
}

TEST_F(MemoryTabletTest, ACopyThatLacksPartOfItsLogEndsWithAFence) {
  ReceiveCopyOf();
  Copy(52);
  const ControlReply fenced = Fence(2);
  EXPECT_TRUE(fenced.status.ok());
  EXPECT_TRUE(fenced.incomplete);
  Append("k");
  Append("l");
  EXPECT_TRUE(rig_.core().replica().state().incomplete) << "what was answered stands";
}

// Nothing of it reaches the disk, unless it is rolled back at PRIMARY.
TEST_F(MemoryTabletTest, AFullDiskRefusesWritesOfLevelPrimaryAlone) {
  ConfigureReplica lead = Roles(1, "ts-1");
  lead.voters = {"ts-1"};
  rig_.Configure(lead);
  for (const AckLevel level : {AckLevel::kMajority, AckLevel::kAll, AckLevel::kPrimary}) {
    AdmitWrite admit{.request = {}, .now = rig_.now(), .disk_full = true};
    admit.request.token = RequestToken{++token_};
    admit.request.client = ClientId{7};
    admit.request.sequence = Sequence{token_};
    admit.request.first_incomplete = Sequence{1};
    admit.request.writes = {{.kind = WriteKind::kPut, .key = "k", .value = "v"}};
    admit.request.learnt = rig_.tablet_time();
    admit.request.level = level;
    rig_.Step(std::move(admit));
    ASSERT_TRUE(rig_.ReplyTo(RequestToken{token_})) << static_cast<int>(level);
    EXPECT_EQ(rig_.ReplyTo(RequestToken{token_})->status.ok(), level != AckLevel::kPrimary) << static_cast<int>(level);
  }
}

// What earlier epochs wrote is no part of its history.
TEST_F(MemoryTabletTest, OfATabletThatBeganAnewASessionIsToldWhatIsLost) {
  ConfigureReplica follow = Roles(1, "ts-2");
  follow.created_empty = false;
  rig_.Configure(follow);
  rig_.Forgets();
  rig_.Crash(0);
  Fence(5);
  ConfigureReplica lead = Roles(5, "ts-1");
  lead.voters = {"ts-1"};
  lead.anew = true;
  rig_.Configure(lead);
  ASSERT_TRUE(rig_.view->barrier_applied);
  for (const Version seen : {Version{Epoch{1}, Lsn{7}}, Version{Epoch{4}, Lsn{1}}})
    EXPECT_FALSE(InHistory(seen, rig_.view->epoch_starts)) << seen;
  EXPECT_TRUE(InHistory({Epoch{5}, Lsn{1}}, rig_.view->epoch_starts));
}

}  // namespace
}  // namespace ebla::tabletserver
