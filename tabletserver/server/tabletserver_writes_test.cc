// A tablet server's handling of each kind of write, a retry of it, and functions; in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

using ::testing::HasSubstr;

TEST_F(TabletServerTest, PutThenGetAtEveryLevel) {
  const idl::WriteReply put = Put("user1", "hello");
  ASSERT_EQ(put.header.code, idl::Code::OK) << put.header.message;
  EXPECT_EQ(put.version.epoch, 1);
  EXPECT_GT(put.version.lsn, 1);
  EXPECT_GE(put.header.applied.lsn, put.version.lsn);
  EXPECT_GT(put.header.tabletTimeMs, 0);
  for (const auto level : {idl::ReadLevel::DEFAULT, idl::ReadLevel::STRONG, idl::ReadLevel::SESSION,
                           idl::ReadLevel::BOUNDED, idl::ReadLevel::EVENTUAL}) {
    const idl::GetReply got = Get("user1", level);
    ASSERT_EQ(got.header.code, idl::Code::OK) << level << ": " << got.header.message;
    EXPECT_EQ(got.record.value, "hello");
    EXPECT_EQ(got.record.version, put.version);
    EXPECT_FALSE(got.record.__isset.expiresAtMs);
    EXPECT_GE(got.header.applied.lsn, put.version.lsn);
    EXPECT_EQ(got.header.tabletId, 100);
    EXPECT_EQ(got.header.epoch, 1);
  }
  EXPECT_EQ(Get("user2").header.code, idl::Code::NOT_FOUND);
}

