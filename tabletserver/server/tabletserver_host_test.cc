// What a tablet server does with each operation, each refusal, a restart and a drop; in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "common/base/lineage.h"
#include "common/base/number_limits.h"
#include "common/base/planted_bug.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "tabletserver/service/request_check.h"
#include "tabletserver/testing/fixture_parts.h"
#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

using ::testing::HasSubstr;

class TabletServerTest : public HostFixture {
 protected:
  void SetUp() override {
    StartServer();
    MakeTablet();
  }
};

TEST_F(TabletServerTest, RegistersAndReportsItsTablets) {
  ASSERT_TRUE(Until([&] { return !master_->last.tablets.empty() && master_->last.tablets[0].barrierApplied; }));
  const idl::HeartbeatRequest& beat = master_->last;
  EXPECT_EQ(beat.server, "ts-1");
  EXPECT_EQ(beat.incarnation, 1);
  EXPECT_EQ(beat.clusterId, kCluster);
  EXPECT_EQ(beat.tablets[0].tabletId, 100);
  EXPECT_TRUE(beat.tablets[0].leading);
  EXPECT_GT(beat.tablets[0].tabletTimeMs, 1'700'000'000'000 - 1000);
  EXPECT_TRUE(server_->Ready().ok());
}

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
  CrashServer(MemoryDisk::CrashKind::kMachine);
  StartServer();
  ASSERT_EQ(Fence(100, 2).results[0].status.code, idl::Code::OK);
  MakeTablet(100, "", "", 2);
  EXPECT_EQ(WriteAs(5, 1, {ApplyOf("a", "append", "2")}).answers, std::vector<std::string>{"1"});
  EXPECT_EQ(Get("a").record.value, "12");
}

class EarlierClusterTest : public HostFixture {
 protected:
  EarlierClusterTest() : HostFixture(kRecordFunctions.level - 1) {}
};

