// A tablet whose records or log are damaged on this server's disk: it applies nothing more, and lives.
#include <gtest/gtest.h>

#include "common/base/lineage.h"
#include "tabletserver/testing/core_rig.h"

namespace ebla::tabletserver {
namespace {

using std::chrono::milliseconds;
using testing::CoreRig;

TabletOptions Options() {
  TabletOptions options;
  options.tablet = TabletId{9};
  options.self = "ts-1";
  options.unapplied_bytes_max = 4000;
  return options;
}

class TabletDamageTest : public ::testing::Test {
 protected:
  void Lead() {
    ConfigureReplica configure{.epoch = Epoch{1}, .primary = "ts-1", .voters = {"ts-1"}};
    configure.created_empty = true;
    rig_.Configure(configure);
    ASSERT_TRUE(rig_.ReplyTo(Put("whole"))->status.ok());
  }
  void Follow() {
    ConfigureReplica configure{.epoch = Epoch{2}, .primary = "ts-2", .voters = {"ts-1", "ts-2", "ts-3"}};
    configure.created_empty = true;
    rig_.Configure(configure);
  }
  RequestToken Put(std::string key) {
    WriteRequest request;
    request.client = ClientId{7};
    request.sequence = Sequence{++sequence_};
    request.first_incomplete = Sequence{1};
    request.writes = {{.kind = WriteKind::kPut, .key = std::move(key), .value = std::string(100, 'v')}};
    return rig_.Write(std::move(request));
  }
  // From the primary; the answer, if there is one at once.
  std::optional<AppendAnswer> Append(uint64_t lsn, uint64_t committed, AckLevel level = AckLevel::kMajority) {
    auto entry = std::make_shared<LogEntry>();
    entry->version = {Epoch{2}, Lsn{lsn}};
    entry->kind = lsn == 1 ? EntryKind::kBarrier : EntryKind::kWrite;
    entry->level = level;
    entry->outcome.wrote = true;
    if (lsn > 1) entry->effects.emplace_back() = {.key = "k" + std::to_string(lsn), .value = std::string(300, 'v')};
    AppendMessage message{.epoch = Epoch{2},
                          .previous = lsn == 1 ? Version{} : Version{Epoch{2}, Lsn{lsn - 1}},
                          .entries = {std::move(entry)},
                          .committed = Lsn{committed}};
    rig_.answers.clear();
    rig_.Receive(PeerRequest{RequestToken{10'000 + ++appends_}, "ts-2", std::move(message), rig_.now()});
    if (rig_.answers.size() != 1) return std::nullopt;
    return std::get<AppendAnswer>(rig_.answers.front().body);
  }
  void Damage() { rig_.store().failures.apply = Error(Code::kUnavailable, "the table's file is damaged"); }
  bool Failed() { return !rig_.core().replica().failure().ok(); }
  Lsn Applied() { return rig_.core().applied_state().applied.lsn; }

  CoreRig rig_{Options()};
  uint64_t sequence_ = 0;
  uint64_t appends_ = 0;
};

TEST_F(TabletDamageTest, WhatMeetsDamageIsAppliedAgainAtEachTickAndNotInBetween) {
  Lead();
  Damage();
  const RequestToken stalled = Put("damaged");
  EXPECT_FALSE(rig_.ReplyTo(stalled));
  EXPECT_FALSE(Failed());
  EXPECT_EQ(rig_.store().Log().back().effects.size(), 1u) << "it is logged";
  rig_.Tick(milliseconds(100));
  rig_.Heartbeat();
  EXPECT_FALSE(rig_.ReplyTo(stalled));
  rig_.store().failures.apply = {};
  rig_.Heartbeat();
  EXPECT_FALSE(rig_.ReplyTo(stalled));
  rig_.Tick(milliseconds(100));
  EXPECT_TRUE(rig_.ReplyTo(stalled)->status.ok());
  EXPECT_TRUE(rig_.ReplyTo(Put("another"))->status.ok());
}

// So what one such tablet holds in memory is what was under way.
TEST_F(TabletDamageTest, NoWriteIsTakenMeanwhileAndTheReplicaVotes) {
  Lead();
  Damage();
  Put("damaged");
  const size_t unapplied = rig_.core().unapplied_bytes();
  EXPECT_EQ(rig_.ReplyTo(Put("whole"))->status.code(), Code::kOverloaded);
  EXPECT_EQ(rig_.core().unapplied_bytes(), unapplied);
  EXPECT_EQ(rig_.view->role, RoleKind::kPrimary);
  EXPECT_TRUE(rig_.store().records().contains("whole")) << "what is applied is there to be read";
  rig_.Fence(Epoch{2});
  ASSERT_FALSE(rig_.controls.empty());
  EXPECT_TRUE(rig_.controls.back().status.ok()) << rig_.controls.back().status;
  EXPECT_EQ(rig_.controls.back().last_appended, rig_.store().Log().back().version);
}

TEST_F(TabletDamageTest, AFollowerGoesOnLoggingWithinItsMemory) {
  Follow();
  ASSERT_TRUE(Append(1, 0));
  Damage();
  for (uint64_t lsn = 2; lsn <= 100; ++lsn) {
    const auto answer = Append(lsn, lsn - 1);
    ASSERT_TRUE(answer) << lsn;
    EXPECT_EQ(answer->result, AppendResult::kStored) << lsn;
    EXPECT_EQ(answer->flushed, Lsn{lsn});
    EXPECT_LE(rig_.core().replica().log().held_bytes(), Options().unapplied_bytes_max + 1000);
    rig_.Tick(milliseconds(100));
  }
  EXPECT_FALSE(Failed());
  EXPECT_EQ(Applied(), Lsn{0});
  rig_.store().failures.apply = {};
  rig_.Tick(milliseconds(100));
  EXPECT_EQ(Applied(), Lsn{99}) << "from memory and from the log";
}

TEST_F(TabletDamageTest, ALostEntryOfTheLogStopsWhatComesAfterItAlone) {
  Follow();
  for (uint64_t lsn = 1; lsn <= 5; ++lsn) ASSERT_TRUE(Append(lsn, 0));
  rig_.Crash(100);
  rig_.store().failures.lost = Lsn{3};
  ASSERT_TRUE(Append(6, 5));
  EXPECT_EQ(Applied(), Lsn{2});
  EXPECT_FALSE(Failed());
  const auto answer = Append(7, 6);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->result, AppendResult::kStored);
  rig_.store().failures.lost = {};
  rig_.Tick(milliseconds(100));
  EXPECT_EQ(Applied(), Lsn{6});
}

TEST_F(TabletDamageTest, AReplicaWithALostEntryIsDroppedAndTheRestOfItsWritesKept) {
  Follow();
  for (uint64_t lsn = 1; lsn <= 5; ++lsn) ASSERT_TRUE(Append(lsn, 1, AckLevel::kPrimary));
  rig_.Crash(100);
  rig_.store().failures.lost = Lsn{3};
  rig_.Drop(Epoch{3});
  ASSERT_FALSE(rig_.controls.empty());
  EXPECT_TRUE(rig_.controls.back().status.ok()) << rig_.controls.back().status;
  std::vector<uint64_t> kept;
  for (const EntryPtr& entry : rig_.store().rolled_back) kept.push_back(entry->version.lsn.value);
  EXPECT_EQ(kept, (std::vector<uint64_t>{2, 4, 5}));
}

TEST_F(TabletDamageTest, ADropDoesNotWaitForASplitThatCannotBeApplied) {
  Lead();
  Damage();
  const TabletId child{Options().tablet.value + kLineages};
  rig_.Step(SplitTablet{RequestToken{900}, Epoch{1}, "m", child, rig_.now()});
  ASSERT_EQ(rig_.store().Log().back().kind, EntryKind::kSplit);
  rig_.Step(DropReplica{RequestToken{901}, Epoch{2}, {child}});
  ASSERT_FALSE(rig_.controls.empty());
  EXPECT_EQ(rig_.controls.back().token, RequestToken{901});
  EXPECT_TRUE(rig_.controls.back().status.ok()) << rig_.controls.back().status;
}

}  // namespace
}  // namespace ebla::tabletserver