TEST_F(TabletServerTest, DeleteIncrementConditionsAndBatches) {
  EXPECT_EQ(Write({IncrementOf("n", 5)}).counters, std::vector<int64_t>{5});
  EXPECT_EQ(Write({IncrementOf("n", -7)}).counters, std::vector<int64_t>{-2});
  EXPECT_EQ(Get("n").record.value, "-2");

  EXPECT_EQ(Write({If(PutOf("n", "x"), idl::ConditionKind::ABSENT)}).header.code, idl::Code::CONDITION_FAILED);
  const idl::Version version = Get("n").record.version;
  const idl::WriteReply put = Write({If(PutOf("n", "text"), idl::ConditionKind::VERSION_IS, version), PutOf("m", "1")});
  EXPECT_EQ(put.header.code, idl::Code::OK);
  EXPECT_EQ(Write({If(PutOf("n", "late"), idl::ConditionKind::VERSION_IS, version)}).header.code,
            idl::Code::CONDITION_FAILED);

  const idl::WriteReply text = Write({PutOf("m", "2"), IncrementOf("n", 1)});
  EXPECT_EQ(text.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(text.failedIndex, 1);
  EXPECT_EQ(Get("m").record.value, "1") << "a refused batch has no effect";

  EXPECT_EQ(Write({DeleteOf("n"), DeleteOf("never")}).header.code, idl::Code::OK);
  EXPECT_EQ(Get("n").header.code, idl::Code::NOT_FOUND);
}

TEST_F(TabletServerTest, ARetryGetsTheFirstAnswer) {
  const idl::WriteReply first = WriteAs(5, 1, {IncrementOf("n", 1)});
  const idl::WriteReply again = WriteAs(5, 1, {IncrementOf("n", 1)});
  EXPECT_EQ(first.counters, std::vector<int64_t>{1});
  EXPECT_EQ(again.counters, first.counters);
  EXPECT_EQ(again.version, first.version);
  EXPECT_EQ(Get("n").record.value, "1");
}

// The answer to a client with no tablet time, or with an old one (docs/design/client-protocol.md).
TEST_F(TabletServerTest, AWriteIsToldTheTabletTimeThatItLacks) {
  ASSERT_EQ(Put("k", "0").header.code, idl::Code::OK);
  idl::WriteRequest write;
  write.header = Header();
  write.clientId = 5;
  write.sequence = write.firstIncomplete = 1;
  write.writes = {IncrementOf("k", 1)};

  const idl::WriteReply timeless = Send(write);
  EXPECT_EQ(timeless.header.code, idl::Code::COME_AGAIN);
  EXPECT_EQ(timeless.header.retryAfterMs, 0) << "at once";
  ASSERT_TRUE(timeless.header.__isset.tabletTimeMs);
  write.header.__set_tabletTimeMs(timeless.header.tabletTimeMs);
  EXPECT_EQ(Send(write).counters, std::vector<int64_t>{1}) << "the refusal's own time will do";
  EXPECT_EQ(Send(write).counters, std::vector<int64_t>{1}) << "a retry is no second one";

  write.sequence = write.firstIncomplete = 2;
  write.header.__set_tabletTimeMs(timeless.header.tabletTimeMs - 3'600'000);
  const idl::WriteReply old = Send(write);
  EXPECT_EQ(old.header.code, idl::Code::UNKNOWN_OUTCOME);
  EXPECT_FALSE(old.header.__isset.retryAfterMs) << "a retry with this time learns nothing";
  ASSERT_TRUE(old.header.__isset.tabletTimeMs);
  EXPECT_EQ(Get("k").record.value, "1") << "it was not executed";
  write.header.__set_tabletTimeMs(old.header.tabletTimeMs);
  EXPECT_EQ(Send(write).counters, std::vector<int64_t>{2})
      << "so who knows of no earlier attempt sends it with the present one";
}

TEST_F(TabletServerTest, AFunctionIsAppliedToWhatIsThere) {
  EXPECT_EQ(Write({ApplyOf("a", "append", "1")}).answers, std::vector<std::string>{""});
  const idl::WriteReply both = Write({ApplyOf("a", "append", "2"), PutOf("b", "x"), ApplyOf("c", "take", "")});
  EXPECT_EQ(both.answers, (std::vector<std::string>{"1", ""}));
  EXPECT_EQ(Get("a").record.value, "12");
  EXPECT_EQ(Get("b").record.value, "x");
  EXPECT_EQ(Write({ApplyOf("a", "live_for", "60000")}).answers, std::vector<std::string>{"for ever"});
  EXPECT_TRUE(Get("a").record.__isset.expiresAtMs);
  EXPECT_EQ(Write({ApplyOf("a", "take", "")}).answers, std::vector<std::string>{"12"});
  EXPECT_EQ(Get("a").header.code, idl::Code::NOT_FOUND);
  const idl::WriteReply nothing = Write({ApplyOf("a", "take", "")});
  EXPECT_EQ(nothing.answers, std::vector<std::string>{""});
  EXPECT_FALSE(nothing.__isset.version) << "it wrote nothing";

  for (const char* function : {"refuse", "no such"}) {
    const idl::WriteReply refused = Write({PutOf("b", "y"), ApplyOf("a", function, "")});
    EXPECT_EQ(refused.header.code, idl::Code::INVALID_ARGUMENT);
    EXPECT_EQ(refused.failedIndex, 1);
    EXPECT_TRUE(refused.answers.empty());
  }
  EXPECT_EQ(Get("b").record.value, "x") << "a refused batch has no effect";
  idl::Write incomplete = ApplyOf("a", "append", "");
  incomplete.__isset.functionName = false;
  EXPECT_EQ(Write({incomplete}).header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(Write({WithTtl(ApplyOf("a", "append", "1"), 100)}).header.code, idl::Code::INVALID_ARGUMENT);
}

TEST_F(TabletServerTest, AFunctionsRetryGetsTheFirstAnswerAlsoAfterARestart) {
  Write({PutOf("a", "1")});
  EXPECT_EQ(WriteAs(5, 1, {ApplyOf("a", "append", "2")}).answers, std::vector<std::string>{"1"});
  EXPECT_EQ(WriteAs(5, 1, {ApplyOf("a", "append", "2")}).answers, std::vector<std::string>{"1"});
  EXPECT_EQ(WriteAs(5, 1, {ApplyOf("a", "take", "2")}).header.code, idl::Code::INVALID_ARGUMENT) << "another request";
  CrashServer(SimulatedDisk::CrashKind::kMachine);
  StartServer();
  ASSERT_EQ(Fence(100, 2).results[0].status.code, idl::Code::OK);
  MakeTablet(100, "", "", 2);
  EXPECT_EQ(WriteAs(5, 1, {ApplyOf("a", "append", "2")}).answers, std::vector<std::string>{"1"});
  EXPECT_EQ(Get("a").record.value, "12");
}

// The group of "u:" has records of all three sources.
class GroupFunctionTest : public HostFixture {
 protected:
  void SetUp() override {
    StartServer();
    idl::ConfigureTablet tablet = NewTablet(100);
    tablet.schema.options.keyGroup.__set_delimiter(":");
    tablet.schema.options.__isset.keyGroup = true;
    ASSERT_EQ(Configure({tablet}).results.at(0).status.code, idl::Code::OK);
    ASSERT_TRUE(Until([this] { return Put("v:other", "x").header.code == idl::Code::OK; }));
  }
  idl::CallReply Call(const std::string& key, const std::string& function, const std::string& arguments = "",
                      idl::ReadLevel::type level = idl::ReadLevel::DEFAULT) {
    idl::CallRequest request;
    request.header = Header();
    request.key = key;
    request.functionName = function;
    request.arguments = arguments;
    request.options.level = level;
    request.__isset.options = true;
    return Await<idl::CallReply>([&](auto cob) { server_->tablet_service()->call(std::move(cob), request); });
  }
};

TEST_F(GroupFunctionTest, ChangesAndReadsSeveralRecords) {
  EXPECT_EQ(Write({ApplyOf("u:a", "count_put", "1")}).answers, std::vector<std::string>{"1"});
  EXPECT_EQ(Write({PutOf("u:x", "by hand"), ApplyOf("u:b", "count_put", "1"), ApplyOf("u:b", "count_put", "2"),
                   ApplyOf("u:b", "list", "")})
                .answers,
            (std::vector<std::string>{"2", "2", "u: u:a u:b u:x"}));
  EXPECT_EQ(Get("u:").record.value, "2");
  EXPECT_EQ(Get("u:b").record.value, "2");
  for (const auto level : {idl::ReadLevel::STRONG, idl::ReadLevel::EVENTUAL}) {
    EXPECT_EQ(Call("u:a", "list", "", level).answer, "u: u:a u:b u:x");
    EXPECT_EQ(Call("u:none", "list", "reverse", level).answer, "u:x u:b u:a u:");
  }
  EXPECT_EQ(Write({ApplyOf("u:a", "clear", "")}).header.code, idl::Code::OK);
  EXPECT_EQ(Call("u:a", "list").answer, "");
  EXPECT_EQ(Call("v:a", "list").answer, "v:other");
}

TEST_F(GroupFunctionTest, AReadThatCannotBeSaysWhy) {
  EXPECT_THAT(Call("u:a", "no such").header.message, HasSubstr("no function \"no such\""));
  EXPECT_THAT(Call("u:a", "count_put", "1").header.message, HasSubstr("apply it by a write"));
  EXPECT_EQ(Call("", "list").header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(Call("u:a", std::string(65, 'f')).header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(Call("u:a", "list", std::string((1 << 20) + 1, 'x')).header.code, idl::Code::INVALID_ARGUMENT);
  std::vector<idl::Write> many;
  for (int i = 0; i < 10'001; ++i) {
    many.push_back(PutOf("w:" + std::to_string(i), ""));
    if (many.size() < 1'000 && i < 10'000) continue;
    ASSERT_EQ(Write(std::exchange(many, {})).header.code, idl::Code::OK);
  }
  const idl::CallReply refused = Call("w:", "list");
  EXPECT_EQ(refused.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_THAT(refused.header.message, HasSubstr("more than 10000 records"));
}

TEST_F(GroupFunctionTest, WhatHasExpiredIsNotRead) {
  ASSERT_EQ(Write({PutOf("u:a", "1"), WithTtl(PutOf("u:b", "2"), 1'000)}).header.code, idl::Code::OK);
  EXPECT_EQ(Call("u:a", "list").answer, "u:a u:b");
  scheduler_.RunFor(1s);
  EXPECT_EQ(Call("u:a", "list").answer, "u:a");
}

// It knows nothing of the cluster's level yet, and may remember what it is asked for.
TEST_F(TabletServerTest, AFunctionComesAgainUntilTheServerHasJoined) {
  ASSERT_EQ(WriteAs(5, 1, {ApplyOf("a", "append", "1")}).header.code, idl::Code::OK);
  CrashServer();
  options_.features = std::make_shared<Features>();
  coordination_.SetAvailable(false);
  BeginServer();
  EXPECT_EQ(WriteAs(5, 1, {ApplyOf("a", "append", "1")}).header.code, idl::Code::COME_AGAIN);
}

class EarlierClusterTest : public HostFixture {
 protected:
  EarlierClusterTest() : HostFixture(kRecordFunctions.level - 1) {}
};

TEST_F(EarlierClusterTest, FunctionsOfGroupsWaitForEveryProcess) {
  StartServer();
  MakeTablet();
  master_->cluster_level = kGroupFunctions.level - 1;
  ASSERT_TRUE(Until([&] { return options_.features->Has(kRecordFunctions); }));
  for (const char* function : {"count_put", "list"}) {
    const idl::WriteReply early = Write({ApplyOf("a", function, "1")});
    EXPECT_EQ(early.header.code, idl::Code::INVALID_ARGUMENT);
    EXPECT_THAT(early.header.message, HasSubstr("ebla cluster version"));
  }
  master_->cluster_level = kGroupFunctions.level;
  ASSERT_TRUE(Until([&] { return options_.features->Has(kGroupFunctions); }));
  EXPECT_EQ(Write({ApplyOf("a", "list", "")}).answers, std::vector<std::string>{""});
}

TEST_F(EarlierClusterTest, FunctionsWaitForEveryProcess) {
  StartServer();
  MakeTablet();
  const idl::WriteReply early = Write({PutOf("b", "x"), ApplyOf("a", "append", "1")});
  EXPECT_EQ(early.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_THAT(early.header.message, HasSubstr("ebla cluster version"));
  EXPECT_EQ(Get("b").header.code, idl::Code::NOT_FOUND);

  master_->cluster_level = kRecordFunctions.level;
  ASSERT_TRUE(Until([&] { return options_.features->Has(kRecordFunctions); }));
  EXPECT_EQ(Write({PutOf("b", "x"), ApplyOf("a", "append", "1")}).header.code, idl::Code::OK);
}

}  // namespace
}  // namespace ebla::tabletserver
