#include "client/core/session_tokens.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

namespace ebla::client {
namespace {

Version V(uint64_t epoch, uint64_t lsn) { return {Epoch{epoch}, Lsn{lsn}}; }

TEST(TableToken, KeepsTheGreatestPositionPerRange) {
  TableToken token;
  token.Saw({"a", "m"}, V(1, 5));
  token.Saw({"a", "m"}, V(1, 3));
  token.Saw({"f", "z"}, V(1, 9));
  const std::vector<TokenRange> expected{{{"a", "f"}, V(1, 5), {}}, {{"f", "z"}, V(1, 9), {}}};
  EXPECT_EQ(token.ranges(), expected);
}

TEST(TableToken, AKeyOnItsOwnAndOpenEnds) {
  TableToken token;
  token.Saw(KeyRange::All(), V(2, 5));
  token.Saw({"k", KeyAfter("k")}, V(2, 7));
  ASSERT_EQ(token.ranges().size(), 3u);
  EXPECT_EQ(token.For({"k", KeyAfter("k")}).front().applied, V(2, 7));
  EXPECT_EQ(token.For({"l", "m"}).front().applied, V(2, 5));
  token.Saw(KeyRange::All(), V(2, 8));
  EXPECT_EQ(token.ranges().size(), 1u) << "neighbours that say the same are one";
}

TEST(TableToken, RemembersOwnPrimaryWritesUntilTheyAreKnownApplied) {
  TableToken token;
  token.Saw({"a", "m"}, V(3, 10));
  token.Wrote({"a", "m"}, V(3, 11));
  token.Wrote({"a", "m"}, V(3, 12));
  EXPECT_EQ(token.ranges().front().pending_primary, std::vector<Version>{V(3, 12)}) << "one per epoch, the greatest";
  token.Saw({"a", "m"}, V(4, 14));
  EXPECT_EQ(token.ranges().front().pending_primary.size(), 1u) << "a later epoch may have undone it: the server judges";
  token.Judged({"a", "m"}, V(4, 14));
  EXPECT_TRUE(token.ranges().front().pending_primary.empty());
  token.Wrote({"a", "m"}, V(4, 13));
  EXPECT_TRUE(token.ranges().front().pending_primary.empty()) << "applied already";
}

TEST(TableToken, AfterALostWriteGoesOnFromWhereTheAnswerSays) {
  TableToken token;
  token.Saw({"a", "m"}, V(3, 10));
  token.Wrote({"a", "m"}, V(3, 20));
  token.Lost({"a", "m"}, V(4, 12));
  const std::vector<TokenRange> expected{{{"a", "m"}, V(4, 12), {}}};
  EXPECT_EQ(token.ranges(), expected);
}

TEST(TableToken, TooManyRangesMakeItCoarse) {
  TableToken token;
  for (size_t i = 0; i <= kSessionRangesMax; ++i) {
    char key[8];
    snprintf(key, sizeof key, "%06zu", i);
    token.Saw({key, KeyAfter(key)}, V(1, i + 1));
  }
  EXPECT_TRUE(token.coarse());
  EXPECT_TRUE(token.ranges().empty());
}

TEST(TableToken, AgreesWithAMapOfSingleKeys) {
  const bool held = rc::check([] {
    TableToken token;
    std::map<char, Version> model;
    const int steps = *rc::gen::inRange(1, 40);
    for (int i = 0; i < steps; ++i) {
      const char low = static_cast<char>('a' + *rc::gen::inRange(0, 20));
      const char high = static_cast<char>(low + *rc::gen::inRange(1, 10));
      const bool open = *rc::gen::inRange(0, 8) == 0;
      const Version version = V(*rc::gen::inRange<uint64_t>(1, 3), *rc::gen::inRange<uint64_t>(1, 20));
      token.Saw({std::string(1, low), open ? "" : std::string(1, high)}, version);
      for (char c = 'a'; c <= 'z'; ++c) {
        if (c >= low && (open || c < high)) model[c] = std::max(model[c], version);
      }
    }
    for (size_t i = 1; i < token.ranges().size(); ++i) {
      RC_ASSERT(!token.ranges()[i - 1].range.end.empty());
      RC_ASSERT(token.ranges()[i - 1].range.end <= token.ranges()[i].range.start);
    }
    for (char c = 'a'; c <= 'z'; ++c) {
      const std::string key(1, c);
      const auto found = token.For({key, KeyAfter(key)});
      const Version seen = found.empty() ? Version{} : found.front().applied;
      RC_ASSERT(found.size() <= 1);
      RC_ASSERT(seen == model[c]);
    }
    SessionTokens tokens{{TableId{7}, token}};
    const auto back = DecodeTokens(EncodeTokens(tokens));
    RC_ASSERT(back.has_value());
    RC_ASSERT(back->at(TableId{7}).ranges() == token.ranges());
  });
  EXPECT_TRUE(held);
}

TEST(SessionTokens, TextIsPrintableAndComesBack) {
  SessionTokens tokens;
  tokens[TableId{4}].Saw({"a", std::string("m\0\xff", 3)}, V(300, 70000));
  tokens[TableId{4}].Wrote({"a", "b"}, V(300, 70001));
  tokens[TableId{9}].Coarsen();
  const std::string text = EncodeTokens(tokens);
  EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
  const auto back = DecodeTokens(text);
  ASSERT_TRUE(back.has_value()) << back.error();
  EXPECT_EQ(back->at(TableId{4}).ranges(), tokens[TableId{4}].ranges());
  EXPECT_TRUE(back->at(TableId{9}).coarse());
}

TEST(SessionTokens, PastSixtyFourRangesTheExportIsCoarse) {
  SessionTokens tokens;
  for (char c = 0; c < 65; ++c) {
    const std::string key(1, static_cast<char>('0' + c));
    tokens[TableId{1}].Saw({key, KeyAfter(key)}, V(1, static_cast<uint64_t>(c) + 1));
  }
  const auto back = DecodeTokens(EncodeTokens(tokens));
  ASSERT_TRUE(back.has_value());
  EXPECT_TRUE(back->at(TableId{1}).coarse());
}

TEST(SessionTokens, RefusesWhatItDidNotMake) {
  for (const char* text : {"", "!!!", "AQ", "Ag", "AQEHBQ", "hello world", "AQD_"}) {
    EXPECT_EQ(DecodeTokens(text).error().code(), Code::kInvalidArgument) << text;
  }
  const bool held = rc::check([](const std::string& noise) { (void)DecodeTokens(noise); });  // whatever comes: no crash
  EXPECT_TRUE(held);
  SessionTokens tokens;
  tokens[TableId{4}].Saw({"a", "m"}, V(3, 7));
  std::string text = EncodeTokens(tokens);
  text.pop_back();
  EXPECT_FALSE(DecodeTokens(text).has_value());
}

}  // namespace
}  // namespace ebla::client
