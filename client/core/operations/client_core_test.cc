// The client over a pretended cluster, in virtual time: every way that an attempt may end.
#include "client/core/operations/client_core.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "client/testing/core_fixture.h"

namespace ebla::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::kMaster1;
using testing::kMaster2;
using testing::kServers;
using testing::kTs1;
using testing::kTs2;
using testing::LinkState;
using testing::SimNetwork;

class ClientCoreTest : public testing::CoreFixture {};

TEST_F(ClientCoreTest, PutsAndGetsOverTabletsWithOneLookUp) {
  const TablePtr table = Open();
  EXPECT_TRUE(Put(table, "a", "1"));
  EXPECT_TRUE(Put(table, "k", "2"));
  EXPECT_TRUE(Put(table, "z", "3"));
  EXPECT_EQ(Value(table, "a") + Value(table, "k") + Value(table, "z"), "123");
  EXPECT_EQ(Get(table, "b").error().code(), Code::kNotFound);
  EXPECT_EQ(cluster_.counts().locates, 1);
  EXPECT_EQ(cluster_.counts().wrong_place, 0);
}

TEST_F(ClientCoreTest, AnUnknownTableIsFinal) {
  const auto table = Wait<Result<TablePtr>>(
      [&](auto done) { core_.OpenTable("none", OnceCallback<Result<TablePtr>>(std::move(done))); });
  EXPECT_EQ(table.error(), Status(Code::kNoSuchTable, "no table \"none\""));
}

TEST_F(ClientCoreTest, ManyCallsShareOneLookUpPerGap) {
  const TablePtr table = Open();
  int answers = 0;
  for (const char* key : {"m", "z", "a", "b", "q", "m"}) {
    core_.Get(table, key, {}, [&](Result<Record>) { ++answers; });
  }
  EXPECT_TRUE(scheduler_.RunUntil([&] { return answers == 6; }, seconds(1)));
  // The first asks from "m" on; the keys below it are found by one more.
  EXPECT_EQ(cluster_.counts().locates, 2);
}

TEST_F(ClientCoreTest, LargeTablesAreLookedUpInPages) {
  std::vector<std::string> splits;
  for (int i = 1; i < 250; ++i) {
    char key[8];
    snprintf(key, sizeof key, "k%04d", i);
    splits.push_back(key);
  }
  cluster_.tables()->Add("large", splits);
  const TablePtr table = Open("large");
  EXPECT_EQ(Scan(table, {.keys_only = true}).value(), "");
  EXPECT_EQ(cluster_.counts().scans, 250);
  EXPECT_EQ(cluster_.counts().locates, 3);
}

TEST_F(ClientCoreTest, AHintCostsOneHopAndNoLookUp) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  cluster_.tables()->Move("t", "a", "ts-3");
  EXPECT_EQ(Value(table, "a"), "1");
  EXPECT_EQ(cluster_.counts().wrong_place, 1);
  EXPECT_EQ(cluster_.counts().locates, 1);
  EXPECT_EQ(Value(table, "a"), "1");
  EXPECT_EQ(cluster_.counts().wrong_place, 1) << "the hint is remembered";
}

TEST_F(ClientCoreTest, WithoutAHintItLooksUp) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  cluster_.faults()->hints = false;
  cluster_.tables()->Move("t", "a", "ts-2");
  EXPECT_EQ(Value(table, "a"), "1");
  EXPECT_EQ(cluster_.counts().locates, 2);
}

TEST_F(ClientCoreTest, SplitsAndMergesCostNothingToTheCaller) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  ASSERT_TRUE(Put(table, "g", "2"));
  cluster_.tables()->Split("t", "c");
  cluster_.tables()->Move("t", "g", "ts-3");
  EXPECT_EQ(Value(table, "a") + Value(table, "g"), "12");
  cluster_.tables()->Merge("t", "a");
  EXPECT_EQ(Value(table, "a") + Value(table, "g"), "12");
  EXPECT_EQ(cluster_.counts().wrong_place, 2);
}

// The master completes a split last: whoever asked it just then would wait for that.
TEST_F(ClientCoreTest, ASplitIsFollowedWithoutTheMaster) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  ASSERT_TRUE(Put(table, "g", "2"));
  const int before = cluster_.counts().locates;
  cluster_.tables()->Split("t", "c");
  EXPECT_EQ(Value(table, "a") + Value(table, "g") + Value(table, "b") + Value(table, "h"), "12NOT_FOUNDNOT_FOUND");
  EXPECT_EQ(cluster_.counts().locates, before);
}

TEST_F(ClientCoreTest, ServersThatPointAtEachOtherEndAtTheDeadline) {
  const TablePtr table = Open();
  cluster_.faults()->AnswerNext("ts-1", idl::Code::NOT_PRIMARY, 100'000);
  const MonotonicTime start = scheduler_.Now();
  const auto got = Get(table, "a", {.deadline = milliseconds(1500)});
  EXPECT_EQ(got.error().code(), Code::kUnavailable);
  EXPECT_NE(got.error().message().find("NOT_PRIMARY"), std::string::npos) << got.error();
  EXPECT_LE(Since(start), milliseconds(1501));
  EXPECT_LT(cluster_.counts().gets, 50) << "with backoff";
}

TEST_F(ClientCoreTest, WhatMayPassIsRetriedWithinTheDeadline) {
  const TablePtr table = Open();
  for (const auto code : {idl::Code::COME_AGAIN, idl::Code::OVERLOADED, idl::Code::UNAVAILABLE}) {
    cluster_.faults()->AnswerNext("ts-1", code, 6);
    EXPECT_TRUE(Put(table, "a", "1")) << code;
  }
  EXPECT_EQ(cluster_.counts().writes_executed, 3);
  cluster_.faults()->AnswerNext("ts-1", idl::Code::OVERLOADED, 1000, 50);
  const auto refused = Put(table, "a", "2", {.deadline = seconds(1)});
  EXPECT_EQ(refused.error().code(), Code::kOverloaded) << refused.error();
  EXPECT_NE(refused.error().message().find("ts-1"), std::string::npos) << refused.error();
}

TEST_F(ClientCoreTest, HonoursRetryAfter) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  cluster_.faults()->AnswerNext("ts-1", idl::Code::COME_AGAIN, 1, 800);
  const MonotonicTime start = scheduler_.Now();
  EXPECT_EQ(Value(table, "a"), "1");
  EXPECT_GE(Since(start), milliseconds(800));
  EXPECT_LT(Since(start), milliseconds(810));
}

