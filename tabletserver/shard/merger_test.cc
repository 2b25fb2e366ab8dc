// Merges of whole servers (PROTOCOL 6, 10, 13, 14, 17, 18): what a frozen tablet refuses, what the merged one serves,
// at which servers it is made.
#include <gtest/gtest.h>

#include "common/base/planted_bug.h"
#include "tabletserver/testing/merge_fixture.h"

namespace ebla::tabletserver {
namespace {

// The right one: of the left one's lineage, so on the same shard, or of another.
class ShardMergeTest : public MergeFixture, public ::testing::WithParamInterface<int64_t> {
 protected:
  ShardMergeTest() { right_ = kTablet + GetParam(); }
  static constexpr char kOne[] = "228[\"\", \"\")* ";
  static constexpr char kFollowed[] = "228[\"\", \"\") ";
};

INSTANTIATE_TEST_SUITE_P(SameAndOtherLineage, ShardMergeTest, ::testing::Values(64, 1));

TEST_P(ShardMergeTest, OneTabletServesAtOnceAndVersionsGoOn) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  EXPECT_EQ(Write("ts-1", {PutOf("a", "x"), PutOf("p", "x")}).header.code, idl::Code::INVALID_ARGUMENT)
      << "two tablets";
  Merge();
  EXPECT_EQ(Ranges("ts-1"), kOne);
  EXPECT_EQ(Value("ts-1", "a"), "1");
  EXPECT_EQ(Value("ts-1", "p"), "1");
  const idl::WriteReply both = Write("ts-1", {PutOf("a", "2"), PutOf("p", "2")});
  ASSERT_EQ(both.header.code, idl::Code::OK) << both.header.message;
  EXPECT_EQ(both.version.epoch, merged_.position.epoch);
  EXPECT_EQ(both.version.lsn, merged_.position.lsn + 2) << "the Barrier, then this one";
  for (const char* name : {"ts-2", "ts-3"}) {
    ASSERT_TRUE(Until([&] { return Level(name, "ts-1", kInto); }, 10s)) << Ranges(name);
    EXPECT_EQ(Ranges(name), kFollowed);
    EXPECT_EQ(Value(name, "p", idl::ReadLevel::EVENTUAL), "2");
  }
  EXPECT_TRUE(Configure(merged_.position.epoch, RolesOf("ts-1"))) << "again: a no-op";
  EXPECT_EQ(Ranges("ts-1"), kOne);
  ASSERT_EQ(Write("ts-1", {PutOf("a", "3")}).header.code, idl::Code::OK);
}

// Their logs go when a checkpoint has the merge, and not before.
TEST_P(ShardMergeTest, TheLogsGoWithTheNextCheckpoint) {
  LeadBoth({"ts-1"});
  Merge();
  scheduler_.RunFor(1s);
  EXPECT_TRUE(LastLogged("ts-1", kLeft));
  EXPECT_TRUE(LastLogged("ts-1", right_));
  EXPECT_EQ(TryDrop("ts-1", 9, right_), idl::Code::OK) << "it is a tombstone already";
  ASSERT_NO_FATAL_FAILURE(Checkpoint("ts-1"));
  Crash("ts-1");
  Start("ts-1");
  EXPECT_FALSE(LastLogged("ts-1", kLeft));
  EXPECT_FALSE(LastLogged("ts-1", right_));
  EXPECT_EQ(Ranges("ts-1"), kFollowed);
  EXPECT_EQ(Value("ts-1", "p", idl::ReadLevel::EVENTUAL), "1");
}

// Logs of tables in memory are cut ten times a second. Such a cut is no checkpoint, and a crash still needs these two
// logs.
TEST_P(ShardMergeTest, ATableInMemoryThatIsCutLeavesTheirLogsAlone) {
  options_.checkpoint.memory_log_bytes = 1;
  Crash("ts-1");
  Start("ts-1");
  constexpr TabletId kBeside{kTablet + 4'000};
  idl::ConfigureTablet order;
  order.tabletId = static_cast<int64_t>(kBeside.value);
  order.epoch = 1;
  order.primary = "ts-1";
  order.voters = {"ts-1"};
  order.schema.tableId = kTable + 1;
  order.schema.name = "beside";
  order.schema.schemaVersion = 1;
  order.schema.options.__set_memory(true);
  order.born = true;
  idl::ConfigureRequest request;
  request.header = ControlTo(at("ts-1"));
  request.tablets = {order};
  const auto reply = Await<idl::ConfigureReply>(
      [&](auto cob) { at("ts-1").server->control_service()->configure(std::move(cob), request); });
  ASSERT_EQ(reply.results.at(0).status.code, idl::Code::OK) << reply.results.at(0).status.message;
  LeadBoth({"ts-1"});
  Merge();
  ASSERT_TRUE(Until([&] { return !at("ts-1").store->FirstLogged(kBeside); }, 5s)) << "its own log is cut";
  scheduler_.RunFor(1s);
  EXPECT_TRUE(LastLogged("ts-1", kLeft));
  EXPECT_TRUE(LastLogged("ts-1", right_));
}

TEST_P(ShardMergeTest, TheLogsGoWhileTheServerRuns) {
  options_.checkpoint.period = 2s;
  Crash("ts-1");
  Start("ts-1");
  LeadBoth({"ts-1"});
  Merge();
  EXPECT_TRUE(LastLogged("ts-1", kLeft));
  EXPECT_TRUE(Until([&] { return !LastLogged("ts-1", kLeft) && !LastLogged("ts-1", right_); }, 10s));
  EXPECT_EQ(Ranges("ts-1"), kOne);
  ASSERT_EQ(Write("ts-1", {PutOf("a", "3")}).header.code, idl::Code::OK);
}

// The logs take memory from the records, and without logging to disk there is no checkpoint.
TEST_P(ShardMergeTest, InMemoryTheLogsGoWhileTheServerRuns) {
  options_.checkpoint.memory_log_bytes = 1;
  table_options_.__set_memory(true);
  Crash("ts-1");
  Start("ts-1");
  LeadBoth({"ts-1"});
  Merge();
  const auto logged = [this](int64_t tablet) {
    return at("ts-1").store->FirstLogged(TabletId{static_cast<uint64_t>(tablet)}) != Lsn{};
  };
  EXPECT_TRUE(Until([&] { return !logged(kLeft) && !logged(right_); }, 10s));
  EXPECT_EQ(at("ts-1").in_memory->Logs().tablets, 1) << "that of the new tablet";
  EXPECT_EQ(Ranges("ts-1"), kOne);
  ASSERT_EQ(Write("ts-1", {PutOf("a", "3")}).header.code, idl::Code::OK);
}

// PROTOCOL 18, 20: the dedup windows are merged.
TEST_P(ShardMergeTest, ARetryIsAnsweredFromTheMergedDedupWindow) {
  LeadBoth({"ts-1"});
  const idl::WriteReply left = WriteAs("ts-1", 5, 1, {IncrementOf("aa")}),
                        right = WriteAs("ts-1", 6, 1, {IncrementOf("zz")});
  ASSERT_EQ(left.header.code, idl::Code::OK);
  ASSERT_EQ(right.header.code, idl::Code::OK);
  Merge();
  const idl::WriteReply again_left = WriteAs("ts-1", 5, 1, {IncrementOf("aa")}),
                        again_right = WriteAs("ts-1", 6, 1, {IncrementOf("zz")});
  EXPECT_EQ(again_left.version, left.version);
  EXPECT_EQ(again_right.version, right.version) << again_right.header.message;
  EXPECT_EQ(again_right.counters, right.counters);
  EXPECT_EQ(WriteAs("ts-1", 6, 2, {IncrementOf("zz")}).counters, std::vector<int64_t>{2});
}

// ---- FREEZE ---------------------------------------------------------------------------------------------------------

TEST_P(ShardMergeTest, OnlyTheEpochsLeaderFreezes) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  EXPECT_EQ(Freeze("ts-2", 1, kLeft, kInto).status.code, idl::Code::STALE_EPOCH);
  EXPECT_EQ(Freeze("ts-1", 2, kLeft, kInto).status.code, idl::Code::STALE_EPOCH);
  EXPECT_EQ(Freeze("ts-1", 1, kLeft, kLeft - 1).status.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(Write("ts-1", {PutOf("a", "2")}).header.code, idl::Code::OK) << "none of them froze it";
  const idl::FreezeResult first = Freeze("ts-1", 1, kLeft, kInto);
  ASSERT_EQ(first.status.code, idl::Code::OK);
  EXPECT_GT(first.tabletTimeMs, 0);
  EXPECT_EQ(Freeze("ts-1", 1, kLeft, kInto).freeze, first.freeze) << "asked again";
  EXPECT_EQ(Freeze("ts-1", 1, kLeft, kInto + 64).status.code, idl::Code::UNAVAILABLE) << "for another";
  EXPECT_EQ(Split("ts-1", 1, "c", kLeft + 64 * 5).status.code, idl::Code::COME_AGAIN);
}

// PROTOCOL 17: it may be given up, and the two may go on in epochs that it does not know.
TEST_P(ShardMergeTest, AMergedTabletJudgesNoSessionBeforeItsBarrier) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  FreezeBoth();
  Crash("ts-2");
  Crash("ts-3");
  ASSERT_TRUE(Configure(merged_.position.epoch, RolesOf("ts-1")));
  EXPECT_EQ(Get("ts-1", "a", idl::ReadLevel::SESSION).header.code, idl::Code::COME_AGAIN);
  EXPECT_EQ(Value("ts-1", "a", idl::ReadLevel::EVENTUAL), "1");
  Start("ts-2");
  ASSERT_TRUE(Configure(merged_.position.epoch, RolesOf("ts-1"))) << "ts-2 merges them, too";
  ASSERT_TRUE(Serves("ts-1", kInto));
  EXPECT_EQ(Value("ts-1", "a", idl::ReadLevel::SESSION), "1");
}

// PROTOCOL 14: no write, no STRONG read; the weaker ones go on.
TEST_P(ShardMergeTest, AFrozenTabletServesWhatItStillMay) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  ASSERT_EQ(Freeze("ts-1", 1, kLeft, kInto).status.code, idl::Code::OK);
  EXPECT_EQ(Write("ts-1", {PutOf("a", "2")}).header.code, idl::Code::COME_AGAIN);
  EXPECT_EQ(Get("ts-1", "a", idl::ReadLevel::STRONG).header.code, idl::Code::COME_AGAIN);
  EXPECT_EQ(Value("ts-1", "a", idl::ReadLevel::SESSION), "1");
  EXPECT_EQ(Value("ts-1", "a", idl::ReadLevel::BOUNDED), "1") << "as old as its end";
  EXPECT_EQ(Write("ts-1", {PutOf("p", "2")}).header.code, idl::Code::OK) << "the other one is not frozen";
  scheduler_.RunFor(3s);
  for (const char* name : {"ts-1", "ts-2"}) {
    EXPECT_EQ(Value(name, "a", idl::ReadLevel::EVENTUAL), "1");
    EXPECT_NE(Value(name, "a", idl::ReadLevel::BOUNDED), "1") << "nothing says how old it is";
    EXPECT_EQ(View(name, kLeft)->frozen_into.value, static_cast<uint64_t>(kInto));
  }
}

