// The client over a pretended cluster, in virtual time: ways that an attempt may end, what is refused before it is
// sent, what reaches the server, and what closing leaves.
#include "client/core/operations/client_core.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "client/testing/core_fixture.h"

namespace ebla::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ClientCoreTest;
using testing::kMaster1;
using testing::kServers;
using testing::kTs1;
using testing::LinkState;
using testing::SimNetwork;

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

TEST_F(ClientCoreTest, AdviceOfATabletServerNamesTheTable) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "text"));
  const ServerName primary = cluster_.tables()->At(table->name(), "a").primary;
  cluster_.faults()->AnswerNext(primary, idl::Code::PERMISSION_DENIED, 1, 0, "by `ebla grant read ada --table NAME`");
  const Status refused = Get(table, "a").error();
  EXPECT_EQ(refused.code(), Code::kPermissionDenied);
  EXPECT_TRUE(refused.message().ends_with("by `ebla grant read ada --table " + table->name() + "`")) << refused;
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
    // The executor is destroyed first, and with it the tasks that hold the operations.
    executor.~SimExecutor();
    new (&executor) ebla::testing::SimExecutor(scheduler_);
  }
  std::ranges::sort(codes);
  EXPECT_EQ(codes, (std::vector<Code>{Code::kUnavailable, Code::kUnavailable, Code::kUnknownOutcome}));
}

}  // namespace
}  // namespace ebla::client