TEST_F(ClientCoreTest, AServersOwnFaultLeavesAWriteUnknown) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  cluster_.faults()->AnswerNext("ts-1", idl::Code::INTERNAL, 2);
  EXPECT_EQ(Put(table, "a", "2").error().code(), Code::kUnknownOutcome);
  EXPECT_EQ(Get(table, "a").error().code(), Code::kInternal);
}

TEST_F(ClientCoreTest, AServerThatIsDownAndComesBack) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  network_.SetLinkState(kTs1, LinkState::kDown);
  executor_.After(seconds(4), [&] { network_.SetLinkState(kTs1, LinkState::kFair); });
  const MonotonicTime start = scheduler_.Now();
  EXPECT_TRUE(Put(table, "a", "2"));
  EXPECT_LT(Since(start), milliseconds(4600));
  network_.SetLinkState(kTs1, LinkState::kDown);
  const auto got = Get(table, "a", {.deadline = seconds(1)});
  EXPECT_EQ(got.error().code(), Code::kUnavailable);
  EXPECT_NE(got.error().message().find("ts-1"), std::string::npos) << got.error();
}

TEST_F(ClientCoreTest, ASilentServerLeavesTimeForWhereTheTabletMoved) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  network_.SetLinkState(kTs1, LinkState::kSilent);
  cluster_.tables()->Move("t", "a", "ts-2");
  EXPECT_EQ(Value(table, "a"), "1");
  EXPECT_TRUE(Put(table, "b", "2")) << "the move is known by now";
  const auto got = Get(table, "k", {.deadline = seconds(2)});
  EXPECT_EQ(got.error().code(), Code::kNotFound);
}

TEST_F(ClientCoreTest, WithNobodyAnsweringAReadEndsAsDeadlineExceeded) {
  const TablePtr table = Open();
  network_.SetLinkState(kTs1, LinkState::kSilent);
  const MonotonicTime start = scheduler_.Now();
  EXPECT_EQ(Get(table, "a", {.deadline = seconds(2)}).error().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(Since(start), Duration(seconds(2)));
}

TEST_F(ClientCoreTest, AWriteCutInFlightIsRetriedUnderItsNumberAndHappensOnce) {
  const TablePtr table = Open();
  network_.Next(kTs1, LinkState::kCutAfter, 2);
  network_.Next(kTs1, LinkState::kCutBefore);
  network_.Next(kTs1, LinkState::kSlowAnswer);
  const auto sum = Write(table, std::move(Batch().Increment("a", 5)));
  ASSERT_TRUE(sum) << sum.error();
  EXPECT_EQ(sum->counters, std::vector<int64_t>{5});
  EXPECT_EQ(cluster_.counts().writes_executed, 1);
  const auto log = cluster_.write_log();
  ASSERT_EQ(log.size(), 4u);
  for (const auto& request : log) {
    EXPECT_EQ(request.clientId, log.front().clientId);
    EXPECT_EQ(request.sequence, log.front().sequence);
    EXPECT_EQ(request.header.tabletTimeMs, log.front().header.tabletTimeMs) << "learnt before the first attempt";
    EXPECT_TRUE(request.header.__isset.tabletTimeMs);
  }
}

TEST_F(ClientCoreTest, AFunctionThatMayHaveBeenAppliedIsNotSaidToBeRefused) {
  const TablePtr table = Open();
  const auto applied = Write(table, std::move(Batch().Apply("a", "f", "1").Apply("b", "f", "2")));
  ASSERT_TRUE(applied) << applied.error();
  EXPECT_EQ(applied->answers, (std::vector<std::string>{"", ""}));
  EXPECT_EQ(Write(table, std::move(Batch().Apply("a", "refuse", ""))).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Write(table, std::move(Batch().Apply("a", "unheard of", ""))).error().code(), Code::kInvalidArgument);
  network_.Next(kTs1, LinkState::kCutAfter);
  EXPECT_EQ(Write(table, std::move(Batch().Apply("a", "refuse", ""))).error().code(), Code::kInvalidArgument)
      << "it says which write it refused, so it has looked whether it did it";
  network_.Next(kTs1, LinkState::kCutAfter);
  EXPECT_EQ(Write(table, std::move(Batch().Apply("a", "unheard of", ""))).error().code(), Code::kUnknownOutcome);
}

TEST_F(ClientCoreTest, AWriteCutInFlightBeforeItLearntATabletTimeLearnsItFromTheRefusal) {
  cluster_.masters()->routing_tells_time = false;
  const TablePtr table = Open();
  network_.Next(kTs1, LinkState::kCutAfter, 2);
  const auto sum = Write(table, std::move(Batch().Increment("a", 5)));
  ASSERT_TRUE(sum) << sum.error();
  EXPECT_EQ(cluster_.counts().writes_executed, 1);
  const auto log = cluster_.write_log();
  ASSERT_GE(log.size(), 3u);
  EXPECT_FALSE(log[1].header.__isset.tabletTimeMs);
  EXPECT_TRUE(log.back().header.__isset.tabletTimeMs);
}

TEST_F(ClientCoreTest, TabletsWhoseClocksLieAnHourApartCostNoAttempt) {
  cluster_.tables()->At("t", "k").ahead_ms = 3'600'000;
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  ASSERT_TRUE(Put(table, "k", "2"));
  ASSERT_TRUE(Put(table, "z", "3"));
  EXPECT_EQ(cluster_.counts().locates, 1) << "one look-up has told each tablet's own time";
  EXPECT_EQ(cluster_.write_log().size(), 3u);
}

TEST_F(ClientCoreTest, ATabletWhoseTimeTheMasterDoesNotKnowTellsItInItsRefusal) {
  cluster_.tables()->At("t", "k").ahead_ms = 3'600'000;
  cluster_.tables()->At("t", "k").told = false;
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  ASSERT_TRUE(Put(table, "k", "2"));
  EXPECT_EQ(cluster_.write_log().size(), 3u) << "another's time was too old";
  ASSERT_TRUE(Put(table, "k", "3"));
  EXPECT_EQ(cluster_.write_log().size(), 4u);
}

TEST_F(ClientCoreTest, AnOlderMastersLeastTimeCostsAnAttemptAndNoWrite) {
  cluster_.masters()->routing_tells_each = false;
  cluster_.tables()->At("t", "k").ahead_ms = 3'600'000;
  const TablePtr table = Open();
  const auto put = Put(table, "k", "1");
  ASSERT_TRUE(put) << put.error();
  EXPECT_EQ(cluster_.write_log().size(), 2u);
  // One that may have been executed is not sent with another time.
  cluster_.tables()->At("t", "k").ahead_ms = 7'200'000;
  network_.Next(kTs2, LinkState::kCutAfter);
  EXPECT_EQ(Put(table, "k", "2").error().code(), Code::kUnknownOutcome);
  EXPECT_EQ(Value(table, "k"), "1");
}

TEST_F(ClientCoreTest, AClockSetBackByAnHourHoldsUpNoWrite) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "0"));
  cluster_.faults()->clock_back_ms = 3'600'000;  // while the server restarted
  ASSERT_TRUE(Put(table, "a", "1", {.deadline = seconds(3)})) << "told to retry once";
  const size_t attempts = cluster_.write_log().size();
  ASSERT_TRUE(Put(table, "a", "2", {.deadline = seconds(3)}));
  EXPECT_EQ(cluster_.write_log().size(), attempts + 1) << "later ones know";
  // One that may have been executed before goes on under its number, and counts once.
  cluster_.faults()->clock_back_ms = 0;
  ASSERT_TRUE(Put(table, "n", "0"));
  network_.Next(kTs1, LinkState::kCutAfter);
  network_.Next(kTs2, LinkState::kCutAfter);
  cluster_.faults()->clock_back_ms = 3'600'000;
  const auto sum = Write(table, std::move(Batch().Increment("n", 5)));
  ASSERT_TRUE(sum) << sum.error();
  EXPECT_EQ(sum->counters, std::vector<int64_t>{5});
}