// A later epoch's Barrier thaws, that of a failover too.
TEST_P(ShardMergeTest, ALaterEpochThaws) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  ASSERT_EQ(Freeze("ts-1", 1, kLeft, kInto).status.code, idl::Code::OK);
  ASSERT_TRUE(Configure(2, {"ts-1", voters_, {}, kLeft, "", "m"})) << "the same members, by its leader";
  ASSERT_TRUE(Serves("ts-1", kLeft));
  EXPECT_EQ(Write("ts-1", {PutOf("a", "2")}).header.code, idl::Code::OK);
  EXPECT_EQ(Value("ts-1", "a"), "2");
  EXPECT_FALSE(View("ts-1", kLeft)->frozen_into);
  EXPECT_EQ(Freeze("ts-1", 1, kLeft, kInto).status.code, idl::Code::STALE_EPOCH);
  ASSERT_EQ(Freeze("ts-1", 2, kLeft, kInto).status.code, idl::Code::OK);
  Crash("ts-1");
  ASSERT_TRUE(Fence(3, {"ts-2", "ts-3"}, kLeft));
  ASSERT_TRUE(Configure(3, {"ts-2", voters_, {}, kLeft, "", "m"}, /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-2", kLeft));
  EXPECT_EQ(Value("ts-2", "a"), "2");
  EXPECT_EQ(Write("ts-2", {PutOf("a", "3")}).header.code, idl::Code::OK);
  EXPECT_FALSE(View("ts-2", kLeft)->frozen_into);
}

// PROTOCOL 14: every voter has it, on disk, before the order is answered.
TEST_P(ShardMergeTest, EveryVoterHasFreezeBeforeTheAnswer) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  Cut("ts-1", "ts-3");
  std::optional<idl::FreezeResult> answer;
  AskToFreeze("ts-1", 1, kLeft, kInto, [&](const idl::FreezeResult& result) { answer = result; });
  ASSERT_TRUE(Until([&] { return View("ts-1", kLeft)->frozen_into.value == static_cast<uint64_t>(kInto); }, 5s))
      << "applied";
  scheduler_.RunFor(1s);
  EXPECT_FALSE(answer.has_value());
  Heal();
  ASSERT_TRUE(Until([&] { return answer.has_value(); }, 10s));
  EXPECT_EQ(answer->status.code, idl::Code::OK);
  EXPECT_EQ(LastLogged("ts-3", kLeft).lsn.value, static_cast<uint64_t>(answer->freeze.lsn));
}

