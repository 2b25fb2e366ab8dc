// Logs that are read in turns: one that is held up, one whose server's clock is wrong, one that cannot be read.
#include "tools/backup/archive/server_logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::backup {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr TableId kReadTable{7};
constexpr TabletId kReadTablet{70};

class ServerLogsTest : public ::testing::Test {
 protected:
  ServerLogsTest() {
    for (const char* name : {"ts-1", "ts-2"}) {
      ServerSummary& server = servers_.emplace_back();
      server.name = name;
      server.live = true;
    }
  }
  Result<LogPage> Follow(const ServerSummary& server, const FollowLogOptions& options) {
    asked_.push_back(server.name);
    last_ = options;
    std::vector<Result<LogPage>>& pages = pages_[server.name];
    if (pages.empty()) {
      LogPage page;
      page.next = options.place;
      page.at_end = true;
      return page;
    }
    Result<LogPage> page = pages.front();
    pages.erase(pages.begin());
    return page;
  }
  LogPage More(uint64_t segment) {
    LogPage page;
    page.next = {.log = 1, .segment = segment};
    return page;
  }
  LogPage Waits() {
    LogPage page;
    page.waits_for = {kReadTablet};
    return page;
  }
  LogPage Marks(int64_t time_of_day_ms) {
    LogPage page;
    page.at_end = true;
    page.led.push_back({kReadTablet, kReadTable, 5, time_of_day_ms, time_of_day_ms, Epoch{1}});
    return page;
  }
  bool Read() {
    chains_.BeginRound(wall_ms_, {{kReadTablet, kReadTable}});
    const bool all = logs_.Read(servers_, saved_, chains_, [] { return true; });
    chains_.EndRound(all);
    return all;
  }

  std::vector<ServerSummary> servers_;
  std::map<ServerName, std::vector<Result<LogPage>>> pages_;
  std::vector<ServerName> asked_;
  FollowLogOptions last_;
  ServerLogs::Places saved_;
  TabletChains chains_;
  int64_t wall_ms_ = 1'000'000;
  ServerLogs::Clock::time_point now_{std::chrono::hours(1)};
  std::vector<std::string> said_;
  ServerLogs logs_{{.follow = [this](const ServerSummary& server,
                                     const FollowLogOptions& options) { return Follow(server, options); },
                    .wall_clock_ms = [this] { return wall_ms_; },
                    .now = [this] { return now_; },
                    .say = [this](const std::string& line) { said_.push_back(line); }}};
};

TEST_F(ServerLogsTest, TheyTakeTurnsAndSayWhereTheyMayBeComeBackTo) {
  saved_["ts-1"] = {.log = 1, .segment = 3};
  pages_["ts-1"] = {More(4), More(5)};
  EXPECT_TRUE(Read());
  EXPECT_THAT(asked_, ElementsAre("ts-1", "ts-2", "ts-1", "ts-1"));
  EXPECT_EQ(last_.place.segment, 5u);
  EXPECT_EQ(last_.keep_from.segment, 3u);
  EXPECT_EQ(logs_.places().at("ts-1").segment, 5u);
}

TEST_F(ServerLogsTest, WhatHoldsALogUpIsPassedOverAfterAWhileAndUntilItComesOn) {
  for (auto waited = 0s; waited <= ServerLogs::kHeldUp; waited += 1s, now_ += 1s) {
    pages_["ts-2"] = {Waits()};
    EXPECT_EQ(Read(), waited < ServerLogs::kStuck) << "for a moment, as a rule";
    EXPECT_THAT(last_.pass_over, IsEmpty());
  }
  EXPECT_TRUE(Read());
  EXPECT_THAT(last_.pass_over, ElementsAre(kReadTablet));
  LogPage on = More(4);
  on.entries.push_back({kReadTablet, kReadTable, {Epoch{1}, Lsn{9}}, 0, {}});
  pages_["ts-2"] = {on};
  EXPECT_TRUE(Read());
  EXPECT_THAT(last_.pass_over, IsEmpty());
}

// While the archiver could not look, it does not know how long the state lasted.
TEST_F(ServerLogsTest, PatienceDoesNotRunWhileNobodyLooks) {
  for (int look = 0; look < 3; ++look, now_ += 1min) {
    pages_["ts-2"] = {Waits()};
    Read();
  }
  Read();
  EXPECT_THAT(last_.pass_over, IsEmpty());
}

TEST_F(ServerLogsTest, ATabletThatWasPassedOverIsForgottenAfterAWhile) {
  for (auto waited = 0s; waited <= ServerLogs::kHeldUp; waited += 1s, now_ += 1s) {
    pages_["ts-2"] = {Waits()};
    Read();
  }
  Read();
  EXPECT_THAT(last_.pass_over, ElementsAre(kReadTablet));
  now_ += 1h;
  Read();
  EXPECT_THAT(last_.pass_over, IsEmpty());
}

// It may come back with what others lack.
TEST_F(ServerLogsTest, AServerThatIsAwayHoldsOthersUpForAsLongAsItsLogIsKept) {
  servers_[0].live = false;
  EXPECT_FALSE(Read());
  now_ += ServerLogs::kUnreadable;
  EXPECT_TRUE(Read());
}

// A tablet with constant writes waits at a different entry each time.
TEST_F(ServerLogsTest, WhatComesOnIsNotHeldUp) {
  for (uint64_t segment = 1; segment < 60; ++segment) {
    LogPage page = More(segment);
    page.entries.push_back({kReadTablet, kReadTable, {Epoch{1}, Lsn{segment}}, 0, {}});
    page.waits_for = {kReadTablet};
    pages_["ts-2"] = {page};
    EXPECT_TRUE(Read());
    EXPECT_THAT(last_.pass_over, IsEmpty());
    now_ += std::chrono::seconds(1);
  }
}

TEST_F(ServerLogsTest, MarksOfAClockThatIsWrongDoNotCount) {
  for (const int64_t apart : {-3'600'000, 3'600'000}) {
    pages_["ts-1"] = {Marks(wall_ms_ + apart)};
    EXPECT_TRUE(Read());
    EXPECT_FALSE(chains_.CoverageOf(kReadTable).has_value());
    now_ += std::chrono::minutes(2);
  }
  EXPECT_THAT(said_, ElementsAre(HasSubstr("the clock of ts-1 is 3600 s behind"),
                                 HasSubstr("the clock of ts-1 is 3600 s ahead of")));
  pages_["ts-1"] = {Marks(wall_ms_ + 1'000)};
  EXPECT_TRUE(Read());
  EXPECT_TRUE(chains_.CoverageOf(kReadTable).has_value());
  pages_["ts-1"] = {Marks(wall_ms_ + 3'600'000), Marks(wall_ms_ + 3'600'000)};
  EXPECT_TRUE(Read());
  EXPECT_TRUE(Read());
  EXPECT_THAT(said_, SizeIs(3)) << "once a minute";
}

TEST_F(ServerLogsTest, ALogThatCannotBeReadHoldsOthersUpForAsLongAsItIsKept) {
  const auto fail = [&] { pages_["ts-1"] = {Error(Code::kUnavailable, "no route")}; };
  fail();
  EXPECT_FALSE(Read());
  now_ += ServerLogs::kUnreadable;
  fail();
  EXPECT_TRUE(Read());
  EXPECT_TRUE(Read());
  fail();
  EXPECT_FALSE(Read());
}

}  // namespace
}  // namespace ebla::backup