TEST_F(ClientCoreTest, AWriteWhoseDeadlineCutsItInFlightIsUnknown) {
  const TablePtr table = Open();
  network_.SetLinkState(kTs1, LinkState::kSlowAnswer);
  const auto put = Put(table, "a", "1", {.deadline = seconds(2)});
  EXPECT_EQ(put.error().code(), Code::kUnknownOutcome) << put.error();
  // One that never left is not.
  network_.SetLinkState(kTs1, LinkState::kDown);
  EXPECT_EQ(Put(table, "a", "1", {.deadline = seconds(2)}).error().code(), Code::kUnavailable);
}

TEST_F(ClientCoreTest, NamesItsFirstIncompleteSequence) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "0"));
  network_.SetLinkState(kTs2, LinkState::kSilent);
  core_.Write(table, std::move(Batch().Put("k", "stuck")), {.deadline = seconds(5)}, [](Result<BatchResult>) {});
  ASSERT_TRUE(Put(table, "a", "1"));
  const auto log = cluster_.write_log();
  EXPECT_EQ(log.back().sequence, 3);
  EXPECT_EQ(log.back().firstIncomplete, 2);
  scheduler_.RunFor(seconds(6));
  ASSERT_TRUE(Put(table, "a", "2"));
  EXPECT_EQ(cluster_.write_log().back().firstIncomplete, 4);
}

TEST_F(ClientCoreTest, OneStuckTabletDoesNotStopWritesToOthers) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "0"));
  network_.SetLinkState(kTs2, LinkState::kSilent);
  core_.Write(table, std::move(Batch().Put("k", "stuck")), {}, [](Result<BatchResult>) {});
  for (int i = 0; i < 3000; ++i) ASSERT_TRUE(Put(table, "a", "1"));
  for (const auto& request : cluster_.write_log()) ASSERT_LT(request.sequence - request.firstIncomplete, 1024);
}

TEST_F(ClientCoreTest, OneStuckTabletHoldsUpNoOthersPartOfOneCall) {
  const TablePtr table = Open();
  for (const char* key : {"a", "k", "q"}) ASSERT_TRUE(Put(table, key, "0"));
  network_.SetLinkState(kTs2, LinkState::kSilent);
  std::string order;
  core_.WriteEach(table, std::move(Batch().Put("k", "1").Put("a", "1").Put("q", "1")).TakeParts(), {},
                  [&](size_t place, const Result<PartResult>& part) {
                    EXPECT_TRUE(part) << part.error();
                    order += std::to_string(place);
                  });
  core_.GetEach(table, {"k", "a", "q"}, {},
                [&](size_t place, const Result<Record>&) { order += static_cast<char>('a' + place); });
  scheduler_.RunFor(std::chrono::milliseconds(100));
  std::ranges::sort(order);
  EXPECT_EQ(order, "12bc");
  network_.SetLinkState(kTs2, LinkState::kFair);
  scheduler_.RunFor(std::chrono::seconds(5));
  std::ranges::sort(order);
  EXPECT_EQ(order, "012abc");
  EXPECT_EQ(Value(table, "k"), "1");
}

