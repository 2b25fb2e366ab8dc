// The meta commands over a store in memory.
#include <gtest/gtest.h>

#include "gateway/testing/memcached_fixture.h"

namespace ebla::gateway::memcached {
namespace {

using namespace std::string_literals;
using std::chrono::seconds;

class MetaCommandsTest : public MemcachedTest {
 protected:
  // The number behind the flag c of a reply.
  static uint64_t CasIn(const std::string& reply) {
    const size_t at = reply.find(" c");
    EXPECT_NE(at, std::string::npos) << reply;
    return at == std::string::npos ? 0 : std::stoull(reply.substr(at + 2));
  }
};

TEST_P(MetaCommandsTest, GetAnswersWhatIsAskedFor) {
  EXPECT_EQ(Store("ms a 5 F3 T100", "hello"), "HD\r\n");
  EXPECT_EQ(Line("mg a"), "HD\r\n");
  EXPECT_EQ(Line("mg a s v t f k O12 q"), "VA 5 s5 t100 f3 ka O12\r\nhello\r\n");
  EXPECT_EQ(Line("mg a u h l v"), "VA 5\r\nhello\r\n") << "h and l are left out";
  EXPECT_EQ(Line("mg b v k O1"), "EN kb O1\r\n");
  EXPECT_EQ(Line("mg b v q"), "");
  EXPECT_EQ(Line("mg YQ== b k v"), "VA 5 kYQ== b\r\nhello\r\n");
  EXPECT_EQ(Line("mn"), "MN\r\n");
  EXPECT_EQ(Line("me a"), "ME a exp=100 cas=" + std::to_string(CasNumber("a")) + " size=6\r\n");
  EXPECT_EQ(Line("me b"), "EN\r\n");
}

TEST_P(MetaCommandsTest, WhatIsWrongIsSaidInMemcachedsWords) {
  EXPECT_EQ(Line("mg a v v"), "CLIENT_ERROR duplicate flag\r\n");
  EXPECT_EQ(Line("mg a x"), "CLIENT_ERROR invalid flag\r\n");
  EXPECT_EQ(Line("md a x"), "CLIENT_ERROR invalid or duplicate flag\r\n");
  EXPECT_EQ(Line("ma a Mx"), "CLIENT_ERROR invalid mode for ma M token\r\n");
  EXPECT_EQ(Line("mg a Tx"), "CLIENT_ERROR bad token in command line format\r\n");
  EXPECT_EQ(Line("mg a= b"), "CLIENT_ERROR error decoding key\r\n");
  EXPECT_EQ(Line("mg a O" + std::string(32, 'x')), "CLIENT_ERROR opaque token too long\r\n");
  EXPECT_EQ(Store("ms a 2 S", "hi"), "CLIENT_ERROR invalid flag\r\n") << "and the value is passed over";
  EXPECT_EQ(Store("ms a 2 MX", "hi"), "CLIENT_ERROR invalid mode for ms M token\r\n");
  EXPECT_EQ(Line("mx"), "ERROR\r\n");
}

TEST_P(MetaCommandsTest, SetHasItsModes) {
  EXPECT_EQ(Store("ms a 1 MR", "x"), "NS\r\n");
  EXPECT_EQ(Store("ms a 1 MA", "x"), "NS\r\n");
  EXPECT_EQ(Store("ms a 1 ME", "x"), "HD\r\n");
  EXPECT_EQ(Store("ms a 1 ME k O7", "x"), "NS ka O7\r\n");
  EXPECT_EQ(Store("ms a 1 MA q", "y"), "");
  EXPECT_EQ(Store("ms a 1 MP", "w"), "HD\r\n");
  EXPECT_EQ(Value("a"), "wxy");
  EXPECT_EQ(Store("ms a 1 MS", "z"), "HD\r\n");
  const uint64_t cas = CasIn(Line("mg a c"));
  EXPECT_EQ(Store("ms a 1 C" + std::to_string(cas - 1), "1"), "EX\r\n");
  EXPECT_EQ(Store("ms a 1 MA C" + std::to_string(cas - 1), "1"), "EX\r\n");
  EXPECT_EQ(Store("ms b 1 C5", "1"), "NF\r\n");
  const std::string reply = Store("ms a 1 c C" + std::to_string(cas), "1");
  EXPECT_TRUE(reply.starts_with("HD c")) << reply;
  EXPECT_EQ(CasIn(reply), CasNumber("a"));
}

TEST_P(MetaCommandsTest, AStaleItemIsMadeAnewByOne) {
  Store("ms a 3 F2 T100", "old");
  EXPECT_EQ(Line("md a I T30"), "HD\r\n");
  EXPECT_EQ(Line("mg a v t f"), "VA 3 t30 f2 X W\r\nold\r\n");
  EXPECT_EQ(Line("mg a v t f"), "VA 3 t30 f2 Z X\r\nold\r\n");
  EXPECT_EQ(Value("a"), "old");
  EXPECT_EQ(Store("ms a 3", "new"), "HD\r\n");
  EXPECT_EQ(Line("mg a v f"), "VA 3 f0\r\nnew\r\n");
}

TEST_P(MetaCommandsTest, AStaleItemStaysStaleWhenItIsCounted) {
  Store("ms n 1", "9");
  Line("md n I");
  EXPECT_EQ(Line("incr n 1"), "10\r\n");
  EXPECT_EQ(Line("mg n v"), "VA 2 X W\r\n10\r\n");
}

TEST_P(MetaCommandsTest, TheWinnersCasIsGoodForItsSet) {
  Store("ms a 3", "old");
  Line("md a I");
  const uint64_t cas = CasIn(Line("mg a v c"));
  EXPECT_EQ(Line("mg a v"), "VA 3 Z X\r\nold\r\n");
  EXPECT_EQ(Store("ms a 3 C" + std::to_string(cas), "new"), "HD\r\n");
  EXPECT_EQ(Line("mg a v"), "VA 3\r\nnew\r\n");
}

// A set that began before the item was marked as stale is taken, and stays stale.
TEST_P(MetaCommandsTest, AnOlderCasIsTakenWithI) {
  Store("ms a 3 T100", "old");
  const uint64_t cas = CasIn(Line("mg a c"));
  Line("md a I");
  EXPECT_EQ(Store("ms a 3 C" + std::to_string(cas), "new"), "EX\r\n");
  EXPECT_EQ(Store("ms a 3 I C" + std::to_string(cas), "new"), "HD\r\n");
  EXPECT_EQ(Line("mg a v t"), "VA 3 t100 X W\r\nnew\r\n");
  EXPECT_EQ(Store("ms a 3 I C" + std::to_string(cas + 1'000'000), "no!"), "EX\r\n") << "newer than the item";
}

TEST_P(MetaCommandsTest, IWithCasChangesOnlyWhatASetWould) {
  EXPECT_EQ(Store("ms a 3 ME I C999", "new"), "HD\r\n") << "add passes the cas over";
  EXPECT_EQ(Store("ms a 3 ME I C999", "no!"), "NS\r\n");
  EXPECT_EQ(Store("ms a 1 MA I C1", "x"), "EX\r\n");
  EXPECT_EQ(Store("ms a 1 MP I C1", "x"), "EX\r\n");
  EXPECT_EQ(Store("ms a 3 I C0", "no!"), "EX\r\n");
  EXPECT_EQ(Line("mg a v"), "VA 3\r\nnew\r\n");
}

TEST_P(MetaCommandsTest, ACasOf0IsNoneWhereMemcachedTakesItSo) {
  Store("ms a 3", "new");
  EXPECT_EQ(Store("ms a 1 MA C0", "x"), "HD\r\n");
  EXPECT_EQ(Store("ms a 1 MP C0", "y"), "HD\r\n");
  EXPECT_EQ(Store("ms a 1 MA I C0", "z"), "HD\r\n");
  EXPECT_EQ(Value("a"), "ynewxz");
  EXPECT_EQ(Store("ms none 1 MA C0", "x"), "NS\r\n");
  Store("ms n 1", "5");
  EXPECT_EQ(Line("ma n C0 v"), "VA 1\r\n6\r\n");
  for (const char* line : {"ms a 1 C0", "ms a 1 MR C0"}) EXPECT_EQ(Store(line, "q"), "EX\r\n") << line;
  EXPECT_EQ(Line("md a C0"), "EX\r\n");
}

TEST_P(MetaCommandsTest, OfNAndTTheLastOneSaysHowLongANewItemLives) {
  for (const char* command : {"mg", "ma"}) {
    const std::string with = command + " "s;
    EXPECT_TRUE(Line(with + command + "1 N30 T60 t").starts_with("HD t60")) << command;
    EXPECT_TRUE(Line(with + command + "2 T60 N30 t").starts_with("HD t30")) << command;
    EXPECT_TRUE(Line("mg "s + command + "1 t").starts_with("HD t60")) << command;
    EXPECT_TRUE(Line("mg "s + command + "2 t").starts_with("HD t30")) << command;
  }
  EXPECT_EQ(Line("mg none T60"), "EN\r\n");
  EXPECT_EQ(Line("ma none T60"), "NF\r\n");
}

// Otherwise two clients may be told to make an item, because neither sees that another one was told.
TEST_P(MetaCommandsTest, AGetThatMayChangeSeesTheLatest) {
  Store("ms a 3 T100", "abc");
  for (const char* line : {"mg a v", "mg a v t c k"}) {
    Line(line);
    EXPECT_EQ(store_.freshness(), Freshness::kAsConfigured) << line;
  }
  for (const char* line : {"mg a R5", "mg a N5", "mg none T5"}) {
    if (GetParam() && line == "mg none T5"s) continue;  // is no read
    Line(line);
    EXPECT_EQ(store_.freshness(), Freshness::kLatest) << line;
    Line("mg a v");
  }
}

TEST_P(MetaCommandsTest, AMissIsVivifiedForOne) {
  EXPECT_EQ(Line("mg a s v t N30"), "VA 0 s0 t-1 W\r\n\r\n");
  EXPECT_EQ(Line("mg a s v t N30"), "VA 0 s0 t30 Z\r\n\r\n");
  EXPECT_EQ(Value("a"), "");
  EXPECT_EQ(Store("ms a 3", "abc"), "HD\r\n");
  EXPECT_EQ(Line("mg a v N30"), "VA 3\r\nabc\r\n");
  Line("mg b N30");
  store_.Advance(seconds(30));
  EXPECT_EQ(Line("mg b"), "EN\r\n");
}

TEST_P(MetaCommandsTest, ALifeThatEndsSoonIsRecachedByOne) {
  Store("set r 0 100 1", "a");
  EXPECT_EQ(Line("mg r t R30"), "HD t100\r\n");
  store_.Advance(std::chrono::milliseconds(5));
  EXPECT_EQ(Line("mg r t R100"), "HD t100\r\n") << "in whole seconds";
  EXPECT_EQ(Line("mg r t R200"), "HD t100 W\r\n");
  EXPECT_EQ(Line("mg r t R200"), "HD t100 Z\r\n");
  EXPECT_EQ(Line("mg r T10 t"), "HD t10 Z\r\n");
  EXPECT_EQ(Line("mg r t T50"), "HD t10 Z\r\n") << "in the order of the flags";
  EXPECT_EQ(Line("mg r t"), "HD t50 Z\r\n");
  EXPECT_EQ(Line("mg r T-1 v"), "VA 1 Z\r\na\r\n");
  EXPECT_EQ(Line("mg r"), "EN\r\n");
}

// Like memcached 1.6.18, which carries out flag by flag.
TEST_P(MetaCommandsTest, RecacheIsJudgedByTheLifeThatTheFlagsBeforeItGave) {
  const auto after = [&](const std::string& flags, const std::string& ttl) {
    Store("ms r 1 T" + ttl, "a");
    return Line("mg r " + flags);
  };
  EXPECT_EQ(after("T10 R30", "100"), "HD W\r\n");
  EXPECT_EQ(after("R30 T10", "100"), "HD\r\n");
  EXPECT_EQ(after("T100 R30", "5"), "HD\r\n");
  EXPECT_EQ(after("R30 T100", "5"), "HD W\r\n");
  EXPECT_EQ(after("T10 R30", "0"), "HD W\r\n");
  EXPECT_EQ(after("T0 R30", "5"), "HD\r\n") << "it lives for ever";
  EXPECT_EQ(after("T30 R30", "5"), "HD\r\n") << "no less is left";
  EXPECT_EQ(after("T-1 R30 t", "100"), "HD t0 W\r\n") << "nothing is left";
  EXPECT_EQ(Line("mg r"), "EN\r\n");
}

TEST_P(MetaCommandsTest, Deletes) {
  Store("set a 0 0 1", "x");
  EXPECT_EQ(Line("md a C1 k"), "EX ka\r\n");
  EXPECT_EQ(Line("md a I C1"), "EX\r\n");
  EXPECT_EQ(Line("md a q C" + std::to_string(CasNumber("a"))), "");
  EXPECT_EQ(Line("md a q O5"), "NF O5\r\n");
  EXPECT_EQ(Line("md a C1"), "NF\r\n");
  EXPECT_EQ(Line("md a I"), "NF\r\n");
}

TEST_P(MetaCommandsTest, Counts) {
  EXPECT_EQ(Line("ma n"), "NF\r\n");
  EXPECT_EQ(Line("ma n q k O1"), "NF kn O1\r\n");
  EXPECT_EQ(Line("ma n N100 J13 v t q"), "VA 2 t100\r\n13\r\n");
  EXPECT_EQ(Line("ma n N100 J13 v"), "VA 2\r\n14\r\n");
  EXPECT_EQ(Line("ma n v q"), "");
  EXPECT_EQ(Line("ma n D10 v"), "VA 2\r\n25\r\n");
  EXPECT_EQ(Line("ma n MD D3 v"), "VA 2\r\n22\r\n");
  EXPECT_EQ(Line("ma n M- D30 v"), "VA 1\r\n0\r\n");
  EXPECT_EQ(Line("ma n T30 t v"), "VA 1 t30\r\n1\r\n");
  EXPECT_EQ(Line("ma n C1 v"), "EX\r\n");
  const std::string reply = Line("ma n c");
  EXPECT_EQ(CasIn(reply), CasNumber("n"));
  EXPECT_EQ(Line("ma n v C" + std::to_string(CasNumber("n"))), "VA 1\r\n3\r\n");
  Store("set x 0 0 1", "x");
  EXPECT_EQ(Line("ma x C1"), "EX\r\n");
  EXPECT_EQ(Line("ma x q"), "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
}

// Memcached behaves so, too: the number belongs to the count, though no client sees that item any more.
TEST_P(MetaCommandsTest, ACountThatIsGoneAtOnceHasACasOfItsOwn) {
  Store("ms n 1", "5");
  const uint64_t before = CasNumber("n");
  const uint64_t after = CasIn(Line("ma n T-1 v c"));
  // An item that is read and then deleted has no number of its own.
  EXPECT_EQ(after > before, GetParam()) << before << " " << after;
  EXPECT_EQ(Line("mg n"), "EN\r\n");
}

INSTANTIATE_TEST_SUITE_P(, MetaCommandsTest, ::testing::Bool(),
                         [](const auto& functions) { return functions.param ? "WithFunctions" : "WithoutFunctions"; });

}  // namespace
}  // namespace ebla::gateway::memcached
