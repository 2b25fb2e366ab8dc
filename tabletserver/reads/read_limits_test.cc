// Bounds of a request: the session tokens that its server believes, how long and how many reads wait, and the sizes of
// replies and queues; in virtual time.
#include <gtest/gtest.h>

#include "tabletserver/service/request_check.h"
#include "tabletserver/service/translate.h"
#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

class ReadLimitsTest : public HostFixture {
 protected:
  template <class Request>
  Request InSession(idl::Version applied, std::string start = "", std::string end = "") const {
    Request request;
    request.header = Header();
    request.header.token.tableId = kTable;
    request.header.token.ranges.resize(1);
    request.header.token.ranges[0].range.startKey = std::move(start);
    request.header.token.ranges[0].range.endKey = std::move(end);
    request.header.token.ranges[0].applied = applied;
    request.header.__isset.token = true;
    request.options.level = idl::ReadLevel::SESSION;
    request.__isset.options = true;
    return request;
  }
  idl::GetRequest GetInSession(idl::Version applied, int32_t deadline_ms = 0) const {
    auto request = InSession<idl::GetRequest>(applied);
    request.key = "k";
    request.header.deadlineMs = deadline_ms;
    return request;
  }
  idl::GetReply Ask(const idl::GetRequest& request) {
    return Await<idl::GetReply>([&](auto cob) { server_->tablet_service()->get(std::move(cob), request); });
  }
  using Answer = std::shared_ptr<std::optional<idl::GetReply>>;
  Answer Begin(const idl::GetRequest& request) {
    auto answer = std::make_shared<std::optional<idl::GetReply>>();
    server_->tablet_service()->get([answer](const idl::GetReply& reply) { *answer = reply; }, request);
    scheduler_.RunFor(1ms);
    return answer;
  }
  static idl::Version At(int64_t epoch, int64_t lsn) {
    idl::Version version;
    version.epoch = epoch;
    version.lsn = lsn;
    return version;
  }
  // Writes an entry that stays in the log, unapplied, until the disk resumes; returns its version.
  idl::Version LogAlone(const std::string& key, const std::string& value) {
    const idl::Version last = Put("before", "v").version;
    disk_.SetStalled(true);
    idl::WriteRequest write;
    write.header = Header();
    write.header.__set_tabletTimeMs(learnt_ms_);
    write.clientId = 1;
    write.sequence = write.firstIncomplete = ++logged_;
    write.writes = {PutOf(key, value)};
    server_->tablet_service()->write([](const idl::WriteReply&) {}, write);
    idl::AlterRequest alter;  // publishes a view that knows of it
    alter.header = ControlTo();
    alter.schema = Schema(1 + logged_);
    server_->control_service()->alter([](const idl::AlterReply&) {}, alter);
    scheduler_.RunFor(1ms);
    return At(last.epoch, last.lsn + 1);
  }

  int64_t logged_ = 0;
};

TEST_F(ReadLimitsTest, AClaimThatCannotComeTrueIsAnsweredAtOnce) {
  StartServer();
  MakeTablet();
  const idl::Version put = Put("k", "v").version;
  const MonotonicTime begun = world_.Now();
  for (const idl::Version& claim : {At(put.epoch, put.lsn + 1), At(int64_t{1} << 40, int64_t{1} << 60)}) {
    const idl::GetReply reply = Ask(GetInSession(claim, INT32_MAX));
    EXPECT_EQ(reply.header.code, idl::Code::COME_AGAIN) << reply.header.message;
    EXPECT_GT(reply.header.retryAfterMs, 0);
  }
  EXPECT_LT(world_.Now() - begun, 10ms);
  EXPECT_EQ(Ask(GetInSession(put)).record.value, "v");
}

