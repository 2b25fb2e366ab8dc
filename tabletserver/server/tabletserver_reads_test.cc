// A tablet server's answers to reads of many keys, scans and sessions, and its handling of records that expire; in
// virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/number_limits.h"
#include "tabletserver/service/request_check.h"
#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

using ::testing::HasSubstr;

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
  EXPECT_EQ(Send(request).record.value, "v");
  Fence(100, 2);
  MakeTablet(100, "", "", 2);
  EXPECT_EQ(Send(request).record.value, "v");
  request.header.token.ranges[0].applied.lsn = 1000;
  EXPECT_EQ(Send(request).header.code, idl::Code::LOST_WRITE);
}

// ---- expiry --------------------------------------------------------------------------------------------------------

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

// The write found the record alive. The read, which arrived after the record's expiry, waits for an entry behind that
// write.
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
  const auto records = [&] { return EstimateSize(*store_, TableId{kTable}, KeyRange::All())->records; };
  EXPECT_EQ(records(), 50);
  EXPECT_TRUE(Until([&] { return records() == 0; }, 60s));
  const auto all = server_->directory().snapshot()->All();
  EXPECT_TRUE(Until([&] { return !all[0]->may_expire.load(); }, 60s)) << "and then looks no more";
}

}  // namespace
}  // namespace ebla::tabletserver
