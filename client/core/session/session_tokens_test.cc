#include "client/core/session/session_tokens.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "client/core/session/session_state.h"

namespace ebla::client {
namespace {

Version V(uint64_t epoch, uint64_t lsn) { return {Epoch{epoch}, Lsn{lsn}}; }

TEST(TableToken, KeepsTheGreatestPositionPerRange) {
  TableToken token;
  token.Observe({"a", "m"}, V(1, 5));
  token.Observe({"a", "m"}, V(1, 3));
  token.Observe({"f", "z"}, V(1, 9));
  const std::vector<TokenRange> expected{{{"a", "f"}, V(1, 5), {}}, {{"f", "z"}, V(1, 9), {}}};
  EXPECT_EQ(token.ranges(), expected);
}

TEST(TableToken, AKeyOnItsOwnAndOpenEnds) {
  TableToken token;
  token.Observe(KeyRange::All(), V(2, 5));
  token.Observe({"k", KeyAfter("k")}, V(2, 7));
  ASSERT_EQ(token.ranges().size(), 3u);
  EXPECT_EQ(token.For({"k", KeyAfter("k")}).front().applied, V(2, 7));
  EXPECT_EQ(token.For({"l", "m"}).front().applied, V(2, 5));
  token.Observe(KeyRange::All(), V(2, 8));
  EXPECT_EQ(token.ranges().size(), 1u) << "neighbours that say the same are one";
}

TEST(TableToken, RemembersOwnPrimaryWritesUntilTheyAreKnownApplied) {
  TableToken token;
  token.Observe({"a", "m"}, V(3, 10));
  token.Wrote({"a", "m"}, V(3, 11));
  token.Wrote({"a", "m"}, V(3, 12));
  EXPECT_EQ(token.ranges().front().pending_primary, std::vector<Version>{V(3, 12)}) << "one per epoch, the greatest";
  token.Observe({"a", "m"}, V(4, 14));
  EXPECT_EQ(token.ranges().front().pending_primary.size(), 1u)
      << "a later epoch may have rolled it back: the server judges";
  token.Judged(token.ranges(), {"a", "m"}, V(4, 14));
  EXPECT_TRUE(token.ranges().front().pending_primary.empty());
  token.Wrote({"a", "m"}, V(4, 13));
  EXPECT_TRUE(token.ranges().front().pending_primary.empty()) << "applied already";
}

TEST(TableToken, AnAnswerJudgesWhatItsRequestNamedAndNothingElse) {
  TableToken token;
  token.Wrote({"a", "m"}, V(3, 11));
  const std::vector<TokenRange> sent = token.ranges();
  token.Wrote({"a", "m"}, V(3, 12));  // by another call of the session, while the request was under way
  token.Wrote({"a", "m"}, V(2, 9));
  token.Judged(sent, {"a", "m"}, V(4, 14));
  EXPECT_EQ(token.ranges().front().pending_primary, (std::vector<Version>{V(2, 9), V(3, 12)}));
  token.Judged(token.ranges(), {"a", "f"}, V(4, 15));
  EXPECT_TRUE(token.For({"b", "c"}).front().pending_primary.empty());
  EXPECT_EQ(token.For({"g", "h"}).front().pending_primary.size(), 2u) << "the other half has not been judged";
}

TEST(TableToken, AfterALostWriteGoesOnFromWhereTheAnswerSays) {
  TableToken token;
  token.Observe({"a", "m"}, V(3, 10));
  token.Wrote({"a", "m"}, V(3, 20));
  EXPECT_EQ(token.Lost(token.ranges(), {"a", "m"}, V(4, 12)), std::vector<Version>{V(3, 20)});
  const std::vector<TokenRange> expected{{{"a", "m"}, V(4, 12), {}}};
  EXPECT_EQ(token.ranges(), expected);
}

TEST(TableToken, ALostWriteTakesNothingAlongThatTheAnswererCouldNotJudge) {
  TableToken token;
  token.Observe({"a", "m"}, V(5, 40));
  token.Wrote({"a", "m"}, V(3, 20));
  token.Wrote({"a", "m"}, V(5, 50));
  const std::vector<TokenRange> sent = token.ranges();
  token.Wrote({"a", "m"}, V(2, 9));
  EXPECT_EQ(token.Lost(sent, {"a", "m"}, V(5, 30)), std::vector<Version>{V(3, 20)}) << "it lags behind, yet knew this";
  const std::vector<TokenRange> expected{{{"a", "m"}, V(5, 40), {V(2, 9), V(5, 50)}}};
  EXPECT_EQ(token.ranges(), expected);
  // A recovery by hand may lose a version that was seen applied, which sets the session back.
  EXPECT_EQ(token.Lost(token.ranges(), {"a", "m"}, V(6, 35)), (std::vector<Version>{V(2, 9), V(5, 50)}));
  EXPECT_EQ(token.ranges().front().applied, V(6, 35));
}

TEST(TableToken, TooManyPendingEpochsMakeItCoarse) {
  TableToken token;
  for (uint64_t epoch = 1; epoch <= kPendingMax; ++epoch) token.Wrote({"a", "m"}, V(epoch, epoch));
  EXPECT_FALSE(token.coarse());
  token.Wrote({"a", "m"}, V(kPendingMax + 1, 99));
  EXPECT_TRUE(token.coarse());
}

TEST(TableToken, TooManyRangesMakeItCoarse) {
  TableToken token;
  for (size_t i = 0; i <= kSessionRangesMax; ++i) {
    char key[8];
    snprintf(key, sizeof key, "%06zu", i);
    token.Observe({key, KeyAfter(key)}, V(1, i + 1));
  }
  EXPECT_TRUE(token.coarse());
  EXPECT_TRUE(token.ranges().empty());
}

// The positions of one key that a session must not forget.
struct Requirement {
  Version applied;
  std::map<uint64_t, uint64_t> pending;  // by epoch

