// SESSION reads at a primary whose log holds more than it has applied, such as one that is cut off (PROTOCOL 16, 17),
// on several servers in virtual time.
#include <gmock/gmock.h>

#include "tabletserver/testing/group_fixture.h"

namespace ebla::tabletserver {
namespace {

using ebla::testing::SimExecutor;
using idl::WriteLevel;
using ::testing::HasSubstr;

class SessionLogTest : public GroupFixture {
 protected:
  SessionLogTest() { readers_ = true; }
  // ts-1 leads, is cut off, and then acknowledges at PRIMARY: b deleted, c changed, d new.
  void SetUp() override {
    table_options_.keyGroup.__set_all(true);
    table_options_.__isset.keyGroup = true;
    for (const char* name : {"ts-1", "ts-2", "ts-3"}) Start(name);
    ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
    ASSERT_TRUE(Until([&] { return View("ts-1")->barrier_applied; }));
    for (const char* key : {"a", "b", "c", "e"}) ASSERT_EQ(Write("ts-1", {PutOf(key, "1")}).header.code, idl::Code::OK);
    ASSERT_TRUE(Until([&] { return Level("ts-2", "ts-1") && Level("ts-3", "ts-1"); }));
    Cut("ts-1", "ts-2");
    Cut("ts-1", "ts-3");
    ASSERT_TRUE(Primary({DeleteOf("b")}) && Primary({PutOf("c", "2")}));
    last_ = *Primary({PutOf("d", "2")});
  }
  std::optional<idl::Version> Primary(std::vector<idl::Write> writes) {
    const auto reply = WriteAs("ts-1", 5, ++writes_, std::move(writes), WriteLevel::PRIMARY);
    EXPECT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    own_.push_back(reply.header.code == idl::Code::OK && reply.__isset.version ? reply.version : idl::Version());
    return own_.back();
  }
  // ts-1, without a role in it, does not hear of it.
  void ElectAnother() {
    ASSERT_TRUE(Fence(2, {"ts-2", "ts-3"}));
    ASSERT_TRUE(Configure(2, {"ts-2", {"ts-2", "ts-3"}, {}}, /*fenced=*/true));
    ASSERT_TRUE(Until([&] { return View("ts-2")->barrier_applied; }));
  }
  template <class Request>
  Request InSession(const idl::Version& own) const {
    Request request;
    request.header.tableId = kTable;
    request.header.deadlineMs = 500;
    request.header.token.tableId = kTable;
    request.header.token.ranges.resize(1);
    request.header.token.ranges[0].__set_pendingPrimary({own});
    request.header.__isset.token = true;
    request.options.level = idl::ReadLevel::SESSION;
    request.__isset.options = true;
    return request;
  }
  idl::GetReply Get(const std::string& key, const idl::Version& own, const std::string& server = "ts-1") {
    auto request = InSession<idl::GetRequest>(own);
    request.key = key;
    return Await<idl::GetReply>([&](auto cob) { at(server).server->tablet_service()->get(std::move(cob), request); });
  }
  std::string Scan(const idl::Version& own, bool reverse = false, int32_t limit = 0) {
    auto request = InSession<idl::ScanRequest>(own);
    request.reverse = reverse;
    request.limit = limit;
    std::string seen;
    for (bool more = true; more;) {
      const auto page =
          Await<idl::ScanReply>([&](auto cob) { at("ts-1").server->tablet_service()->scan(std::move(cob), request); });
      if (page.header.code != idl::Code::OK) return page.header.message;
      EXPECT_FALSE(page.header.__isset.applied) << "no applied position covers it";
      for (const auto& row : page.records) seen += row.key + row.record.value;
      more = !page.done;
      request.range = page.remaining;
    }
    return seen;
  }