// ---- who it is made at ----------------------------------------------------------------------------------------------

// The voter receives the order to merge before the commit of FREEZE. The order tells it of the commit.
TEST_P(ShardMergeTest, AVoterThatHadNotAppliedFreeze) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  std::optional<idl::FreezeResult> left, right;
  AskToFreeze("ts-1", 1, right_, kInto, [&](const idl::FreezeResult& result) { right = result; });
  ASSERT_TRUE(Until([&] { return right.has_value(); }, 5s));
  AskToFreeze("ts-1", 1, kLeft, kInto, [&](const idl::FreezeResult& result) { left = result; });
  const auto unapplied = [&] {
    const auto view = View("ts-3", kLeft);
    const auto log = at("ts-3").store->ReadLog(TabletId{kLeft}, view->applied.lsn.Next(), Lsn{UINT64_MAX}, SIZE_MAX);
    return log && !log->empty() && log->back().kind == EntryKind::kFreeze;
  };
  ASSERT_TRUE(scheduler_.RunUntil([&] { return left.has_value(); }, 5s));
  ASSERT_TRUE(unapplied()) << "its leader has not told it";
  Cut("ts-1", "ts-3");
  merged_ = MergedOf(PartOf(kLeft, "", "m", left->freeze), PartOf(right_, "m", "", right->freeze));
  ASSERT_TRUE(Configure(merged_.position.epoch, RolesOf("ts-1")));
  EXPECT_EQ(Ranges("ts-3"), kFollowed);
  Heal();
  ASSERT_TRUE(Until([&] { return Level("ts-3", "ts-1", kInto); }, 10s));
}

