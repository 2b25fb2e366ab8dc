// A write over its attempts, at a pretended cluster in virtual time: its number, by which it happens once, and the
// tablet time that it carries.
#include "client/core/operations/write_operation.h"

#include <gtest/gtest.h>

#include "client/testing/core_fixture.h"

namespace ebla::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ClientCoreTest;
using testing::kTs1;
using testing::kTs2;
using testing::LinkState;

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

TEST_F(ClientCoreTest, AWriteWhoseDeadlineCutsItInFlightIsUnknown) {
  const TablePtr table = Open();
  network_.SetLinkState(kTs1, LinkState::kSlowAnswer);
  const auto put = Put(table, "a", "1", {.deadline = seconds(2)});
  EXPECT_EQ(put.error().code(), Code::kUnknownOutcome) << put.error();
  // A write that was never sent has not happened.
  network_.SetLinkState(kTs1, LinkState::kDown);
  EXPECT_EQ(Put(table, "a", "1", {.deadline = seconds(2)}).error().code(), Code::kUnavailable);
}

// ---- tablet time ---------------------------------------------------------------------------------------------------

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
  // A write that may have been executed keeps its tablet time.
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
  // A write that may have been executed before keeps its number, and counts once.
  cluster_.faults()->clock_back_ms = 0;
  ASSERT_TRUE(Put(table, "n", "0"));
  network_.Next(kTs1, LinkState::kCutAfter);
  network_.Next(kTs2, LinkState::kCutAfter);
  cluster_.faults()->clock_back_ms = 3'600'000;
  const auto sum = Write(table, std::move(Batch().Increment("n", 5)));
  ASSERT_TRUE(sum) << sum.error();
  EXPECT_EQ(sum->counters, std::vector<int64_t>{5});
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

// ---- sequence numbers ----------------------------------------------------------------------------------------------

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

}  // namespace
}  // namespace ebla::client
