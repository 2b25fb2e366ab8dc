// Requests of clients that a tablet server refuses, and the reasons that it gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/number_limits.h"
#include "tabletserver/service/request_check.h"
#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

using ::testing::HasSubstr;

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
    const idl::WriteReply reply = Send(request);
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
    const idl::WriteReply reply = Send(request);
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
    return Send(request).header;
  };
  EXPECT_EQ(header(kTokenRangesMax).code, idl::Code::NOT_FOUND);
  EXPECT_EQ(header(kTokenRangesMax + 1).code, idl::Code::INVALID_ARGUMENT);
  EXPECT_THAT(header(kTokenRangesMax + 1).message, HasSubstr("a session token of 65 ranges"));
}

TEST_F(TabletServerTest, AnotherTableIsNotHere) {
  idl::GetRequest request;
  request.header.tableId = kTable + 1;
  request.key = "k";
  EXPECT_EQ(Send(request).header.code, idl::Code::WRONG_TABLET);
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
  EXPECT_EQ(WriteAs(5, 2, {DeleteOf("j")}).header.code, idl::Code::OK) << "which frees room";
  EXPECT_EQ(Get("j").header.code, idl::Code::NOT_FOUND);
  disk_.SetFull(false);
  EXPECT_TRUE(Until([&] { return Put("k2", "w").header.code == idl::Code::OK; }));
}

// Other servers have the tablet, and this one has done nothing of it.
TEST_F(TabletServerTest, AStoreThatHasFailedSendsItsClientsElsewhere) {
  ASSERT_EQ(Put("a", "1").header.code, idl::Code::OK);
  disk_.log_disk().FailNext(SimulatedLogDisk::Failure::kSync);
  EXPECT_EQ(Put("a", "2").header.code, idl::Code::UNKNOWN_OUTCOME) << "it may be in the log";
  const idl::WriteReply later = Put("a", "3");
  EXPECT_EQ(later.header.code, idl::Code::UNAVAILABLE);
  EXPECT_THAT(later.header.message, HasSubstr("has failed"));
  EXPECT_EQ(Get("a").header.code, idl::Code::UNAVAILABLE);
}

}  // namespace
}  // namespace ebla::tabletserver
