// Reads of many keys, scans and sessions over a pretended cluster, in virtual time.
#include "client/core/operations/read_operations.h"

#include <gtest/gtest.h>

#include "client/testing/core_fixture.h"

namespace ebla::client {
namespace {

using std::chrono::seconds;
using testing::ClientCoreTest;
using testing::kTs2;
using testing::LinkState;

TEST_F(ClientCoreTest, MultiGetAnswersEachKeyFromItsTablet) {
  const TablePtr table = Open();
  for (const char* key : {"a", "k", "q"}) cluster_.tables()->Put("t", key, std::string("v") + key);
  for (int warm = 0; warm < 2; ++warm) {
    const auto got = MultiGet(table, {"q", "a", "", "nope", "k", "a"});
    ASSERT_EQ(got.size(), 6u);
    EXPECT_EQ(got[0]->value + got[1]->value + got[4]->value + got[5]->value, "vqvavkva");
    EXPECT_EQ(got[2].error().code(), Code::kInvalidArgument);
    EXPECT_EQ(got[3].error().code(), Code::kNotFound);
  }
  EXPECT_EQ(cluster_.counts().multi_gets, 6);
  EXPECT_TRUE(MultiGet(table, {}).empty());
}

TEST_F(ClientCoreTest, MultiGetGoesOnWhereServersDisownKeysOrRepliesAreFull) {
  const TablePtr table = Open();
  std::vector<std::string> keys;
  for (char c = 'a'; c <= 'z'; ++c) {
    keys.emplace_back(1, c);
    cluster_.tables()->Put("t", keys.back(), keys.back());
  }
  (void)MultiGet(table, keys);
  cluster_.tables()->Split("t", "d");
  cluster_.tables()->Move("t", "d", "ts-3");
  cluster_.faults()->multi_get_room = 2;
  const auto got = MultiGet(table, keys);
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(got[i].value_or(Record{}).value, keys[i]);
  network_.SetLinkState(kTs2, LinkState::kDown);
  const auto partly = MultiGet(table, {"a", "k"}, {.deadline = seconds(1)});
  EXPECT_TRUE(partly[0]);
  EXPECT_EQ(partly[1].error().code(), Code::kUnavailable);
}

TEST_F(ClientCoreTest, AThousandKeysAtMostInOneRequest) {
  cluster_.tables()->Add("one", {});
  const TablePtr table = Open("one");
  std::vector<std::string> keys;
  for (int i = 0; i < 2500; ++i) keys.push_back("k" + std::to_string(i));
  for (const auto& record : MultiGet(table, keys)) EXPECT_EQ(record.error().code(), Code::kNotFound);
  EXPECT_EQ(cluster_.counts().multi_gets, 3);
}

TEST_F(ClientCoreTest, ScansCrossTabletsBothWays) {
  const TablePtr table = Open();
  for (char c = 'a'; c <= 'z'; c = static_cast<char>(c + 3)) cluster_.tables()->Put("t", std::string(1, c), "v");
  cluster_.faults()->page_rows = 2;
  int pages = 0;
  EXPECT_EQ(Scan(table, {}, &pages).value(), "a d g j m p s v y ");
  EXPECT_GT(pages, 4);
  EXPECT_EQ(Scan(table, {.reverse = true}).value(), "y v s p m j g d a ");
  EXPECT_EQ(Scan(table, {.range = {"d", "p"}}).value(), "d g j m ");
  EXPECT_EQ(Scan(table, {.range = {"d", "p"}, .reverse = true}).value(), "m j g d ");
  EXPECT_EQ(Scan(table, {.range = {"h", ""}, .reverse = true}).value(), "y v s p m j ");
  EXPECT_EQ(Scan(table, {.range = KeyRange::Prefix("m")}).value(), "m ");
  EXPECT_EQ(cluster_.counts().wrong_place, 0);
}

TEST_F(ClientCoreTest, ScansGoOnThroughSplitsMovesAndDownTime) {
  const TablePtr table = Open();
  for (char c = 'a'; c <= 'z'; ++c) cluster_.tables()->Put("t", std::string(1, c), "v");
  cluster_.faults()->page_rows = 3;
  for (int round = 0; round < 2; ++round) {
    const bool reverse = round == 1;
    ScanOptions options{.reverse = reverse};
    std::string keys;
    for (int page_number = 0;; ++page_number) {
      if (page_number == 1) cluster_.tables()->Split("t", reverse ? "r" : "f");
      if (page_number == 2) cluster_.tables()->Move("t", reverse ? "q" : "g", "ts-2");
      if (page_number == 3) network_.Next(kTs2, LinkState::kDown, 3);
      if (page_number == 4) cluster_.tables()->Merge("t", reverse ? "a" : "k");
      auto page = Wait<Result<ScanPage>>([&](auto done) { core_.ScanPage(table, options, std::move(done)); });
      ASSERT_TRUE(page) << page.error();
      for (const Row& row : page->rows) keys += row.key;
      if (page->done) break;
      options.range = page->remaining;
    }
    EXPECT_EQ(keys, reverse ? "zyxwvutsrqponmlkjihgfedcba" : "abcdefghijklmnopqrstuvwxyz");
  }
}

TEST_F(ClientCoreTest, SessionsCarryWhatTheySaw) {
  const TablePtr table = Open();
  auto state = std::make_shared<SessionState>();
  Session session = SessionAccess::Make(state);
  ASSERT_TRUE(Put(table, "a", "1", {.session = &session}));
  EXPECT_FALSE(cluster_.last_header().__isset.token) << "it had seen nothing yet";
  ASSERT_TRUE(Get(table, "a", {.read = Read::InSession(), .session = &session}));
  EXPECT_EQ(cluster_.last_read().level, idl::ReadLevel::SESSION);
  ASSERT_TRUE(cluster_.last_header().__isset.token);
  const auto sent = cluster_.last_header().token;
  ASSERT_EQ(sent.ranges.size(), 1u);
  EXPECT_EQ(sent.ranges.front().range.endKey, "h") << "of the tablet, not of the key alone";
  EXPECT_EQ(sent.ranges.front().applied.lsn, 1);

  // In another process.
  const auto tokens = DecodeTokens(session.Token());
  ASSERT_TRUE(tokens);
  Session elsewhere = SessionAccess::Make(std::make_shared<SessionState>(*tokens));
  (void)Get(table, "b", {.read = Read::InSession(), .session = &elsewhere});
  EXPECT_EQ(cluster_.last_header().token, sent);

  // A coarse token reads at STRONG.
  state->Update(table->router()->table(), [](TableToken& token) { token.Coarsen(); });
  (void)Get(table, "b", {.read = Read::InSession(), .session = &session});
  EXPECT_EQ(cluster_.last_read().level, idl::ReadLevel::STRONG);
}

}  // namespace
}  // namespace ebla::client