TEST_F(ClientCoreTest, WritesBeyondTheWindowWaitTheirTurn) {
  const TablePtr table = Open();
  network_.SetLinkState(kTs1, LinkState::kDown);
  const size_t many = kSequencesAhead * kClientIdsMax + 500;
  size_t answered = 0;
  for (size_t i = 0; i < many; ++i) {
    core_.Write(table, std::move(Batch().Put("a", "1")), {},
                [&](Result<BatchResult> result) { answered += result ? 1 : 0; });
  }
  scheduler_.RunFor(milliseconds(100));
  EXPECT_EQ(answered, 0u);
  network_.SetLinkState(kTs1, LinkState::kFair);
  EXPECT_TRUE(scheduler_.RunUntil([&] { return answered == many; }, seconds(9)));
  EXPECT_EQ(cluster_.counts().writes_executed, static_cast<int>(many));
}

TEST_F(ClientCoreTest, ATimeOlderThanTheWindowIsRenewedForAWriteNeverTried) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  scheduler_.RunFor(std::chrono::minutes(30));
  cluster_.faults()->oldest_ms = executor_.TimeOfDayMs() - 600'000;
  EXPECT_TRUE(Put(table, "a", "2"));
  network_.Next(kTs1, LinkState::kCutBefore);
  executor_.After(milliseconds(1), [&] { cluster_.faults()->oldest_ms = executor_.TimeOfDayMs() + 1000; });
  EXPECT_EQ(Put(table, "a", "3").error().code(), Code::kUnknownOutcome) << "that one may have happened";
}

TEST_F(ClientCoreTest, RefusalsAreFinalAndSaySo) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "text"));
  EXPECT_EQ(Write(table, std::move(Batch().Put("a", "x", {.if_absent = true}))).error().code(), Code::kConditionFailed);
  EXPECT_EQ(Write(table, std::move(Batch().Put("b", "x", {.if_exists = true}))).error().code(), Code::kConditionFailed);
  EXPECT_EQ(Write(table, std::move(Batch().Increment("a", 1))).error().code(), Code::kInvalidArgument);
  const auto batch = Write(table, std::move(Batch().Put("c", "1").Check("a", {.if_absent = true})));
  EXPECT_EQ(batch.error().message(), "write 2 of the batch, of \"a\": the condition does not hold");
  EXPECT_EQ(cluster_.counts().write_attempts, 5);
  const auto version = Get(table, "a")->version;
  EXPECT_TRUE(Write(table, std::move(Batch().Put("a", "new", {.if_version = version}))));
  EXPECT_EQ(Write(table, std::move(Batch().Put("a", "new", {.if_version = version}))).error().code(),
            Code::kConditionFailed);
}