  void Observe(Version version) {
    applied = std::max(applied, version);
    const auto own = pending.find(version.epoch.value);
    if (own != pending.end() && own->second <= version.lsn.value) pending.erase(own);
  }
  void Wrote(Version version) {
    if (applied.epoch == version.epoch && applied.lsn >= version.lsn) return;
    uint64_t& lsn = pending[version.epoch.value];
    lsn = std::max(lsn, version.lsn.value);
  }
  // Drops the request's versions of the key for which `judged` is true.
  template <class Judged>
  void Answered(const TokenRange& named, Judged judged) {
    for (const Version& own : named.pending_primary) {
      const auto mine = pending.find(own.epoch.value);
      if (judged(own) && mine != pending.end() && mine->second <= own.lsn.value) pending.erase(mine);
    }
  }
};

// The token over a random life, held against a requirement per key: cut, merged, judged by late answers, exported.
class TokenLife {
 public:
  void Step() {
    const KeyRange range = DrawRange();
    const Version version = V(*rc::gen::inRange<uint64_t>(1, 5), *rc::gen::inRange<uint64_t>(1, 30));
    switch (*rc::gen::inRange(0, 7)) {
      case 0:
      case 1:
        token_.Observe(range, version);
        ForKeys(range, [&](Requirement& key, const std::string&) { key.Observe(version); });
        break;
      case 2:
      case 3:
        token_.Wrote(range, version);
        ForKeys(range, [&](Requirement& key, const std::string&) { key.Wrote(version); });
        break;
      case 4: sent_ = token_.For(DrawRange()); break;  // and answered some time later, or never
      case 5: {
        token_.Judged(sent_, range, version);
        ForKeys(range, [&](Requirement& key, const std::string& name) {
          key.Observe(version);
          if (const TokenRange* named = Named(name)) key.Answered(*named, [](const Version&) { return true; });
        });
        break;
      }
      case 6: Lose(range, version); break;
      default: break;
    }
  }
  void Check() const {
    for (size_t i = 1; i < token_.ranges().size(); ++i) {
      RC_ASSERT(!token_.ranges()[i - 1].range.end.empty());
      RC_ASSERT(token_.ranges()[i - 1].range.end <= token_.ranges()[i].range.start);
    }
    for (char c = 'a'; c <= 'z'; ++c) {
      const std::string name(1, c);
      const auto found = token_.For({name, KeyAfter(name)});
      RC_ASSERT(found.size() <= 1u);
      const TokenRange known = found.empty() ? TokenRange{} : found.front();
      const auto expected = keys_.find(name);
      const Requirement required = expected == keys_.end() ? Requirement{} : expected->second;
      RC_ASSERT(known.applied == required.applied);
      RC_ASSERT(known.pending_primary.size() == required.pending.size());
      for (const Version& own : known.pending_primary) RC_ASSERT(required.pending.at(own.epoch.value) == own.lsn.value);
    }
    const auto back = DecodeTokens(EncodeTokens({{TableId{7}, token_}}));
    RC_ASSERT(back.has_value());
    RC_ASSERT(back->at(TableId{7}).coarse() == (token_.ranges().size() > kTokenRangesMax));
    if (!back->at(TableId{7}).coarse()) RC_ASSERT(back->at(TableId{7}).ranges() == token_.ranges());
  }