// Without the right one there is nothing to merge: the left one is in the way until it is dropped, then it is copied
// to.
TEST_P(ShardMergeTest, AVoterThatLacksOne) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  FreezeBoth();
  ASSERT_EQ(TryDrop("ts-3", 1, right_), idl::Code::OK);
  ASSERT_TRUE(Until([&] { return Ranges("ts-3") == "100[\"\", \"m\") "; }, 20s)) << Ranges("ts-3");
  ASSERT_TRUE(Configure(merged_.position.epoch, RolesOf("ts-1")));
  ASSERT_TRUE(Serves("ts-1", kInto));
  EXPECT_EQ(Ranges("ts-3"), "100[\"\", \"m\") ");
  ASSERT_EQ(TryDrop("ts-3", 1, kLeft), idl::Code::OK);
  ASSERT_TRUE(Until([&] { return Ranges("ts-3").empty(); }, 20s));
  ASSERT_TRUE(Configure(merged_.position.epoch, RolesOf("ts-1")));
  EXPECT_EQ(Ranges("ts-3"), "228[\"\", \"\")! ");
  ASSERT_TRUE(Until([&] { return Level("ts-3", "ts-1", kInto); }, 60s));
  EXPECT_EQ(Records("ts-3"), Records("ts-1"));
}