  int64_t writes_ = 0;
  idl::Version last_;
  std::vector<idl::Version> own_;
};

TEST_F(SessionLogTest, ASessionSeesItsOwnPrimaryWritesWhereNothingIsCommitted) {
  EXPECT_EQ(Get("d", last_).record.value, "2");
  EXPECT_EQ(Get("c", last_).record.value, "2");
  EXPECT_EQ(Get("b", last_).header.code, idl::Code::NOT_FOUND);
  EXPECT_EQ(Get("a", last_).record.value, "1");
  EXPECT_FALSE(Get("d", last_).header.__isset.applied);
  EXPECT_EQ(GroupFixture::Get("ts-1", "d", idl::ReadLevel::EVENTUAL).header.code, idl::Code::NOT_FOUND)
      << "others do not";
  EXPECT_EQ(GroupFixture::Get("ts-1", "c", idl::ReadLevel::EVENTUAL).record.value, "1");
}

TEST_F(SessionLogTest, NoFurtherThanItsToken) {
  EXPECT_EQ(Get("c", own_[1]).record.value, "2");
  EXPECT_EQ(Get("d", own_[1]).header.code, idl::Code::NOT_FOUND) << "written later";
}

TEST_F(SessionLogTest, MultiGetAndScansSeeThemInOrder) {
  auto request = InSession<idl::MultiGetRequest>(last_);
  request.keys = {"d", "a", "b", "c"};
  const auto reply = Await<idl::MultiGetReply>(
      [&](auto cob) { at("ts-1").server->tablet_service()->multiGet(std::move(cob), request); });
  ASSERT_EQ(reply.results.size(), 4u) << reply.header.message;
  EXPECT_EQ(reply.results[0].record.value, "2");
  EXPECT_EQ(reply.results[1].record.value, "1");
  EXPECT_EQ(reply.results[2].code, idl::Code::NOT_FOUND);
  EXPECT_EQ(reply.results[3].record.value, "2");
  for (const int32_t limit : {0, 1, 2, 3}) {
    EXPECT_EQ(Scan(last_, false, limit), "a1c2d2e1") << limit;
    EXPECT_EQ(Scan(last_, true, limit), "e1d2c2a1") << limit;
  }
  EXPECT_EQ(Scan(own_[0]), "a1c1e1");
}

TEST_F(SessionLogTest, AFunctionSeesThemToo) {
  const auto list = [this](const idl::Version& own, const std::string& arguments) {
    auto request = InSession<idl::CallRequest>(own);
    request.key = "a";
    request.functionName = "list";
    request.arguments = arguments;
    return Await<idl::CallReply>([&](auto cob) { at("ts-1").server->tablet_service()->call(std::move(cob), request); })
        .answer;
  };
  EXPECT_EQ(list(last_, ""), "a c d e");
  EXPECT_EQ(list(last_, "reverse"), "e d c a");
  EXPECT_EQ(list(own_[0], ""), "a c e") << "no further than its token";
}

TEST_F(SessionLogTest, AfterTheFailoverItIsToldWhatIsLost) {
  ElectAnother();
  EXPECT_EQ(Get("d", last_).record.value, "2") << "still what it wrote, at the old primary";
  auto lost = Get("d", last_, "ts-2");
  EXPECT_EQ(lost.header.code, idl::Code::LOST_WRITE);
  EXPECT_THAT(lost.header.message, HasSubstr("1." + std::to_string(last_.lsn)));
  EXPECT_EQ(lost.header.applied.epoch, 2) << "where to go on";
  Heal();
  ASSERT_TRUE(Configure(3, {"ts-2", {"ts-1", "ts-2", "ts-3"}, {}}));
  ASSERT_TRUE(Until([&] { return Level("ts-1", "ts-2"); }));
  EXPECT_EQ(Get("d", last_).header.code, idl::Code::LOST_WRITE);
}

TEST_F(SessionLogTest, AnOldPrimaryDoesNotServeWhoHasSeenTheNewOnesWrites) {
  ElectAnother();
  const auto newer = Write("ts-2", {PutOf("a", "newer")});
  ASSERT_LE(newer.version.lsn, last_.lsn) << "a place that the old log has, too";
  EXPECT_EQ(Get("a", newer.version).header.code, idl::Code::COME_AGAIN);
  EXPECT_EQ(Get("a", newer.version, "ts-2").record.value, "newer");
}

TEST_F(SessionLogTest, OnceCommittedItIsReadAsEver) {
  Heal();
  ASSERT_TRUE(Until([&] { return Level("ts-2", "ts-1"); }));
  const auto reply = Get("d", last_);
  EXPECT_EQ(reply.record.value, "2");
  EXPECT_TRUE(reply.header.__isset.applied);
}

// Between its look at the log and its snapshot of the store more may be applied, others' writes too: the session has
// seen these.
TEST_F(SessionLogTest, WhatIsAppliedBesideItsLookAtTheLogIsNamed) {
  SimExecutor& reader = *at("ts-1").reader;
  auto reply = std::make_shared<std::optional<idl::ScanReply>>();
  auto request = InSession<idl::ScanRequest>(last_);
  request.header.deadlineMs = 10'000;
  at("ts-1").server->tablet_service()->scan([reply](const idl::ScanReply& answer) { *reply = answer; }, request);
  reader.Post([&reader] { reader.Pause(); });  // after its first attempt, which asks for the log
  scheduler_.RunFor(1ms);
  Heal();
  const idl::WriteReply other = Write("ts-1", {PutOf("j", "2")});
  ASSERT_EQ(other.header.code, idl::Code::OK);
  ASSERT_FALSE(reply->has_value());
  reader.Resume();
  ASSERT_TRUE(Until([&] { return reply->has_value(); }, 5s));
  const idl::ScanReply& scanned = **reply;
  ASSERT_EQ(scanned.header.code, idl::Code::OK) << scanned.header.message;
  ASSERT_EQ(scanned.records.size(), 5u) << "a, c, d, e, j";
  ASSERT_TRUE(scanned.header.__isset.applied);
  EXPECT_GE(scanned.header.applied.lsn, other.version.lsn);
}

}  // namespace
}  // namespace ebla::tabletserver