 private:
  static KeyRange DrawRange() {
    const char low = static_cast<char>('a' + *rc::gen::inRange(0, 20));
    const char high = static_cast<char>(low + *rc::gen::inRange(1, 10));
    return {std::string(1, low), *rc::gen::inRange(0, 8) == 0 ? "" : std::string(1, high)};
  }
  template <class Change>
  void ForKeys(const KeyRange& range, Change change) {
    for (char c = 'a'; c <= 'z'; ++c) {
      const std::string name(1, c);
      if (range.Contains(name)) change(keys_[name], name);
    }
  }
  const TokenRange* Named(const std::string& key) const {
    for (const TokenRange& range : sent_) {
      if (range.range.Contains(key)) return &range;
    }
    return nullptr;
  }
  void Lose(const KeyRange& range, Version at) {
    const auto judged = [&](const Version& one) { return one.lsn <= at.lsn || one.epoch < at.epoch; };
    token_.Lost(sent_, range, at);
    ForKeys(range, [&](Requirement& key, const std::string& name) {
      if (const TokenRange* named = Named(name)) {
        key.Answered(*named, judged);
        if (judged(named->applied) && key.applied <= named->applied) key.applied = at;
      }
      key.Observe(at);
    });
  }

  TableToken token_;
  std::map<std::string, Requirement> keys_;
  std::vector<TokenRange> sent_;
};

TEST(TableToken, LosesNoRequirementOfAnyKey) {
  EXPECT_TRUE(rc::check([] {
    TokenLife life;
    const int steps = *rc::gen::inRange(1, 40);
    for (int i = 0; i < steps; ++i) life.Step();
    life.Check();
  }));
}

TEST(SessionState, ARequestThatTouchesTooManyRangesIsReadAtStrong) {
  SessionState state;
  for (char c = 0; c < 65; ++c) {
    const std::string key(1, static_cast<char>('0' + c));
    state.Update(TableId{1},
                 [&](TableToken& token) { token.Observe({key, KeyAfter(key)}, V(1, static_cast<uint64_t>(c) + 1)); });
  }
  EXPECT_EQ(state.For(TableId{1}, {"0", "9"})->size(), 9u);
  EXPECT_EQ(state.For(TableId{1}, KeyRange::All()), std::nullopt);
  EXPECT_TRUE(state.For(TableId{2}, KeyRange::All())->empty());
}

TEST(SessionTokens, TheTextOfFormatOneStaysReadable) {
  SessionTokens tokens;
  tokens[TableId{4}].Observe({"a", "m"}, V(3, 118));
  tokens[TableId{4}].Wrote({"f", ""}, V(3, 200));
  tokens[TableId{9}].Coarsen();
  const std::string text = "AQIEBAFhAWYDdgABZgFtA3YBA8gBAW0AAAABA8gBCQA";
  EXPECT_EQ(EncodeTokens(tokens), text);
  const auto back = DecodeTokens(text);
  ASSERT_TRUE(back.has_value()) << back.error();
  EXPECT_EQ(back->at(TableId{4}).ranges(), tokens[TableId{4}].ranges());
  EXPECT_TRUE(back->at(TableId{9}).coarse());
  // A later format is refused by its name.
  const std::string later = "Ag" + text.substr(2);
  EXPECT_NE(DecodeTokens(later).error().message().find("format 2"), std::string::npos) << DecodeTokens(later).error();
}

TEST(SessionTokens, TextIsPrintableAndComesBack) {
  SessionTokens tokens;
  tokens[TableId{4}].Observe({"a", std::string("m\0\xff", 3)}, V(300, 70000));
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
    tokens[TableId{1}].Observe({key, KeyAfter(key)}, V(1, static_cast<uint64_t>(c) + 1));
  }
  const auto back = DecodeTokens(EncodeTokens(tokens));
  ASSERT_TRUE(back.has_value());
  EXPECT_TRUE(back->at(TableId{1}).coarse());
}

TEST(SessionTokens, RefusesWhatItDidNotMake) {
  for (const char* text : {"", "!!!", "AQ", "Ag", "AQEHBQ", "hello world", "AQD_"}) {
    EXPECT_EQ(DecodeTokens(text).error().code(), Code::kInvalidArgument) << text;
  }
  const bool held = rc::check([](const std::string& noise) { (void)DecodeTokens(noise); });  // no input crashes
  EXPECT_TRUE(held);
  SessionTokens tokens;
  tokens[TableId{4}].Observe({"a", "m"}, V(3, 7));
  std::string text = EncodeTokens(tokens);
  text.pop_back();
  EXPECT_FALSE(DecodeTokens(text).has_value());
}

}  // namespace
}  // namespace ebla::client
