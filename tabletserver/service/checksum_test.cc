// Requests of `ebla check` to servers for the numbers of each replica, in virtual time.
#include <gmock/gmock.h>

#include "tabletserver/service/checksum_handler.h"
#include "tabletserver/testing/records_fixture.h"

namespace ebla::tabletserver {
namespace {

using ::testing::HasSubstr;

class ChecksumTest : public RecordsFixture {
 protected:
  void SetUp() override { Make({"ts-1", "ts-2", "ts-3"}); }
  idl::ChecksumReply Ask(const std::string& server, const std::string& from = "", int64_t tablet = kTablet) {
    idl::ChecksumRequest request;
    request.header.tableId = kTable;
    request.header.tabletId = tablet;
    request.fromKey = from;
    return Await<idl::ChecksumReply>(
        [&](auto cob) { at(server).server->tablet_service()->checksum(std::move(cob), request); });
  }
  static std::tuple<int64_t, int64_t, int64_t, int64_t> Numbers(const idl::ChecksumReply& reply) {
    return {reply.appliedLsn, reply.records, reply.bytes, reply.checksum};
  }
};

TEST_F(ChecksumTest, ReplicasThatHaveAppliedTheSameGiveTheSameNumbers) {
  const auto first = Ask("ts-1");
  ASSERT_EQ(first.header.code, idl::Code::OK) << first.header.message;
  EXPECT_EQ(first.records, 3);
  EXPECT_TRUE(first.done);
  EXPECT_EQ(first.appliedLsn, static_cast<int64_t>(View("ts-1")->applied.lsn.value));
  EXPECT_EQ(Numbers(Ask("ts-2")), Numbers(first)) << "a follower answers for itself";
  EXPECT_EQ(Numbers(Ask("ts-3")), Numbers(first));
  const auto rest = Ask("ts-1", "b");
  EXPECT_EQ(rest.records, 2) << "from a key on";
  EXPECT_NE(rest.checksum, first.checksum);
  Put("m", "value of n");
  ASSERT_TRUE(AllLevel());
  EXPECT_NE(Ask("ts-1").checksum, first.checksum);
  EXPECT_EQ(Numbers(Ask("ts-1")), Numbers(Ask("ts-3")));
}

TEST_F(ChecksumTest, AReplicaThatLagsSaysSoByItsPosition) {
  Cut("ts-1", "ts-3");
  Cut("ts-2", "ts-3");
  Put("b", "new");
  EXPECT_GT(Ask("ts-1").appliedLsn, Ask("ts-3").appliedLsn);
  EXPECT_EQ(Ask("ts-3").records, 3);
}

TEST_F(ChecksumTest, ARecordThatDiffersOnOneDiskIsSeen) {
  StoredRecord wrong;
  wrong.value = "value of M";
  wrong.version = at("ts-2").store->Get(TableId{kTable}, "m")->value().version;
  const std::pair<std::string, StoredRecord> record{"m", wrong};
  ASSERT_TRUE(at("ts-2").store->ReplaceInterval(TableId{kTable}, {"m", "n"}, {&record, 1}).ok());
  const auto sound = Ask("ts-1"), damaged = Ask("ts-2");
  EXPECT_EQ(damaged.appliedLsn, sound.appliedLsn);
  EXPECT_EQ(damaged.bytes, sound.bytes);
  EXPECT_NE(damaged.checksum, sound.checksum);
}

TEST_F(ChecksumTest, PagesEndAtTheSameKeysAndCoverEverything) {
  const std::string large(900 << 10, 'x');
  for (const char* key : {"b", "c", "d", "e", "f", "g"}) Put(key, large);
  ASSERT_TRUE(AllLevel());
  const auto first = Ask("ts-1"), other = Ask("ts-2");
  ASSERT_FALSE(first.done);
  EXPECT_EQ(first.nextKey, other.nextKey);
  EXPECT_EQ(Numbers(first), Numbers(other));
  const auto second = Ask("ts-1", first.nextKey);
  EXPECT_TRUE(second.done);
  EXPECT_EQ(first.records + second.records, 9);
}

TEST_F(ChecksumTest, OnePageAtATimeGoesBeforeOtherWork) {
  idl::ChecksumRequest request;
  request.header.tableId = kTable;
  request.header.tabletId = kTablet;
  std::vector<idl::Code::type> answers;
  for (size_t i = 0; i < ChecksumHandler::kWaitingMax + 2; ++i) {
    at("ts-1").server->tablet_service()->checksum(
        [&](const idl::ChecksumReply& reply) { answers.push_back(reply.header.code); }, request);
  }
  EXPECT_THAT(answers, ::testing::ElementsAre(idl::Code::OVERLOADED, idl::Code::OVERLOADED));
  // The number after a Configure has made the table.
  std::optional<size_t> before;
  at("ts-1").executor->Post([&] { before = answers.size() - 2; });
  ASSERT_TRUE(Until([&] { return before.has_value(); }));
  EXPECT_LE(*before, 1u);
  ASSERT_TRUE(Until([&] { return answers.size() == ChecksumHandler::kWaitingMax + 2; }));
  EXPECT_EQ(static_cast<size_t>(std::ranges::count(answers, idl::Code::OK)), ChecksumHandler::kWaitingMax);
  EXPECT_EQ(Ask("ts-1").header.code, idl::Code::OK) << "and the line is free again";
}

TEST_F(ChecksumTest, WhatIsNotHereOrMakesNoSenseIsRefused) {
  EXPECT_EQ(Ask("ts-1", "", 4711).header.code, idl::Code::WRONG_TABLET);
  const auto senseless = Ask("ts-1", "", 0);
  EXPECT_EQ(senseless.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_THAT(senseless.header.message, HasSubstr("of one tablet"));
  EXPECT_EQ(Ask("ts-1", std::string(5000, 'k')).header.code, idl::Code::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace ebla::tabletserver