// It knows nothing of the cluster's level yet, and may remember what it is asked for.
TEST_F(TabletServerTest, AFunctionComesAgainUntilTheServerHasJoined) {
  ASSERT_EQ(WriteAs(5, 1, {ApplyOf("a", "append", "1")}).header.code, idl::Code::OK);
  CrashServer();
  options_.features = std::make_shared<Features>();
  coordination_.SetAvailable(false);
  BeginServer();
  EXPECT_EQ(WriteAs(5, 1, {ApplyOf("a", "append", "1")}).header.code, idl::Code::COME_AGAIN);
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

TEST_F(TabletServerTest, MultiGetAnswersPerKey) {
  Put("a", "1");
  Put("b", "2");
  idl::MultiGetRequest request;
  request.header = Header();
  request.keys = {"b", "", "none", "a", std::string(kKeyBytesMax + 1, 'k')};
  const auto reply =
      Await<idl::MultiGetReply>([&](auto cob) { server_->tablet_service()->multiGet(std::move(cob), request); });
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  ASSERT_EQ(reply.results.size(), 5u);
  EXPECT_EQ(reply.results[0].record.value, "2");
  EXPECT_EQ(reply.results[1].code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(reply.results[2].code, idl::Code::NOT_FOUND);
  EXPECT_EQ(reply.results[3].record.value, "1");
  EXPECT_EQ(reply.results[4].code, idl::Code::INVALID_ARGUMENT);
}

std::string KeysOf(const idl::ScanReply& reply) {
  std::string keys;
  for (const auto& record : reply.records) keys += record.key + "=" + record.record.value + " ";
  return keys;
}

TEST_F(TabletServerTest, ScansPageByPageInBothDirections) {
  for (const char* key : {"a", "b", "c", "d", "e"}) Put(key, std::string("v") + key);
  idl::ScanRequest request;
  request.range.startKey = "b";
  request.limit = 2;
  idl::ScanReply page = Scan(request);
  EXPECT_EQ(KeysOf(page), "b=vb c=vc ");
  EXPECT_FALSE(page.done);
  request.range = page.remaining;
  page = Scan(request);
  EXPECT_EQ(KeysOf(page), "d=vd e=ve ");
  EXPECT_TRUE(page.done);

  request = {};
  request.reverse = true;
  request.keysOnly = true;
  request.range.endKey = "e";
  request.limit = 3;
  page = Scan(request);
  EXPECT_EQ(KeysOf(page), "d= c= b= ");
  EXPECT_FALSE(page.done);
  request.range = page.remaining;
  page = Scan(request);
  EXPECT_EQ(KeysOf(page), "a= ");
  EXPECT_TRUE(page.done);

  request = {};
  request.pageBytes = 1;
  EXPECT_EQ(KeysOf(Scan(request)), "a=va ") << "a page holds at least one record";
  request.range.startKey = request.range.endKey = "c";
  page = Scan(request);
  EXPECT_TRUE(page.done);
  EXPECT_TRUE(page.records.empty());
}

TEST_F(TabletServerTest, AScanCoversItsPartOfOneTablet) {
  MakeTablet(100);  // as it is
  ASSERT_EQ(Drop(100, 1).results[0].status.code, idl::Code::OK);
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  MakeTablet(101, "", "m");
  MakeTablet(102, "m", "");
  Put("a", "1");
  Put("z", "2");
  idl::ScanRequest request;
  idl::ScanReply page = Scan(request);
  EXPECT_EQ(KeysOf(page), "a=1 ");
  EXPECT_EQ(page.header.tabletId, 101);
  EXPECT_EQ(page.remaining.startKey, "m");
  EXPECT_FALSE(page.done);
  request.range = page.remaining;
  page = Scan(request);
  EXPECT_EQ(KeysOf(page), "z=2 ");
  EXPECT_TRUE(page.done);
  request = {};
  request.reverse = true;
  page = Scan(request);
  EXPECT_EQ(KeysOf(page), "z=2 ");
  EXPECT_EQ(page.remaining.endKey, "m");
  EXPECT_FALSE(page.done);

  const idl::WriteReply spans = Write({PutOf("a", "3"), PutOf("z", "3")});
  EXPECT_EQ(spans.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_THAT(spans.header.message, HasSubstr("the batch spans tablets"));
}

TEST_F(TabletServerTest, ExpiredRecordsAreNotSeenAndGoAway) {
  ASSERT_EQ(Write({WithTtl(PutOf("k", "v"), 5'000)}).header.code, idl::Code::OK);
  ASSERT_EQ(Write({PutOf("forever", "v")}).header.code, idl::Code::OK);
  const idl::GetReply before = Get("k");
  ASSERT_EQ(before.header.code, idl::Code::OK);
  EXPECT_LE(before.record.expiresAtMs - before.header.tabletTimeMs, 5'000);
  scheduler_.RunFor(4'900ms);
  EXPECT_EQ(Get("k").header.code, idl::Code::OK);
  scheduler_.RunFor(200ms);
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_FOUND);
  EXPECT_EQ(Get("forever").header.code, idl::Code::OK);
  const auto gone = [&] { return !*store_->Get(TableId{kTable}, "k"); };
  EXPECT_TRUE(gone()) << "the STRONG read had it purged through the log";
  EXPECT_EQ(Write({If(PutOf("k", "new"), idl::ConditionKind::ABSENT)}).header.code, idl::Code::OK);
}

TEST_F(TabletServerTest, APutSaysUntilWhen) {
  const auto until = [](idl::Write write, int64_t expires_at_ms) {
    write.__set_expiresAtMs(expires_at_ms);
    return write;
  };
  const int64_t now_ms = Put("k", "v").header.tabletTimeMs;
  for (const int64_t moment : {now_ms + 60'000, limits::kExpiryMsMax}) {
    ASSERT_EQ(Write({until(PutOf("k", "v"), moment)}).header.code, idl::Code::OK);
    EXPECT_EQ(Get("k").record.expiresAtMs, moment);
  }
  EXPECT_EQ(Write({until(PutOf("k", "v"), now_ms)}).header.code, idl::Code::OK);
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_FOUND) << "the moment had passed";

  const auto refused = [this](idl::Write write) {
    const idl::WriteReply reply = Write({std::move(write)});
    return reply.header.code == idl::Code::INVALID_ARGUMENT &&
           reply.header.message.find("expiresAtMs") != std::string::npos;
  };
  EXPECT_TRUE(refused(until(WithTtl(PutOf("k", "v"), 1), now_ms)));
  EXPECT_TRUE(refused(until(IncrementOf("k", 1), now_ms)));
  EXPECT_TRUE(refused(until(PutOf("k", "v"), 0)));
  EXPECT_TRUE(refused(until(PutOf("k", "v"), limits::kExpiryMsMax + 1)));
}

// What a client that knows no time of the tablet, or one that is too old, has to know (docs/design/client-protocol.md).
TEST_F(TabletServerTest, AWriteIsToldTheTabletTimeThatItLacks) {
  ASSERT_EQ(Put("k", "0").header.code, idl::Code::OK);
  idl::WriteRequest write;
  write.header = Header();
  write.clientId = 5;
  write.sequence = write.firstIncomplete = 1;
  idl::Write increment;
  increment.kind = idl::WriteKind::INCREMENT;
  increment.key = "k";
  increment.__set_delta(1);
  write.writes = {increment};
  const auto send = [&] {
    return Await<idl::WriteReply>([&](auto cob) { server_->tablet_service()->write(std::move(cob), write); });
  };

  const idl::WriteReply timeless = send();
  EXPECT_EQ(timeless.header.code, idl::Code::COME_AGAIN);
  EXPECT_EQ(timeless.header.retryAfterMs, 0) << "at once";
  ASSERT_TRUE(timeless.header.__isset.tabletTimeMs);
  write.header.__set_tabletTimeMs(timeless.header.tabletTimeMs);
  EXPECT_EQ(send().counters, std::vector<int64_t>{1}) << "the refusal's own time will do";
  EXPECT_EQ(send().counters, std::vector<int64_t>{1}) << "a retry is no second one";

  write.sequence = write.firstIncomplete = 2;
  write.header.__set_tabletTimeMs(timeless.header.tabletTimeMs - 3'600'000);
  const idl::WriteReply old = send();
  EXPECT_EQ(old.header.code, idl::Code::UNKNOWN_OUTCOME);
  EXPECT_FALSE(old.header.__isset.retryAfterMs) << "a retry with this time learns nothing";
  ASSERT_TRUE(old.header.__isset.tabletTimeMs);
  EXPECT_EQ(Get("k").record.value, "1") << "it was not executed";
  write.header.__set_tabletTimeMs(old.header.tabletTimeMs);
  EXPECT_EQ(send().counters, std::vector<int64_t>{2})
      << "so who knows of no earlier attempt sends it with the present one";
}

// The write found the record alive; the read, which came after its expiry, waits for an entry behind that write.
TEST_F(TabletServerTest, AnExpiryDoesNotHideWhatWasLoggedBeforeIt) {
  ASSERT_EQ(Write({WithTtl(PutOf("k", "old"), 1'000)}).header.code, idl::Code::OK);
  disk_.SetStalled(true);
  idl::WriteRequest write;
  write.header = Header();
  write.header.__set_tabletTimeMs(learnt_ms_);
  write.clientId = write.sequence = write.firstIncomplete = 1;
  write.writes = {If(PutOf("k", "new"), idl::ConditionKind::EXISTS)};
  server_->tablet_service()->write([](const idl::WriteReply&) {}, write);
  scheduler_.RunFor(1'500ms);
  auto read = std::make_shared<std::optional<idl::GetReply>>();
  idl::GetRequest get;
  get.header = Header();
  get.key = "k";
  server_->tablet_service()->get([read](const idl::GetReply& reply) { *read = reply; }, get);
  scheduler_.RunFor(100ms);
  EXPECT_FALSE(read->has_value());
  disk_.SetStalled(false);
  ASSERT_TRUE(Until([&] { return read->has_value(); }));
  EXPECT_EQ((*read)->header.code, idl::Code::OK) << (*read)->header.message;
  EXPECT_EQ((*read)->record.value, "new");
}

TEST_F(TabletServerTest, WhatNobodyReadsIsPurged) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(Write({WithTtl(PutOf("k" + std::to_string(i), "v"), 1'000)}).header.code, idl::Code::OK);
  }
  const auto records = [&] { return store_->EstimateSize(TableId{kTable}, KeyRange::All())->records; };
  EXPECT_EQ(records(), 50);
  EXPECT_TRUE(Until([&] { return records() == 0; }, 60s));
  const auto all = server_->directory().snapshot()->All();
  EXPECT_TRUE(Until([&] { return !all[0]->may_expire.load(); }, 60s)) << "and then looks no more";
}

// ---- refusals -------------------------------------------------------------------------------------------------------

TEST_F(TabletServerTest, RefusesBadRequestsSayingWhy) {
  const auto expect = [](const idl::ReplyHeader& header, const std::string& part) {
    EXPECT_EQ(header.code, idl::Code::INVALID_ARGUMENT) << header.message;
    EXPECT_THAT(header.message, HasSubstr(part));
  };
  expect(Get("").header, "key");
  expect(Get(std::string(kKeyBytesMax + 1, 'k')).header, "4096");
  expect(Get("k", static_cast<idl::ReadLevel::type>(9)).header, "unknown read level 9");
  expect(Put("", "v").header, "key");
  expect(Put("k", std::string(kValueBytesMax + 1, 'v')).header, "value");
  expect(Write({}).header, "empty");
  expect(Write({PutOf("a", "1"), PutOf("a", "2")}).header, "twice");
  expect(Write(std::vector<idl::Write>(kBatchWritesMax + 1, PutOf("a", "1"))).header, "1000");
  expect(Write({WithTtl(PutOf("a", "1"), -1)}).header, "TTL");
  expect(Write({WithTtl(DeleteOf("a"), 1)}).header, "TTL");
  idl::Write odd = PutOf("a", "1");
  odd.kind = static_cast<idl::WriteKind::type>(17);
  expect(Write({odd}).header, "unknown kind of write 17");
  odd = DeleteOf("a");
  odd.kind = idl::WriteKind::INCREMENT;
  expect(Write({odd}).header, "needs a delta");
  odd.kind = idl::WriteKind::CHECK;
  expect(Write({odd}).header, "condition");
  expect(Write({If(DeleteOf("a"), static_cast<idl::ConditionKind::type>(8))}).header, "unknown kind of condition 8");
  std::vector<idl::Write> large;
  for (int i = 0; i < 5; ++i) large.push_back(PutOf("k" + std::to_string(i), std::string(kValueBytesMax, 'v')));
  expect(Write(large).header, "bytes");

  idl::ScanRequest scan;
  scan.range.startKey = "b";
  scan.range.endKey = "a";
  expect(Scan(scan).header, "inverted");
  scan.range = {};
  scan.limit = -1;
  expect(Scan(scan).header, "limit");
  scan.limit = 0;
  scan.pageBytes = kPageBytesMax + 1;
  expect(Scan(scan).header, "pageBytes");
}

TEST_F(TabletServerTest, RefusesWhatTheWriteHeaderLacks) {
  idl::WriteRequest request;
  request.header = Header();
  request.writes = {PutOf("k", "v")};
  const auto refused = [&] {
    const auto reply =
        Await<idl::WriteReply>([&](auto cob) { server_->tablet_service()->write(std::move(cob), request); });
    EXPECT_EQ(reply.header.code, idl::Code::INVALID_ARGUMENT);
    return reply.header.message;
  };
  EXPECT_THAT(refused(), HasSubstr("client id"));
  request.clientId = 1;
  EXPECT_THAT(refused(), HasSubstr("sequence"));
  request.sequence = 3;
  request.firstIncomplete = 4;
  EXPECT_THAT(refused(), HasSubstr("firstIncomplete"));
  request.firstIncomplete = 1;
  request.level = idl::WriteLevel::ANY;
  EXPECT_THAT(refused(), HasSubstr("last_write_wins"));
  request.level = static_cast<idl::WriteLevel::type>(12);
  EXPECT_THAT(refused(), HasSubstr("unknown write level 12"));
  request.level = idl::WriteLevel::DEFAULT;
  request.header.protocolVersion = 99;
  EXPECT_THAT(refused(), HasSubstr("protocol version 99"));
  request.header = Header();
  request.header.tableId = 0;
  EXPECT_THAT(refused(), HasSubstr("table id"));
}

TEST_F(TabletServerTest, RefusesTimesOfADeliveredWriteThatNoClockComesTo) {
  const int64_t latest = limits::LatestTime(1'700'000'000'000);
  constexpr int64_t kHour = 3'600'000;
  idl::WriteRequest request;
  request.header = Header();
  request.level = idl::WriteLevel::MAJORITY;
  request.writes = {PutOf("k", "v")};
  request.writes[0].__set_writer("ts-9");
  const auto message = [&](int64_t write_time_ms, int64_t expires_at_ms) {
    request.writes[0].__set_writeTimeMs(write_time_ms);
    request.writes[0].__set_expiresAtMs(expires_at_ms);
    const auto reply =
        Await<idl::WriteReply>([&](auto cob) { server_->tablet_service()->write(std::move(cob), request); });
    EXPECT_EQ(reply.header.code, idl::Code::INVALID_ARGUMENT);
    return reply.header.message;
  };
  for (const int64_t time : {INT64_MAX, latest + kHour})
    EXPECT_THAT(message(time, 1), HasSubstr("writeTimeMs is " + std::to_string(time)));
  for (const int64_t time : {INT64_MAX, limits::kExpiryMsMax + 1, int64_t{0}})
    EXPECT_THAT(message(1, time), HasSubstr("expiresAtMs is " + std::to_string(time)));
  EXPECT_THAT(message(latest, limits::kExpiryMsMax), HasSubstr("last_write_wins")) << "which this table is not";
}

TEST_F(TabletServerTest, RefusesATokenOfMoreRangesThanAreSent) {
  idl::GetRequest request;
  request.header = Header();
  request.header.token.tableId = kTable;
  request.header.__isset.token = true;
  request.key = "k";
  const auto header = [&](size_t ranges) {
    request.header.token.ranges.resize(ranges);
    return Await<idl::GetReply>([&](auto cob) { server_->tablet_service()->get(std::move(cob), request); }).header;
  };
  EXPECT_EQ(header(kTokenRangesMax).code, idl::Code::NOT_FOUND);
  EXPECT_EQ(header(kTokenRangesMax + 1).code, idl::Code::INVALID_ARGUMENT);
  EXPECT_THAT(header(kTokenRangesMax + 1).message, HasSubstr("a session token of 65 ranges"));
}

TEST_F(TabletServerTest, AnotherTableIsNotHere) {
  idl::GetRequest request;
  request.header.tableId = kTable + 1;
  request.key = "k";
  const auto reply = Await<idl::GetReply>([&](auto cob) { server_->tablet_service()->get(std::move(cob), request); });
  EXPECT_EQ(reply.header.code, idl::Code::WRONG_TABLET);
}

TEST_F(TabletServerTest, AFullDiskRefusesWritesAndServesReads) {
  ASSERT_EQ(Put("k", "v").header.code, idl::Code::OK);
  ASSERT_EQ(WriteAs(5, 1, {PutOf("j", "v")}).header.code, idl::Code::OK);
  disk_.SetFull(true);
  EXPECT_EQ(WriteAs(5, 1, {PutOf("j", "v")}).header.code, idl::Code::OK) << "a retry of what is done";
  const idl::WriteReply reply = Put("k2", "w");
  EXPECT_EQ(reply.header.code, idl::Code::OVERLOADED) << reply.header.message;
  EXPECT_TRUE(reply.header.__isset.retryAfterMs);
  EXPECT_EQ(Get("k").header.code, idl::Code::OK);
  disk_.SetFull(false);
  EXPECT_TRUE(Until([&] { return Put("k2", "w").header.code == idl::Code::OK; }));
}

// ---- the master's orders --------------------------------------------------------------------------------------------

TEST_F(TabletServerTest, BelievesOnlyOrdersMeantForIt) {
  idl::ConfigureRequest request;
  const auto code = [&] {
    return Await<idl::ConfigureReply>([&](auto cob) { server_->control_service()->configure(std::move(cob), request); })
        .status.code;
  };
  request.header = ControlTo();
  request.header.toServer = "ts-2";
  EXPECT_EQ(code(), idl::Code::COME_AGAIN);
  request.header = ControlTo();
  request.header.toIncarnation = 9;
  EXPECT_EQ(code(), idl::Code::COME_AGAIN);
  request.header = ControlTo();
  request.header.clusterId = "c-2";
  EXPECT_EQ(code(), idl::Code::INVALID_ARGUMENT);
  request.header = ControlTo();
  request.header.masterTerm = 5;
  EXPECT_EQ(code(), idl::Code::OK);
  request.header.masterTerm = 4;
  EXPECT_EQ(code(), idl::Code::STALE_EPOCH);
}

TEST_F(TabletServerTest, AFenceEndsServiceUntilTheNextEpoch) {
  Put("k", "v");
  const idl::FenceReply fence = Fence(100, 2);
  ASSERT_EQ(fence.results.at(0).status.code, idl::Code::OK) << fence.results[0].status.message;
  EXPECT_TRUE(fence.results[0].known);
  EXPECT_EQ(fence.results[0].promisedEpoch, 2);
  EXPECT_GT(fence.results[0].tabletTimeMs, 0);
  EXPECT_EQ(fence.results[0].lastAppended.lsn, 2);
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_PRIMARY);
  EXPECT_EQ(Put("k", "w").header.code, idl::Code::NOT_PRIMARY);
  EXPECT_EQ(Get("k", idl::ReadLevel::EVENTUAL).record.value, "v");
  EXPECT_EQ(Configure({NewTablet(100, "", "", 1)}).results[0].status.code, idl::Code::STALE_EPOCH);
  MakeTablet(100, "", "", 2);
  EXPECT_EQ(Get("k").record.value, "v");
}

TEST_F(TabletServerTest, AStepOfAChangeOfMembersIsReportedAtOnce) {
  const auto leads = [&](int64_t epoch) {
    const auto& tablets = master_->last.tablets;
    return !tablets.empty() && tablets[0].epoch == epoch && tablets[0].barrierCommitted;
  };
  ASSERT_TRUE(Until([&] { return leads(1); }));
  ASSERT_EQ(Fence(100, 2).results.at(0).status.code, idl::Code::OK);
  const int64_t before = master_->heartbeats;
  ASSERT_TRUE(Until([&] { return master_->heartbeats > before; }));  // the next is a second away
  ASSERT_EQ(Configure({NewTablet(100, "", "", 2)}).results.at(0).status.code, idl::Code::OK);
  EXPECT_TRUE(Until([&] { return leads(2); }, 300ms));
  const int64_t told = master_->heartbeats;
  scheduler_.RunFor(5s);
  EXPECT_LE(master_->heartbeats, told + 6) << "and then it beats as ever";
}

TEST_F(TabletServerTest, ARestartKeepsWhatWasAcknowledged) {
  ASSERT_EQ(Put("k", "v").header.code, idl::Code::OK);
  ASSERT_EQ(WriteAs(5, 1, {IncrementOf("n", 3)}).header.code, idl::Code::OK);
  CrashServer(MemoryDisk::CrashKind::kMachine);
  StartServer();
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_PRIMARY) << "no server is primary of an epoch in two lives";
  EXPECT_EQ(Configure({NewTablet(100)}).results[0].status.code, idl::Code::STALE_EPOCH);
  ASSERT_EQ(Fence(100, 2).results[0].status.code, idl::Code::OK);
  MakeTablet(100, "", "", 2);
  EXPECT_EQ(Get("k").record.value, "v");
  EXPECT_EQ(Get("n").record.value, "3");
  EXPECT_EQ(WriteAs(5, 1, {IncrementOf("n", 3)}).counters, std::vector<int64_t>{3}) << "the dedup window survived";
  EXPECT_EQ(Get("n").record.value, "3");
}

TEST_F(TabletServerTest, SessionTokensAreServedOrLost) {
  const idl::WriteReply put = Put("k", "v");
  idl::GetRequest request;
  request.header = Header();
  request.header.token.tableId = kTable;
  request.header.token.ranges.resize(1);
  request.header.token.ranges[0].applied = put.version;
  request.header.__isset.token = true;
  request.key = "k";
  request.options.level = idl::ReadLevel::SESSION;
  request.__isset.options = true;
  const auto get = [&] {
    return Await<idl::GetReply>([&](auto cob) { server_->tablet_service()->get(std::move(cob), request); });
  };
  EXPECT_EQ(get().record.value, "v");
  Fence(100, 2);
  MakeTablet(100, "", "", 2);
  EXPECT_EQ(get().record.value, "v");
  request.header.token.ranges[0].applied.lsn = 1000;
  EXPECT_EQ(get().header.code, idl::Code::LOST_WRITE);
}

TEST_F(TabletServerTest, ADropWaitsForReadersAndLeavesNothing) {
  Put("k", "v");
  auto guard = server_->directory().snapshot()->All().at(0)->view();
  const idl::DropReply drop = Drop(100, 1);
  ASSERT_EQ(drop.results.at(0).status.code, idl::Code::OK) << drop.results[0].status.message;
  EXPECT_EQ(Get("k").header.code, idl::Code::WRONG_TABLET);
  scheduler_.RunFor(5s);
  EXPECT_TRUE(*store_->Get(TableId{kTable}, "k")) << "a reader still holds the old view";
  EXPECT_EQ(Configure({NewTablet(101)}).results[0].status.code, idl::Code::COME_AGAIN) << "its range is still taken";
  guard.reset();
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  EXPECT_FALSE(*store_->Get(TableId{kTable}, "k"));
  EXPECT_EQ(Configure({NewTablet(100)}).results[0].status.code, idl::Code::STALE_EPOCH) << "the tombstone remembers";
  MakeTablet(101);
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_FOUND);
}

TEST_F(TabletServerTest, WithoutTheRuleADropDiscardsUnderItsReaders) {
  Put("k", "v");
  const auto guard = server_->directory().snapshot()->All().at(0)->view();
  Plant(PlantedBug::discard_under_readers);
  EXPECT_EQ(Drop(100, 1).results.at(0).status.code, idl::Code::OK);
  EXPECT_TRUE(Until([&] { return !store_->Get(TableId{kTable}, "k")->has_value(); })) << "while the view is still held";
  Plant(PlantedBug::none);
}

TEST_F(TabletServerTest, ADropCutShortByACrashIsFinishedAfterIt) {
  Put("k", "v");
  auto guard = server_->directory().snapshot()->All().at(0)->view();
  ASSERT_EQ(Drop(100, 1).results.at(0).status.code, idl::Code::OK);
  CrashServer();
  guard.reset();
  StartServer();
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  MakeTablet(101);
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_FOUND);
  idl::DropTableRequest request;
  request.header = ControlTo();
  request.tableId = kTable;
  const auto drop = [&] {
    return Await<idl::DropTableReply>(
               [&](auto cob) { server_->control_service()->dropTableData(std::move(cob), request); })
        .status.code;
  };
  EXPECT_EQ(drop(), idl::Code::COME_AGAIN);
  Drop(101, 1);
  EXPECT_TRUE(Until([&] { return drop() == idl::Code::OK; }));
}

// The answer to a drop that came twice waits for its flush; by then the tablet is here again, in a later epoch.
TEST_F(TabletServerTest, ADropThatComesTwiceLeavesWhatIsMadeMeanwhile) {
  ASSERT_EQ(Drop(100, 1).results.at(0).status.code, idl::Code::OK);
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  disk_.SetLatency(20ms, 20ms);
  idl::DropRequest again;
  again.header = ControlTo();
  again.tablets.emplace_back();
  again.tablets[0].tabletId = 100;
  again.tablets[0].epoch = 2;
  std::optional<idl::DropReply> dropped;
  server_->control_service()->drop([&](const idl::DropReply& reply) { dropped = reply; }, again);
  scheduler_.RunFor(5ms);
  ASSERT_FALSE(dropped);
  MakeTablet(100, "", "", 3);
  ASSERT_TRUE(Until([&] { return dropped.has_value(); }));
  disk_.SetLatency(0ms, 0ms);
  scheduler_.RunFor(5s);
  EXPECT_EQ(Put("k", "v").header.code, idl::Code::OK);
}

TEST_F(TabletServerTest, ADroppedTabletsPendingWritesAreNoBurdenAfterIt) {
  disk_.SetStalled(true);
  auto write = std::make_shared<std::optional<idl::WriteReply>>();
  idl::WriteRequest request;
  request.header = Header();
  request.header.__set_tabletTimeMs(learnt_ms_);
  request.clientId = request.sequence = request.firstIncomplete = 1;
  request.writes = {PutOf("k", "never applied")};
  server_->tablet_service()->write([write](const idl::WriteReply& reply) { *write = reply; }, request);
  ASSERT_TRUE(Until([&] { return server_->shard_counters().unapplied_bytes.load() > 0; }));
  idl::DropRequest drop;
  drop.header = ControlTo();
  drop.tablets.resize(1);
  drop.tablets[0].tabletId = 100;
  drop.tablets[0].epoch = 1;
  server_->control_service()->drop([](const idl::DropReply&) {}, drop);
  scheduler_.RunFor(1s);
  disk_.SetStalled(false);
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  EXPECT_EQ((*write)->header.code, idl::Code::UNKNOWN_OUTCOME) << (*write)->header.message;
  EXPECT_EQ(server_->shard_counters().unapplied_bytes.load(), 0);
}

TEST_F(TabletServerTest, AnAlteredTableBehavesByItsNewSchema) {
  idl::AlterRequest request;
  request.header = ControlTo();
  request.schema = Schema(2);
  request.schema.options.__set_defaultTtlMs(1000);
  const auto reply =
      Await<idl::AlterReply>([&](auto cob) { server_->control_service()->alter(std::move(cob), request); });
  EXPECT_EQ(reply.status.code, idl::Code::OK) << reply.status.message;
  Put("k", "v");
  EXPECT_TRUE(Get("k").record.__isset.expiresAtMs);
  EXPECT_TRUE(Until([&] { return master_->last.tablets.size() == 1 && master_->last.tablets[0].schemaVersion == 2; }));
}

// ---- life -----------------------------------------------------------------------------------------------------------

TEST_F(TabletServerTest, CheckpointsCutTheLogAndStopTakesOne) {
  for (int i = 0; i < 20; ++i) Put("k" + std::to_string(i), "v");
  ASSERT_TRUE(Until([&] { return server_->checkpointer().finished() >= 1; }, 200s));
  scheduler_.RunFor(1s);
  EXPECT_TRUE(store_->ReadLog(TabletId{100}, Lsn{1}, Lsn{5}, 1 << 20)->empty());
  const int64_t before = disk_.checkpoints();
  bool stopped = false;
  server_->Stop([&] { stopped = true; });
  EXPECT_TRUE(Until([&] { return stopped; }));
  EXPECT_GT(disk_.checkpoints(), before);
  EXPECT_EQ(Put("late", "v").header.code, idl::Code::COME_AGAIN);
}

class LoadReportTest : public TabletServerTest {
 protected:
  // Gets of "key000" to "key099", about 90 a second.
  void ReadEvenly(int seconds) {
    for (int i = 0; i < seconds * 90; ++i) {
      char key[16];
      std::snprintf(key, sizeof key, "key%03d", i * 37 % 100);
      Get(key);
      scheduler_.RunFor(11ms);
    }
  }
  // Of the tablet, as the last heartbeat has it.
  const idl::TabletLoad& Reported(int64_t tablet = 100) const {
    for (const idl::TabletLoad& load : master_->last.tablets) {
      if (load.tabletId == tablet) return load;
    }
    ADD_FAILURE() << "tablet " << tablet << " is not reported";
    return none_;
  }
  void NextHeartbeat() {
    const int64_t before = master_->heartbeats;
    ASSERT_TRUE(Until([&] { return master_->heartbeats > before; }));
  }

 private:
  const idl::TabletLoad none_;
};

TEST_F(LoadReportTest, APrimaryTellsWhereItsLoadWouldBeCutAndItsPeaks) {
  NextHeartbeat();
  EXPECT_FALSE(Reported().__isset.splitFinding) << "nothing is known yet";
  EXPECT_TRUE(Reported().__isset.peaks);
  ReadEvenly(20);
  ASSERT_TRUE(Reported().__isset.splitFinding);
  const idl::SplitFinding found = Reported().splitFinding;
  EXPECT_EQ(found.kind, idl::SplitFindingKind::KEY);
  EXPECT_GE(found.key, "key03");
  EXPECT_LE(found.key, "key067");
  EXPECT_NEAR(Reported().peaks.operationsPerSecond, 90, 10);
  EXPECT_GE(Reported().peaks.coveredMs, 19'000);
  EXPECT_LE(Reported().peaks.coveredMs, 23'000);
  scheduler_.RunFor(60s);
  EXPECT_LT(Reported().readsPerSecond, 1);
  EXPECT_FALSE(Reported().__isset.splitFinding) << "the load is over";
  EXPECT_NEAR(Reported().peaks.operationsPerSecond, 90, 10) << "and not forgotten";
  scheduler_.RunFor(330s);
  EXPECT_LT(Reported().peaks.operationsPerSecond, 1);
  EXPECT_EQ(Reported().peaks.coveredMs, 300'000);
}

TEST_F(LoadReportTest, WritesCountToo) {
  for (int i = 0; i < 1'000; ++i) {
    char key[16];
    std::snprintf(key, sizeof key, "key%06d", i);
    ASSERT_EQ(Put(key, "v").header.code, idl::Code::OK);
    scheduler_.RunFor(10ms);
  }
  const idl::SplitFinding found = Reported().splitFinding;
  EXPECT_EQ(found.kind, idl::SplitFindingKind::ONE_DIRECTION);
  EXPECT_GT(found.key, "key0005");
  EXPECT_LE(found.key, "key000999");
  for (int i = 0; i < 1'000; ++i) {
    Get("key000500");
    scheduler_.RunFor(10ms);
  }
  EXPECT_EQ(Reported().splitFinding.kind, idl::SplitFindingKind::POPULAR_KEY);
  EXPECT_EQ(Reported().splitFinding.popularKey, "key000500");
  EXPECT_GT(Reported().splitFinding.part, 0.8);
}

TEST_F(LoadReportTest, OfASplitNeitherHalfInheritsWhatWasFound) {
  constexpr int64_t kChild = 100 + kLineages;
  ReadEvenly(20);
  ASSERT_EQ(Reported().splitFinding.kind, idl::SplitFindingKind::KEY);
  auto request = OrderOf<idl::SplitRequest>(ControlTo(), 100, 1);
  request.tablets[0].key = Reported().splitFinding.key;
  request.tablets[0].childId = kChild;
  const auto reply =
      Await<idl::SplitReply>([&](auto cob) { server_->control_service()->split(std::move(cob), request); });
  ASSERT_EQ(reply.results.at(0).status.code, idl::Code::OK) << reply.results[0].status.message;
  NextHeartbeat();
  for (const int64_t half : {int64_t{100}, kChild}) {
    EXPECT_FALSE(Reported(half).__isset.splitFinding);
    EXPECT_LT(Reported(half).peaks.coveredMs, 2'000);
    EXPECT_EQ(Reported(half).peaks.operationsPerSecond, 0);
  }
  ReadEvenly(20);
  EXPECT_EQ(Reported(100).splitFinding.kind, idl::SplitFindingKind::KEY);
  EXPECT_LT(Reported(100).splitFinding.key, request.tablets[0].key);
  EXPECT_GT(Reported(kChild).splitFinding.key, request.tablets[0].key);
  EXPECT_LT(Reported(100).peaks.operationsPerSecond, 60);
}

// Of the thousand records the last hundred have half of the bytes; nothing is read, and the middle of the data is
// known.
TEST_F(LoadReportTest, TheKeyThatHalvesTheDataIsToldOfTabletsThatAreWorthIt) {
  for (int i = 0; i < 1'000; i += 100) {
    std::vector<idl::Write> writes;
    for (int j = i; j < i + 100; ++j) {
      char key[16];
      std::snprintf(key, sizeof key, "key%03d", j);
      writes.push_back(PutOf(key, std::string(j < 900 ? 100 : 1'000, 'v')));
    }
    ASSERT_EQ(Write(std::move(writes)).header.code, idl::Code::OK);
  }
  scheduler_.RunFor(60s);
  EXPECT_FALSE(Reported().__isset.splitFinding) << "it is small";
  idl::AlterRequest request;
  request.header = ControlTo();
  request.schema = Schema(2);
  request.schema.options.__set_splitBytes(400'000);
  request.schema.options.keyGroup.__set_prefixBytes(5);
  request.schema.options.__isset.keyGroup = true;
  const auto altered =
      Await<idl::AlterReply>([&](auto cob) { server_->control_service()->alter(std::move(cob), request); });
  ASSERT_EQ(altered.status.code, idl::Code::OK) << altered.status.message;
  scheduler_.RunFor(12s);
  ASSERT_TRUE(Reported().__isset.splitFinding);
  EXPECT_EQ(Reported().splitFinding.kind, idl::SplitFindingKind::NO_KEY);
  const std::string middle = Reported().splitFinding.middleKey;
  EXPECT_LE(middle.size(), 5u) << "which cuts no group";
  EXPECT_GE(middle, "key8");
  EXPECT_LE(middle, "key92");
}

TEST_F(LoadReportTest, WhoDoesNotLeadTellsNeither) {
  ReadEvenly(20);
  ASSERT_TRUE(Reported().__isset.peaks);
  ASSERT_EQ(Fence(100, 2).results.at(0).status.code, idl::Code::OK);
  NextHeartbeat();
  EXPECT_FALSE(Reported().leading);
  EXPECT_FALSE(Reported().__isset.splitFinding);
  EXPECT_FALSE(Reported().__isset.peaks);
  MakeTablet(100, "", "", 2);
  NextHeartbeat();
  EXPECT_TRUE(Reported().leading);
  EXPECT_FALSE(Reported().__isset.splitFinding) << "it begins anew";
  EXPECT_LT(Reported().peaks.coveredMs, 3'000);
}

TEST_F(TabletServerTest, FollowsTheMastersFromTermToTermAndThroughAnOutage) {
  ASSERT_TRUE(Until([&] { return master_->heartbeats > 0; }));
  const int64_t reported = master_->heartbeats;
  coordination_.SetAvailable(false);
  scheduler_.RunFor(20s);
  EXPECT_GE(master_->heartbeats, reported + 18) << "the known master is reported to all the while";
  EXPECT_EQ(Put("k", "v").header.code, idl::Code::OK) << "and clients are served";
  coordination_.SetAvailable(true);
  idl::TermNode term;
  term.term = 8;
  term.leader = "master-2";
  term.endpoint.host = "127.0.0.1";
  term.endpoint.port = 7500;
  master_->term = 8;
  bool set = false;
  admin_->Multi(
      {coordination::Op::Set(coordination::layout::kTerm, coordination::EncodeNode(term), coordination::kAnyVersion)},
      [&](auto result) { set = result.has_value(); });
  ASSERT_TRUE(Until([&] { return set; }));
  const int64_t before = master_->heartbeats;
  ASSERT_TRUE(Until([&] { return master_->heartbeats > before + 1; }));
  EXPECT_EQ(Configure({}).status.code, idl::Code::STALE_EPOCH) << "orders of term 1 are over";
}

TEST(TabletServerAlone, ServesNothingBeforeItIsRegistered) {
  class Fixture : public HostFixture {
   public:
    void TestBody() override {}
    using HostFixture::coordination_;
    void Run() {
      coordination_.SetAvailable(false);
      executor_ = std::make_unique<testing::SimExecutor>(scheduler_);
      store_ = std::make_unique<MemoryStore>(disk_, *executor_);
      coordinator_ = coordination_.NewClient(*executor_);
      options_.identity = {.uuid = "u-1", .name = "ts-1", .cluster_id = "", .incarnation = Incarnation{1}};
      server_ = std::make_unique<TabletServer>(
          TabletServerPorts{
              {executor_.get()}, {executor_.get()}, {}, *executor_, *executor_, *store_, *coordinator_, connector_},
          options_);
      server_->Start({"127.0.0.1", 7410}, {"127.0.0.1", 7411});
      scheduler_.RunFor(3s);
      EXPECT_FALSE(server_->Ready().ok());
      EXPECT_EQ(Get("k").header.code, idl::Code::COME_AGAIN);
      coordination_.SetAvailable(true);
      EXPECT_TRUE(Until([&] { return server_->Ready().ok(); }));
    }
  };
  Fixture().Run();
}

}  // namespace
}  // namespace ebla::tabletserver