TEST_F(ClientCoreTest, NonsenseIsRefusedBeforeItIsSent) {
  const TablePtr table = Open();
  const auto code = [&](Batch batch) { return Write(table, std::move(batch)).error().code(); };
  EXPECT_EQ(code({}), Code::kInvalidArgument);
  EXPECT_EQ(code(std::move(Batch().Put("", "x"))), Code::kInvalidArgument);
  EXPECT_EQ(code(std::move(Batch().Put(std::string(4097, 'k'), "x"))), Code::kInvalidArgument);
  EXPECT_EQ(code(std::move(Batch().Put("a", std::string((1 << 20) + 1, 'v')))), Code::kInvalidArgument);
  EXPECT_EQ(code(std::move(Batch().Put("a", "x").Delete("a"))), Code::kInvalidArgument);
  EXPECT_EQ(code(std::move(Batch().Put("a", "x", {.if_absent = true, .if_exists = true}))), Code::kInvalidArgument);
  EXPECT_EQ(code(std::move(Batch().Put("a", "x", {.ttl = milliseconds(-1)}))), Code::kInvalidArgument);
  const Expiry moment{milliseconds(1)};
  EXPECT_EQ(code(std::move(Batch().Put("a", "x", {.ttl = milliseconds(1), .expires = moment}))),
            Code::kInvalidArgument);
  EXPECT_EQ(code(std::move(Batch().Put("a", "x", {.expires = moment - milliseconds(1)}))), Code::kInvalidArgument);
  EXPECT_EQ(code(std::move(Batch().Increment("a", 1, {.expires = moment}))), Code::kInvalidArgument);
  EXPECT_EQ(code(std::move(Batch().Check("a", {}))), Code::kInvalidArgument);
  EXPECT_EQ(Get(table, "").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Get(table, "a", {.read = Read::InSession()}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Get(table, "a", {.read = Read::Bounded(milliseconds(0))}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Scan(table, {.range = {"m", "a"}}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Scan(table, {.range = {"m", "m"}}).value(), "") << "empty, not inverted";
  EXPECT_EQ(cluster_.counts().write_attempts + cluster_.counts().gets + cluster_.counts().scans, 0);
}

TEST_F(ClientCoreTest, ABatchOfOneTabletIsAtomicAndOneOfTwoIsRefused) {
  const TablePtr table = Open();
  const auto done = Write(table, std::move(Batch().Put("a", "1").Put("b", "2").Increment("c", 3)));
  ASSERT_TRUE(done) << done.error();
  EXPECT_TRUE(done->version);
  EXPECT_EQ(done->counters, std::vector<int64_t>{3});
  const auto refused = Write(table, std::move(Batch().Put("a", "9").Put("z", "9")));
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_NE(refused.error().message().find("spans tablets"), std::string::npos) << refused.error();
  EXPECT_EQ(Value(table, "a"), "1");
  cluster_.tables()->Merge("t", "a");
  EXPECT_TRUE(Write(table, std::move(Batch().Put("a", "9").Put("k", "9")))) << "merged since: asked before refusing";
}

TEST_F(ClientCoreTest, MultiWriteAnswersEachPartFromItsTablet) {
  const TablePtr table = Open();
  for (const char* key : {"a", "k", "q"}) Put(table, key, "0");  // their places are known
  const size_t before = cluster_.write_log().size();
  const auto done = MultiWrite(
      table,
      std::move(Batch().Put("q", "1").Increment("k", 5).Put("", "x").Put("a", "1").Put("b", "1").Increment("l", -2).Put(
          "a", "2")));
  ASSERT_EQ(done.size(), 7u);
  EXPECT_EQ(cluster_.write_log().size(), before + 3);
  EXPECT_TRUE(done[0] && done[3] && done[4]);
  EXPECT_EQ(done[1]->counter, 5);
  EXPECT_EQ(done[2].error().code(), Code::kInvalidArgument);
  EXPECT_EQ(done[5]->counter, -2);
  EXPECT_EQ(done[6].error().code(), Code::kInvalidArgument) << "its key is named twice";
  EXPECT_EQ(Get(table, "a")->version, done[3]->version);
  EXPECT_EQ(Value(table, "a") + Value(table, "b") + Value(table, "k") + Value(table, "l"), "115-2");
  EXPECT_TRUE(MultiWrite(table, Batch()).empty());
}

TEST_F(ClientCoreTest, APartOfAMultiWriteThatIsRefusedHoldsUpNoOther) {
  const TablePtr table = Open();
  Put(table, "a", "text");
  const auto done = MultiWrite(
      table, std::move(Batch().Increment("a", 1).Put("b", "1").Put("c", "1", {.if_exists = true}).Increment("d", 3)));
  EXPECT_EQ(done[0].error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(done[1]) << done[1].error();
  EXPECT_EQ(done[2].error().code(), Code::kConditionFailed);
  EXPECT_EQ(done[3]->counter, 3);
  EXPECT_EQ(Value(table, "a") + Value(table, "b"), "text1");
}

TEST_F(ClientCoreTest, OneOfManyThatIsRefusedCostsFewCalls) {
  const TablePtr table = Open();
  Put(table, "a", "0");  // its place is known
  const auto calls = [&](int count, const std::set<int>& refused) {
    const size_t before = cluster_.write_log().size();
    Batch parts;
    for (int i = 0; i < count; ++i) parts.Apply("a" + std::to_string(i), refused.contains(i) ? "refuse" : "f", "1");
    const auto done = MultiWrite(table, std::move(parts));
    for (int i = 0; i < count; ++i) EXPECT_EQ(done[static_cast<size_t>(i)].has_value(), !refused.contains(i)) << i;
    return cluster_.write_log().size() - before;
  };
  EXPECT_EQ(calls(100, {}), 1u);
  EXPECT_EQ(calls(100, {0}), 4u);
  EXPECT_EQ(calls(100, {42}), 5u);
  EXPECT_EQ(calls(100, {99}), 3u);
  EXPECT_EQ(calls(2, {0, 1}), 3u);
  EXPECT_LE(calls(100, {17, 42, 90}), 13u);
  std::set<int> all;
  for (int i = 0; i < 100; ++i) all.insert(i);
  EXPECT_LE(calls(100, all), 200u);
}

TEST_F(ClientCoreTest, AFunctionThatIsRefusedOnARetryHoldsUpNoOther) {
  const TablePtr table = Open();
  network_.Next(kTs1, LinkState::kCutAfter);
  Batch parts;
  for (char c = 'a'; c < 'g'; ++c) parts.Apply(std::string(1, c), c == 'd' ? "refuse" : "f", "1");
  const auto done = MultiWrite(table, std::move(parts));
  ASSERT_EQ(done.size(), 6u);
  for (size_t i = 0; i < done.size(); ++i) {
    if (i == 3) {
      EXPECT_EQ(done[i].error().code(), Code::kInvalidArgument);
    } else {
      ASSERT_TRUE(done[i]) << done[i].error();
      EXPECT_EQ(done[i]->answer, "") << "it is applied once";
    }
  }
  EXPECT_EQ(Value(table, "a") + Value(table, "f"), "11");
}

TEST_F(ClientCoreTest, FunctionsWithLargeAnswersGoInBatchesThatServersTake) {
  const TablePtr table = Open();
  const auto key = [](int i) { return "a" + std::to_string(i); };
  for (int i = 0; i < 64; ++i) Put(table, key(i), std::string(2'100, 'x'));
  const auto calls = [&](const std::string& function_key, int count) {
    const size_t before = cluster_.write_log().size();
    Batch parts;
    for (int i = 0; i < count; ++i) parts.Apply(function_key + std::to_string(i), "f", "");
    for (const auto& one : MultiWrite(table, std::move(parts))) EXPECT_TRUE(one) << one.error();
    return cluster_.write_log().size() - before;
  };
  EXPECT_EQ(calls("a", 64), 5u) << "refused, and sent in pieces";
  EXPECT_EQ(calls("a", 64), 3u) << "none is refused any more";
  calls("b", 100);
  EXPECT_EQ(calls("b", 100), 1u) << "small ones go together again";
}

TEST_F(ClientCoreTest, AMultiWriteOfUnknownPlacesIsSpreadOnceTheyAreKnown) {
  const TablePtr table = Open();
  Batch parts;
  for (char c = 'a'; c <= 'z'; ++c) parts.Put(std::string(1, c), "1");
  const auto done = MultiWrite(table, std::move(parts));
  for (const auto& one : done) EXPECT_TRUE(one) << one.error();
  EXPECT_LE(cluster_.write_log().size(), 6u);
  EXPECT_EQ(Value(table, "a") + Value(table, "i") + Value(table, "z"), "111");
}

TEST_F(ClientCoreTest, AMultiWriteGoesOnWhereTabletsWereSplit) {
  const TablePtr table = Open();
  Put(table, "a", "0");
  cluster_.tables()->Split("t", "c");
  const auto done =
      MultiWrite(table, std::move(Batch().Put("a", "1").Increment("b", 1).Put("d", "1").Increment("e", 2)));
  for (const auto& one : done) EXPECT_TRUE(one) << one.error();
  EXPECT_EQ(done[3]->counter, 2);
  EXPECT_EQ(Value(table, "a") + Value(table, "b") + Value(table, "d") + Value(table, "e"), "1112");
}

TEST_F(ClientCoreTest, MultiGetAnswersEachKeyFromItsTablet) {
  const TablePtr table = Open();
  for (const char* key : {"a", "k", "q"}) cluster_.tables()->Put("t", key, std::string("v") + key);
  for (int warm = 0; warm < 2; ++warm) {
    const auto got = MultiGet(table, {"q", "a", "", "nope", "k", "a"});
    ASSERT_EQ(got.size(), 6u);
    EXPECT_EQ(got[0]->value + got[1]->value + got[4]->value + got[5]->value, "vqvavkva");
    EXPECT_EQ(got[2].error().code(), Code::kInvalidArgument);
    EXPECT_EQ(got[3].error().code(), Code::kNotFound);
  }
  EXPECT_EQ(cluster_.counts().multi_gets, 6);
  EXPECT_TRUE(MultiGet(table, {}).empty());
}

TEST_F(ClientCoreTest, MultiGetGoesOnWhereServersDisownKeysOrRepliesAreFull) {
  const TablePtr table = Open();
  std::vector<std::string> keys;
  for (char c = 'a'; c <= 'z'; ++c) {
    keys.emplace_back(1, c);
    cluster_.tables()->Put("t", keys.back(), keys.back());
  }
  (void)MultiGet(table, keys);
  cluster_.tables()->Split("t", "d");
  cluster_.tables()->Move("t", "d", "ts-3");
  cluster_.faults()->multi_get_room = 2;
  const auto got = MultiGet(table, keys);
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(got[i].value_or(Record{}).value, keys[i]);
  network_.SetLinkState(kTs2, LinkState::kDown);
  const auto partly = MultiGet(table, {"a", "k"}, {.deadline = seconds(1)});
  EXPECT_TRUE(partly[0]);
  EXPECT_EQ(partly[1].error().code(), Code::kUnavailable);
}

TEST_F(ClientCoreTest, AThousandKeysAtMostInOneRequest) {
  cluster_.tables()->Add("one", {});
  const TablePtr table = Open("one");
  std::vector<std::string> keys;
  for (int i = 0; i < 2500; ++i) keys.push_back("k" + std::to_string(i));
  for (const auto& record : MultiGet(table, keys)) EXPECT_EQ(record.error().code(), Code::kNotFound);
  EXPECT_EQ(cluster_.counts().multi_gets, 3);
}

TEST_F(ClientCoreTest, ScansCrossTabletsBothWays) {
  const TablePtr table = Open();
  for (char c = 'a'; c <= 'z'; c = static_cast<char>(c + 3)) cluster_.tables()->Put("t", std::string(1, c), "v");
  cluster_.faults()->page_rows = 2;
  int pages = 0;
  EXPECT_EQ(Scan(table, {}, &pages).value(), "a d g j m p s v y ");
  EXPECT_GT(pages, 4);
  EXPECT_EQ(Scan(table, {.reverse = true}).value(), "y v s p m j g d a ");
  EXPECT_EQ(Scan(table, {.range = {"d", "p"}}).value(), "d g j m ");
  EXPECT_EQ(Scan(table, {.range = {"d", "p"}, .reverse = true}).value(), "m j g d ");
  EXPECT_EQ(Scan(table, {.range = {"h", ""}, .reverse = true}).value(), "y v s p m j ");
  EXPECT_EQ(Scan(table, {.range = KeyRange::Prefix("m")}).value(), "m ");
  EXPECT_EQ(cluster_.counts().wrong_place, 0);
}

TEST_F(ClientCoreTest, ScansGoOnThroughSplitsMovesAndDownTime) {
  const TablePtr table = Open();
  for (char c = 'a'; c <= 'z'; ++c) cluster_.tables()->Put("t", std::string(1, c), "v");
  cluster_.faults()->page_rows = 3;
  for (int round = 0; round < 2; ++round) {
    const bool reverse = round == 1;
    ScanOptions options{.reverse = reverse};
    std::string keys;
    for (int page_number = 0;; ++page_number) {
      if (page_number == 1) cluster_.tables()->Split("t", reverse ? "r" : "f");
      if (page_number == 2) cluster_.tables()->Move("t", reverse ? "q" : "g", "ts-2");
      if (page_number == 3) network_.Next(kTs2, LinkState::kDown, 3);
      if (page_number == 4) cluster_.tables()->Merge("t", reverse ? "a" : "k");
      auto page = Wait<Result<ScanPage>>([&](auto done) { core_.ScanPage(table, options, std::move(done)); });
      ASSERT_TRUE(page) << page.error();
      for (const Row& row : page->rows) keys += row.key;
      if (page->done) break;
      options.range = page->remaining;
    }
    EXPECT_EQ(keys, reverse ? "zyxwvutsrqponmlkjihgfedcba" : "abcdefghijklmnopqrstuvwxyz");
  }
}

TEST_F(ClientCoreTest, ATableMadeAgainUnderItsNameIsFoundByItself) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "old"));
  cluster_.tables()->Drop("t");
  EXPECT_EQ(Get(table, "a").error().code(), Code::kNoSuchTable);
  cluster_.tables()->Add("t", {"c"});
  EXPECT_EQ(Get(table, "a").error().code(), Code::kNotFound);
  EXPECT_TRUE(Put(table, "a", "new"));
  EXPECT_EQ(Value(table, "a"), "new");
}

TEST_F(ClientCoreTest, FollowsTheLeaderAndRemembersIt) {
  cluster_.masters()->leader = 1;
  const TablePtr table = Open();
  EXPECT_EQ(network_.calls(kMaster1), 1);
  EXPECT_EQ(Value(table, "a"), "NOT_FOUND");
  EXPECT_EQ(network_.calls(kMaster1), 1) << "the leader is remembered";
  cluster_.masters()->leader = 0;
  network_.SetLinkState(kMaster2, LinkState::kDown);
  cluster_.tables()->Add("u", {});
  EXPECT_EQ(Value(Open("u"), "a"), "NOT_FOUND");
}

TEST_F(ClientCoreTest, WaitsOutAnElectionAndASilentMaster) {
  cluster_.masters()->leader = -1;
  executor_.After(seconds(3), [&] { cluster_.masters()->leader = 1; });
  const MonotonicTime start = scheduler_.Now();
  const TablePtr table = Open();
  EXPECT_LT(Since(start), milliseconds(3600));
  network_.SetLinkState(kMaster2, LinkState::kSilent);
  cluster_.masters()->leader = 0;
  EXPECT_EQ(Value(table, "a"), "NOT_FOUND") << "a silent master is passed over within the deadline";
  network_.SetLinkState(kMaster1, LinkState::kDown);
  const auto got =
      Wait<Result<TablePtr>>([&](auto done) { core_.OpenTable("t", OnceCallback<Result<TablePtr>>(std::move(done))); });
  EXPECT_EQ(got.error().code(), Code::kDeadlineExceeded) << got.error();
  EXPECT_NE(got.error().message().find("master"), std::string::npos) << got.error();
}

TEST_F(ClientCoreTest, KnownTabletsGoOnWithoutAnyMaster) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  network_.SetLinkState(kMaster1, LinkState::kDown);
  network_.SetLinkState(kMaster2, LinkState::kDown);
  EXPECT_TRUE(Put(table, "a", "2"));
  EXPECT_EQ(Value(table, "k"), "NOT_FOUND");
}

TEST_F(ClientCoreTest, ALookUpTellsEachWaiterAtItsOwnDeadline) {
  const TablePtr table = Open();
  network_.SetLinkState(kMaster1, LinkState::kDown);
  network_.SetLinkState(kMaster2, LinkState::kDown);
  std::vector<std::pair<Duration, Code>> ends;
  const MonotonicTime start = scheduler_.Now();
  for (const int ms : {500, 1000, 3000}) {
    core_.Get(table, "a", {.deadline = milliseconds(ms)},
              [&](Result<Record> got) { ends.emplace_back(Since(start), got ? Code::kOk : got.error().code()); });
  }
  executor_.After(seconds(2), [&] { network_.SetLinkState(kMaster1, LinkState::kFair); });
  EXPECT_TRUE(scheduler_.RunUntil([&] { return ends.size() == 3; }, seconds(9)));
  EXPECT_EQ(ends[0], (std::pair{Duration(milliseconds(500)), Code::kUnavailable}));
  EXPECT_EQ(ends[1], (std::pair{Duration(milliseconds(1000)), Code::kUnavailable}));
  EXPECT_EQ(ends[2].second, Code::kNotFound);
}

TEST_F(ClientCoreTest, ATabletWithoutPrimaryIsWaitedFor) {
  cluster_.faults()->serving = false;
  const TablePtr table = Open();
  executor_.After(seconds(2), [&] { cluster_.faults()->serving = true; });
  EXPECT_TRUE(Put(table, "a", "1"));
  cluster_.faults()->serving = false;
  const TablePtr other = Open();
  const auto got = Get(other, "a", {.deadline = seconds(1)});
  EXPECT_NE(got.error().message().find("no primary at present"), std::string::npos) << got.error();
}

TEST_F(ClientCoreTest, SessionsCarryWhatTheySaw) {
  const TablePtr table = Open();
  auto state = std::make_shared<SessionState>();
  Session session = SessionAccess::Make(state);
  ASSERT_TRUE(Put(table, "a", "1", {.session = &session}));
  EXPECT_FALSE(cluster_.last_header().__isset.token) << "it had seen nothing yet";
  ASSERT_TRUE(Get(table, "a", {.read = Read::InSession(), .session = &session}));
  EXPECT_EQ(cluster_.last_read().level, idl::ReadLevel::SESSION);
  ASSERT_TRUE(cluster_.last_header().__isset.token);
  const auto sent = cluster_.last_header().token;
  ASSERT_EQ(sent.ranges.size(), 1u);
  EXPECT_EQ(sent.ranges.front().range.endKey, "h") << "of the tablet, not of the key alone";
  EXPECT_EQ(sent.ranges.front().applied.lsn, 1);

  // In another process.
  const auto tokens = DecodeTokens(session.Token());
  ASSERT_TRUE(tokens);
  Session elsewhere = SessionAccess::Make(std::make_shared<SessionState>(*tokens));
  (void)Get(table, "b", {.read = Read::InSession(), .session = &elsewhere});
  EXPECT_EQ(cluster_.last_header().token, sent);

  // A coarse token reads at STRONG.
  state->Update(table->router()->table(), [](TableToken& token) { token.Coarsen(); });
  (void)Get(table, "b", {.read = Read::InSession(), .session = &session});
  EXPECT_EQ(cluster_.last_read().level, idl::ReadLevel::STRONG);
}

TEST_F(ClientCoreTest, LevelsReachTheServer) {
  const TablePtr table = Open();
  (void)Get(table, "a", {.read = Read::Bounded(seconds(2))});
  EXPECT_EQ(cluster_.last_read().level, idl::ReadLevel::BOUNDED);
  EXPECT_EQ(cluster_.last_read().boundedMs, 2000);
  (void)Get(table, "a", {.read = Read::Eventual(), .deadline = milliseconds(900)});
  EXPECT_EQ(cluster_.last_read().level, idl::ReadLevel::EVENTUAL);
  EXPECT_LE(cluster_.last_header().deadlineMs, 900);
  EXPECT_GT(cluster_.last_header().deadlineMs, 800);
  ASSERT_TRUE(Write(table, std::move(Batch().Put("a", "x", {.ttl = std::chrono::minutes(30)})), {.ack = Ack::kAll}));
  EXPECT_EQ(cluster_.write_log().back().level, idl::WriteLevel::ALL);
  const Record record = *Get(table, "a");
  ASSERT_TRUE(record.expires);
  EXPECT_NEAR(static_cast<double>(record.expires->time_since_epoch().count()),
              static_cast<double>(executor_.TimeOfDayMs() + 30 * 60'000), 1000);
  const Expiry moment{milliseconds(33'177'117'420'000)};
  ASSERT_TRUE(Write(table, std::move(Batch().Put("a", "x", {.expires = moment}))));
  EXPECT_EQ(Get(table, "a")->expires, moment);
}

TEST_F(ClientCoreTest, ClosingAnswersWhatIsUnderWay) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  std::vector<Code> codes;
  {
    ebla::testing::SimExecutor executor(scheduler_);
    SimNetwork network(executor, std::chrono::microseconds(100));
    network.Serve(cluster_, kServers, 2);
    ClientCore core({IoContext{&executor, &network}}, CoreOptions{{kMaster1}, seconds(10)});
    std::optional<TablePtr> opened;
    core.OpenTable("t", OnceCallback<Result<TablePtr>>([&](Result<TablePtr> t) { opened = *t; }));
    ASSERT_TRUE(scheduler_.RunUntil([&] { return opened.has_value(); }, seconds(1)));
    network.SetLinkState(kTs1, LinkState::kSilent);
    core.Get(*opened, "a", {}, [&](Result<Record> r) { codes.push_back(r.error().code()); });
    core.GetEach(*opened, {"a"}, {}, [&](size_t, const Result<Record>& r) { codes.push_back(r.error().code()); });
    core.Write(*opened, std::move(Batch().Put("a", "1")), {},
               [&](Result<BatchResult> r) { codes.push_back(r.error().code()); });
    scheduler_.RunFor(seconds(1));
    EXPECT_TRUE(codes.empty());
    core.Close();
    // The executor goes first, and with it the tasks that hold the operations.
    executor.~SimExecutor();
    new (&executor) ebla::testing::SimExecutor(scheduler_);
  }
  std::ranges::sort(codes);
  EXPECT_EQ(codes, (std::vector<Code>{Code::kUnavailable, Code::kUnavailable, Code::kUnknownOutcome}));
}

// ---- administration

TEST_F(ClientCoreTest, CreatesDescribesAltersListsAndDrops) {
  const auto made = Wait<Result<TableInfo>>([&](auto done) {
    admin_.CreateTable("carts", {.table = {.replicas = 1, .default_ttl = seconds(5)}, .split_points = {"f", "m"}},
                       OnceCallback<Result<TableInfo>>(std::move(done)));
  });
  ASSERT_TRUE(made) << made.error();
  EXPECT_EQ(made->tablets, 3);
  EXPECT_EQ(made->options.default_ttl, milliseconds(5000));
  const auto again = Wait<Result<TableInfo>>(
      [&](auto done) { admin_.CreateTable("carts", {}, OnceCallback<Result<TableInfo>>(std::move(done))); });
  EXPECT_EQ(again.error().code(), Code::kTableExists);
  const auto altered = Wait<Result<TableInfo>>([&](auto done) {
    admin_.AlterTable("carts", {.default_ttl = seconds(9)}, OnceCallback<Result<TableInfo>>(std::move(done)));
  });
  EXPECT_EQ(altered->options.default_ttl, milliseconds(9000));
  const auto tables = Wait<Result<std::vector<TableInfo>>>(
      [&](auto done) { admin_.ListTables(OnceCallback<Result<std::vector<TableInfo>>>(std::move(done))); });
  EXPECT_EQ(tables->size(), 2u);
  EXPECT_TRUE(Wait<Status>([&](auto done) { admin_.DropTable("carts", OnceCallback<Status>(std::move(done))); }).ok());
  EXPECT_EQ(Wait<Status>([&](auto done) { admin_.DropTable("carts", OnceCallback<Status>(std::move(done))); }).code(),
            Code::kNoSuchTable);
}

TEST_F(ClientCoreTest, ALostReplyOfCreateOrDropIsNotHeldAgainstTheCaller) {
  network_.Next(kMaster1, LinkState::kCutAfter);
  const auto made = Wait<Result<TableInfo>>([&](auto done) {
    admin_.CreateTable("carts", {.split_points = {"f"}}, OnceCallback<Result<TableInfo>>(std::move(done)));
  });
  ASSERT_TRUE(made) << made.error();
  EXPECT_EQ(made->tablets, 2);
  network_.Next(kMaster1, LinkState::kCutAfter);
  EXPECT_TRUE(Wait<Status>([&](auto done) { admin_.DropTable("carts", OnceCallback<Status>(std::move(done))); }).ok());
}

}  // namespace
}  // namespace ebla::client
