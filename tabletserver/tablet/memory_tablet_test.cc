// One replica of a table in memory: its answers to a fence, and its behaviour as a primary that no other log
// contradicts (PROTOCOL 5).
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
  // An append of ts-2 in epoch 1, whose entries are all committed.
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
  // A heartbeat of ts-2, which has an answer of this moment, when `committed` was committed. Returns the moment.
  MonotonicTime Heartbeat(uint64_t committed) {
    rig_.Advance(milliseconds(150));
    const HeartbeatMessage heartbeat{
        .epoch = Epoch{1}, .committed = Lsn{committed}, .echo_clock = rig_.now(), .echo_committed = Lsn{committed}};
    rig_.Receive(PeerRequest{RequestToken{++token_}, "ts-2", heartbeat, rig_.now()});
    return rig_.now();
  }
  void ReceiveCopyOf() {
    ConfigureReplica configure = Roles(1, "ts-2");
    configure.created_empty = false;
    rig_.Configure(configure);
    ASSERT_TRUE(rig_.core().replica().state().incomplete);
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

// Their holders lost them with their processes, but the catalog has them.
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
  // The other replicas have nothing, and could not be filled from a log that ends elsewhere than theirs.
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

// The catalog names the child's epoch and its primary.
TEST_F(MemoryTabletTest, TheChildOfALostSplitIsLedByNobody) {
  FollowWith({"b"});
  Fence(3);
  ConfigureReplica lead = Roles(3, "ts-1");
  lead.sole_log = true;
  lead.lost_splits = {{kLater, "m"}};
  TabletCore& core = rig_.core();
  core.Step(ConfigureTablet{.replica = lead, .schema = Schema(), .now = rig_.now()});
  std::shared_ptr<const SplitChild> child;
  while (child == nullptr && core.HasOutput()) {
    const TabletOutput output = core.TakeOutput();
    if (output.replica.state || !output.replica.append.empty()) core.Step(Stored{});
    if (output.replica.flush) core.Step(Flushed{output.replica.flush->number});
    if (output.apply && output.split == nullptr) core.Step(Applied{output.apply->state.applied});
    child = output.split;
  }
  ASSERT_NE(child, nullptr);
  EXPECT_FALSE(child->lead);
  TabletOptions options = Options();
  options.tablet = kLater;
  CoreRig born(options, Schema());
  born.Step(BeginChild{child, born.now()});
  EXPECT_EQ(born.core().replica().role(), RoleKind::kFollower);
  EXPECT_FALSE(born.core().replica().epoch()) << "it obeys nobody yet";
  EXPECT_FALSE(born.core().replica().state().led);
  EXPECT_EQ(born.core().replica().last_appended(), (Version{Epoch{3}, Lsn{3}}));
}

// A copy may take long, and nothing be written after it.
TEST_F(MemoryTabletTest, OnceCopiedItIsFreshAndSureThoughNothingIsWritten) {
  ReceiveCopyOf();
  rig_.Forgets();
  rig_.Crash(0);
  ReceiveCopyOf();
  for (int sent = 0; sent < 40; ++sent) Heartbeat(50);
  Copy(50);
  AppendMessage probe{.epoch = Epoch{1}, .previous = {Epoch{1}, Lsn{50}}, .committed = Lsn{50}};
  rig_.Receive(PeerRequest{RequestToken{++token_}, "ts-2", std::move(probe), rig_.now()});
  ASSERT_FALSE(rig_.core().replica().state().incomplete);
  const MonotonicTime told = Heartbeat(50);
  EXPECT_EQ(rig_.view->fresh_as_of, told);
  EXPECT_FALSE(rig_.view->may_have_lost_writes);
}

// The earliest waiting moments are kept, and the latest dropped.
TEST_F(MemoryTabletTest, WhatIsAppliedLateIsFreshAsOfThen) {
  FollowWith({"b"});
  const MonotonicTime first = Heartbeat(2);
  for (int sent = 0; sent < 40; ++sent) Heartbeat(3);
  const MonotonicTime latest = Heartbeat(3);
  EXPECT_EQ(rig_.view->fresh_as_of, first);
  Append("c");
  EXPECT_EQ(rig_.view->fresh_as_of, latest);
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
    AdmitWrite admit{.request = {}, .now = rig_.now(), .room = {.disk = DiskRoom::kDeletes}};
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

// Entries of earlier epochs are no part of its history.
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