TEST_F(ReadLimitsTest, AReadWaitsForWhatIsInTheLog) {
  StartServer();
  MakeTablet();
  const idl::GetRequest request = GetInSession(LogAlone("k", "v"), 5'000);
  const Answer answer = Begin(request);
  ASSERT_FALSE(answer->has_value());
  disk_.SetStalled(false);
  ASSERT_TRUE(Until([&] { return answer->has_value(); }));
  EXPECT_EQ((*answer)->record.value, "v");
}

TEST_F(ReadLimitsTest, NoReadWaitsLongerThanTheServerAllows) {
  StartServer();
  MakeTablet();
  const MonotonicTime begun = world_.Now();
  const Answer answer = Begin(GetInSession(LogAlone("k", "v"), INT32_MAX));
  ASSERT_FALSE(answer->has_value());
  ASSERT_TRUE(Until([&] { return answer->has_value(); }, kDeadlineMax + 1s));
  EXPECT_EQ((*answer)->header.code, idl::Code::DEADLINE_EXCEEDED);
  EXPECT_GE(world_.Now() - begun, kDeadlineMax);
}

TEST_F(ReadLimitsTest, TooManyThatWaitAreSentAway) {
  options_.shard.awaiting_max = 2;
  StartServer();
  MakeTablet();
  const idl::GetRequest request = GetInSession(LogAlone("k", "v"), 5'000);
  const Answer first = Begin(request), second = Begin(request), third = Begin(request);
  EXPECT_FALSE(first->has_value() || second->has_value());
  ASSERT_TRUE(third->has_value());
  EXPECT_EQ((*third)->header.code, idl::Code::OVERLOADED);
  EXPECT_GT((*third)->header.retryAfterMs, 0);
  disk_.SetStalled(false);
  ASSERT_TRUE(Until([&] { return first->has_value() && second->has_value(); }));
  EXPECT_EQ((*second)->record.value, "v");
  // Their places are free again, those of reads that ended otherwise too.
  const idl::GetRequest brief = GetInSession(LogAlone("k", "w"), 10);
  for (int i = 0; i < 3; ++i) {
    const Answer answer = Begin(brief);
    ASSERT_TRUE(Until([&] { return answer->has_value(); }));
    EXPECT_EQ((*answer)->header.code, idl::Code::DEADLINE_EXCEEDED);
  }
}

TEST_F(ReadLimitsTest, ATokenIsJudgedWithinTheTabletAlone) {
  StartServer();
  MakeTablet(100, "", "m");
  Put("k", "v");
  // Token ranges of the next tablet, far ahead of this one.
  auto many = InSession<idl::MultiGetRequest>(At(1, 1000), "m", "");
  many.keys = {"k"};
  const auto got =
      Await<idl::MultiGetReply>([&](auto cob) { server_->tablet_service()->multiGet(std::move(cob), many); });
  ASSERT_EQ(got.header.code, idl::Code::OK) << got.header.message;
  EXPECT_EQ(got.results[0].record.value, "v");
  const auto scan = InSession<idl::ScanRequest>(At(1, 1000), "m", "");
  const auto page = Await<idl::ScanReply>([&](auto cob) { server_->tablet_service()->scan(std::move(cob), scan); });
  EXPECT_EQ(page.header.code, idl::Code::OK) << page.header.message;
  // And where it does touch this one it counts.
  many.header.token.ranges[0].range.startKey = "l";
  const auto beside =
      Await<idl::MultiGetReply>([&](auto cob) { server_->tablet_service()->multiGet(std::move(cob), many); });
  EXPECT_EQ(beside.header.code, idl::Code::OK) << "of no key that is asked for";
  many.keys.emplace_back("la");
  const auto later =
      Await<idl::MultiGetReply>([&](auto cob) { server_->tablet_service()->multiGet(std::move(cob), many); });
  EXPECT_EQ(later.header.code, idl::Code::COME_AGAIN);
}

TEST_F(ReadLimitsTest, AReplyOfManyKeysEndsWhereItIsFull) {
  StartServer();
  MakeTablet();
  const size_t whole = kMultiGetReplyBytesMax >> 20;  // so many values of 1 MiB
  idl::MultiGetRequest request;
  request.header = Header();
  for (size_t i = 0; i < whole + 2; ++i) {
    request.keys.push_back("k" + std::to_string(i));
    ASSERT_EQ(Put(request.keys.back(), std::string(1 << 20, 'v')).header.code, idl::Code::OK);
  }
  Put("small", "v");
  request.keys.push_back("small");
  const auto reply =
      Await<idl::MultiGetReply>([&](auto cob) { server_->tablet_service()->multiGet(std::move(cob), request); });
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  for (size_t i = 0; i < request.keys.size(); ++i) {
    EXPECT_EQ(reply.results[i].code, i < whole ? idl::Code::OK : idl::Code::OVERLOADED) << i;
  }
}

TEST_F(ReadLimitsTest, KeysThatWaitForAPurgeDoNotHoldUpOthers) {
  StartServer();
  MakeTablet();
  Put("lives", "v");
  for (const char* const key : {"gone1", "gone2"}) {
    idl::Write write = PutOf(key, "v");
    write.__set_ttlMs(50);
    ASSERT_EQ(Write({write}).header.code, idl::Code::OK);
  }
  scheduler_.RunFor(100ms);
  disk_.SetStalled(true);  // nothing that is logged from now on is committed
  const auto begin = [&](std::vector<std::string> keys) {
    idl::MultiGetRequest request;
    request.header = Header();
    request.keys = std::move(keys);
    auto answer = std::make_shared<std::optional<idl::MultiGetReply>>();
    server_->tablet_service()->multiGet([answer](const idl::MultiGetReply& reply) { *answer = reply; }, request);
    scheduler_.RunFor(1ms);
    return answer;
  };
  const auto some = begin({"gone1", "lives", "none", "gone2"});
  ASSERT_TRUE(some->has_value());
  std::vector<idl::Code::type> codes;
  for (const idl::MultiGetResult& result : (*some)->results) codes.push_back(result.code);
  EXPECT_EQ(codes, (std::vector{idl::Code::OVERLOADED, idl::Code::OK, idl::Code::NOT_FOUND, idl::Code::OVERLOADED}));
  const auto rest = begin({"gone1", "gone2"});
  EXPECT_FALSE(rest->has_value());
  disk_.SetStalled(false);
  ASSERT_TRUE(Until([&] { return rest->has_value(); }));
  EXPECT_EQ((*rest)->results[0].code, idl::Code::NOT_FOUND);
  EXPECT_EQ((*rest)->results[1].code, idl::Code::NOT_FOUND);
}

TEST_F(ReadLimitsTest, AQueueCountsWhatItsWritesCostInMemory) {
  options_.shard.queue_bytes_max = 200 << 10;
  StartServer();
  MakeTablet();
  idl::WriteRequest request;
  request.header = Header();
  request.header.__set_tabletTimeMs(learnt_ms_);
  request.clientId = request.sequence = request.firstIncomplete = 1;
  for (int i = 0; i < 1000; ++i) request.writes.push_back(DeleteOf("k" + std::to_string(i)));
  std::vector<idl::Code::type> codes;
  const auto note = [&codes](const idl::WriteReply& reply) { codes.push_back(reply.header.code); };
  for (int i = 0; i < 3; ++i) {
    server_->tablet_service()->write(note, request);
    request.sequence = ++request.firstIncomplete;
  }
  ASSERT_TRUE(Until([&] { return codes.size() == 3; }));
  EXPECT_EQ(codes, (std::vector<idl::Code::type>{idl::Code::OVERLOADED, idl::Code::OVERLOADED, idl::Code::OK}))
      << "three batches of some KiB each, and far more of them in memory";
}

}  // namespace
}  // namespace ebla::tabletserver