// PROTOCOL 14: a promise of a later epoch may have ended the merge, so the server merges nothing for an earlier one.
TEST_P(ShardMergeTest, APromiseBeforeTheMerge) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  FreezeBoth();
  ASSERT_TRUE(Fence(7, {"ts-3"}, kInto));
  ASSERT_TRUE(Configure(merged_.position.epoch, RolesOf("ts-1")));
  ASSERT_TRUE(Serves("ts-1", kInto));
  scheduler_.RunFor(1s);
  EXPECT_EQ(View("ts-3", kInto), nullptr);
  EXPECT_TRUE(View("ts-3", kLeft) != nullptr && View("ts-3", right_) != nullptr) << "it keeps the two";
  ASSERT_EQ(Write("ts-1", {PutOf("p", "2")}).header.code, idl::Code::OK);
  ASSERT_TRUE(Fence(8, voters_, kInto));
  ASSERT_TRUE(Configure(8, RolesOf("ts-2"), /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-2", kInto));
  EXPECT_EQ(Value("ts-2", "p"), "2");
  ASSERT_TRUE(Until([&] { return Level("ts-3", "ts-2", kInto); }, 10s));
}

// The primary died before any server was told. A fenced server promises for the unknown tablet, and then makes it.
TEST_P(ShardMergeTest, AFailoverBeforeAnybodyHasUnitedThem) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  FreezeBoth();
  Crash("ts-1");
  const int64_t next = merged_.position.epoch + 1;
  ASSERT_TRUE(Fence(next, {"ts-2", "ts-3"}, kInto));
  ASSERT_TRUE(Configure(next, RolesOf("ts-2"), /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-2", kInto));
  EXPECT_EQ(Value("ts-2", "a"), "1");
  EXPECT_EQ(Value("ts-2", "p"), "1");
  ASSERT_EQ(Write("ts-2", {PutOf("a", "2"), PutOf("p", "2")}).header.code, idl::Code::OK);
  Start("ts-1");
  ASSERT_TRUE(Configure(next, RolesOf("ts-2"), /*fenced=*/true));
  ASSERT_TRUE(Until([&] { return Level("ts-1", "ts-2", kInto); }, 10s)) << Ranges("ts-1");
  EXPECT_EQ(Records("ts-1"), Records("ts-2"));
}

TEST_P(ShardMergeTest, WhatIsDroppedAfterTheMergeIsGone) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  Merge();
  ASSERT_TRUE(Until([&] { return Ranges("ts-3") == kFollowed; }, 5s));
  at("ts-3").disk.SetLatency(200ms, 200ms);  // no checkpoint soon
  ASSERT_EQ(TryDrop("ts-3", merged_.position.epoch, kInto), idl::Code::OK);
  scheduler_.RunFor(250ms);
  Crash("ts-3");
  at("ts-3").disk.SetLatency(Duration(0), Duration(0));
  Start("ts-3");
  ASSERT_TRUE(Until([&] { return Ranges("ts-3").empty(); }, 20s)) << Ranges("ts-3");
  EXPECT_EQ(Records("ts-3"), "");
  EXPECT_EQ(TryDrop("ts-3", merged_.position.epoch, kLeft), idl::Code::OK);
}

// PROTOCOL 22: what was rolled back under a tablet that is part of another now is judged by the history and the dedup
//              window of that one.
TEST_P(ShardMergeTest, WhatWasRolledBackBeforeTheMergeIsJudgedByTheNewOne) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  Cut("ts-1", "ts-2");
  Cut("ts-1", "ts-3");
  ASSERT_EQ(WriteAs("ts-1", 5, 1, {IncrementOf("zz")}, idl::WriteLevel::PRIMARY).header.code, idl::Code::OK);
  ASSERT_EQ(WriteAs("ts-1", 6, 1, {IncrementOf("zy")}, idl::WriteLevel::PRIMARY).header.code, idl::Code::OK);
  ASSERT_TRUE(Fence(2, {"ts-2", "ts-3"}, right_));
  ASSERT_TRUE(Configure(2, {"ts-2", voters_, {}, right_, "m", ""}, /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-2", right_));
  Heal();
  ASSERT_TRUE(Until([&] { return !RolledBack("ts-1").empty() && Level("ts-1", "ts-2", right_); }, 20s));
  const std::string rolled_back = RolledBack("ts-1");
  const idl::FreezeResult left = Freeze("ts-1", 1, kLeft, kInto), right = Freeze("ts-2", 2, right_, kInto);
  ASSERT_EQ(left.status.code, idl::Code::OK) << left.status.message;
  ASSERT_EQ(right.status.code, idl::Code::OK) << right.status.message;
  merged_ = MergedOf(PartOf(kLeft, "", "m", left.freeze), PartOf(right_, "m", "", right.freeze));
  ASSERT_TRUE(Configure(merged_.position.epoch, RolesOf("ts-1")));
  ASSERT_TRUE(Serves("ts-1", kInto));
  ASSERT_EQ(WriteAs("ts-1", 5, 1, {IncrementOf("zz")}).header.code, idl::Code::OK);
  EXPECT_EQ(RolledBack("ts-1"), rolled_back) << "neither is part of what is now";
  ExpectRepeated("ts-1", "zz");
}

// ---- what the rules are for -----------------------------------------------------------------------------------------

#ifdef EBLA_PLANTED_BUGS
class ShardMergeWithoutRuleTest : public ShardMergeTest {
 protected:
  ~ShardMergeWithoutRuleTest() override { Plant(PlantedBug::none); }
};

INSTANTIATE_TEST_SUITE_P(SameAndOtherLineage, ShardMergeWithoutRuleTest, ::testing::Values(64, 1));

TEST_P(ShardMergeWithoutRuleTest, AFrozenTabletServesAStaleStrongRead) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  Plant(PlantedBug::freeze_keeps_serving_strong);
  FreezeBoth();
  Cut("ts-1", "ts-2");
  Cut("ts-1", "ts-3");
  const auto lease = View("ts-1", kLeft)->lease_until;
  ASSERT_LT(at("ts-1").executor->Now(), lease);
  voters_ = {"ts-2", "ts-3"};  // ts-1 receives nothing
  const int64_t next = merged_.position.epoch + 1;
  ASSERT_TRUE(Fence(next, voters_, kInto)) << "nobody has granted anything for the new one";
  ASSERT_TRUE(Configure(next, RolesOf("ts-2"), /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-2", kInto));
  ASSERT_EQ(Write("ts-2", {PutOf("a", "2")}).header.code, idl::Code::OK);
  ASSERT_LT(at("ts-1").executor->Now(), lease);
  EXPECT_EQ(Value("ts-1", "a"), "1") << "older than what was acknowledged";
}

TEST_P(ShardMergeWithoutRuleTest, WhatIsWrittenAfterFreezeIsInNobodysWay) {
  LeadBoth({"ts-1"});
  Plant(PlantedBug::freeze_keeps_writing);
  FreezeBoth();
  EXPECT_EQ(Write("ts-1", {PutOf("a", "2")}).header.code, idl::Code::OK);
  EXPECT_FALSE(Configure(merged_.position.epoch, RolesOf("ts-1"))) << "the log goes on beyond its FREEZE";
}

TEST_P(ShardMergeWithoutRuleTest, ALaterEpochFreezes) {
  LeadBoth({"ts-1"});
  Plant(PlantedBug::freeze_of_any_epoch);
  EXPECT_EQ(Freeze("ts-1", 7, kLeft, kInto).status.code, idl::Code::OK);
}

TEST_P(ShardMergeWithoutRuleTest, AVoterLacksFreeze) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  Cut("ts-1", "ts-3");
  Plant(PlantedBug::merge_before_all_have_it);
  FreezeBoth();
  Heal();
  ASSERT_TRUE(Configure(merged_.position.epoch, RolesOf("ts-1")));
  EXPECT_EQ(View("ts-3", kInto), nullptr) << "nobody has what it lacks any more";
}

TEST_P(ShardMergeWithoutRuleTest, AServerMergesDespiteItsPromise) {
  LeadBoth({"ts-1", "ts-2", "ts-3"});
  FreezeBoth();
  ASSERT_TRUE(Fence(7, {"ts-3"}, kInto));
  Plant(PlantedBug::merge_despite_promise);
  ASSERT_TRUE(Configure(merged_.position.epoch, RolesOf("ts-1")));
  EXPECT_TRUE(Until([&] { return View("ts-3", kInto) != nullptr; }, 5s)) << "the two are gone there";
}

TEST_P(ShardMergeWithoutRuleTest, NothingThaws) {
  LeadBoth({"ts-1"});
  FreezeBoth();
  Plant(PlantedBug::barrier_keeps_freeze);
  ASSERT_TRUE(Configure(2, {"ts-1", voters_, {}, kLeft, "", "m"}));
  ASSERT_TRUE(Serves("ts-1", kLeft));
  EXPECT_EQ(Write("ts-1", {PutOf("a", "2")}).header.code, idl::Code::COME_AGAIN);
}

TEST_P(ShardMergeWithoutRuleTest, ACrashTakesTheMergeBackAndItsData) {
  LeadBoth({"ts-1"});
  Checkpoint("ts-1");
  Plant(PlantedBug::merge_forgets_notes);
  Merge();
  Crash("ts-1", SimulatedDisk::CrashKind::kProcess);
  SimulatedStore store(at("ts-1").disk, world_);
  const auto replicas = store->Recover();
  ASSERT_TRUE(replicas);
  for (const RecoveredReplica& one : *replicas) {
    EXPECT_EQ(one.applied.has_value(), one.state.tombstone) << one.tablet << ": what has it is to be removed";
    EXPECT_FALSE(one.state.merged);
  }
}
#endif

}  // namespace
}  // namespace ebla::tabletserver
