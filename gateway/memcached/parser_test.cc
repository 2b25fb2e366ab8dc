#include "gateway/memcached/parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "functions/memcached/numbers.h"
#include "gateway/memcached/meta_parser.h"

namespace ebla::gateway::memcached {
namespace {

using namespace std::string_literals;

std::string Shown(const Request& request) {
  std::string text = kVerbNames[static_cast<size_t>(request.verb)];
  for (const std::string& key : request.keys) text += " key=" + EscapeBytes(key);
  text += " flags=" + std::to_string(request.flags) + " exptime=" + std::to_string(request.exptime) +
          " cas=" + std::to_string(request.cas) + " delta=" + std::to_string(request.delta) +
          " value=" + std::to_string(request.value.size()) + ":" + EscapeBytes(request.value.substr(0, 40)) +
          " text=" + request.text;
  for (const MetaFlags::Flag& flag : request.meta.all) text += " " + std::string(1, flag.name) + "=" + flag.token;
  if (request.noreply) text += " noreply";
  if (request.too_large) text += " too_large";
  if (request.failed) text += " failed";
  if (request.quit) text += " quit";
  return text + "\n";
}

// The requests of bytes that arrive in pieces of these sizes, which repeat.
std::string Parse(std::string_view bytes, const std::vector<size_t>& pieces) {
  Parser parser;
  std::string held, shown;
  for (size_t turn = 0; !bytes.empty(); ++turn) {
    const size_t size = std::min(std::max<size_t>(pieces[turn % pieces.size()], 1), bytes.size());
    held.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    while (!held.empty()) {
      Parser::Parsed parsed = parser.Next(held);
      EXPECT_LE(parsed.bytes, held.size());
      if (parsed.request) shown += Shown(*parsed.request);
      if (parsed.end) return shown + "END\n";
      if (parsed.bytes == 0) {
        EXPECT_FALSE(parsed.request.has_value());
        break;
      }
      held.erase(0, parsed.bytes);
    }
  }
  return shown + "left: " + std::to_string(held.size()) + "\n";
}

std::string Whole(std::string_view bytes) { return Parse(bytes, {bytes.size()}); }

const std::string kSession =
    "get a\r\nget a b  c\r\ngets a\nset k 5 60 5\r\nhello\r\nset k 0 0 4 noreply\r\n\r\n\r\n\r\nadd k 1 2 0\r\n\r\n"
    "cas k 1 2 3 99\r\nabc\r\nset k 0 0 3\r\nabcdef\r\nappend k 0 0 1\r\nx\r\nincr n 5\r\ndecr n 7 noreply\r\n"
    "delete k\r\ndelete k 0\r\ndelete k 5\r\ntouch k 10\r\ngat 10 a b\r\nflush_all\r\nflush_all 10 noreply\r\n"
    "verbosity 1\r\nversion\r\nstats\r\nstats settings\r\nbogus\r\n\r\nget " +
    std::string(251, 'k') + "\r\nset big 0 0 2000000\r\n" + std::string(2'000'000, 'x') +
    "\r\nmg k s v t O12 q\r\nms k 2 T9 F3 I\r\nhi\r\nms k 2 S\r\nhi\r\nmd aGk= b q\r\nma n N0 J13 D2\r\nmn\r\nme k\r\n"
    "set last 0 0 1\r\n\0\r\nquit\r\nget after\r\n"s;

TEST(Parser, CutsASession) {
  const std::string shown = Whole(kSession);
  for (const char* line :
       {"get key=a key=b key=c flags=0", "set key=k flags=5 exptime=60 cas=0 delta=0 value=5:hello text=\n",
        "value=4:\\x0d\\x0a\\x0d\\x0a text= noreply\n", "cas key=k flags=1 exptime=2 cas=99 delta=0 value=3:abc",
        "text=CLIENT_ERROR bad data chunk failed\nother flags=0 exptime=0 cas=0 delta=0 value=0: text=ERROR failed\n",
        "decr key=n flags=0 exptime=0 cas=0 delta=7 value=0: text= noreply", "gat key=a key=b flags=0 exptime=10",
        "set key=big flags=0 exptime=0 cas=0 delta=0 value=0: text= too_large\nmeta_get key=k", "s= v= t= O=12 q=\n",
        "meta_delete key=hi flags=0", "text=MN\n", "text= noreply quit\nget key=after"})
    EXPECT_TRUE(shown.contains(line)) << line << "\nin\n" << shown;
}

TEST(Parser, HoweverTheBytesAreCutUp) {
  const std::string session = kSession.substr(0, kSession.find("set big"));
  const std::string whole = Whole(session);
  EXPECT_EQ(Parse(session, {1}), whole);
  for (size_t cut = 1; cut < session.size(); ++cut) ASSERT_EQ(Parse(session, {cut, session.size()}), whole) << cut;
  const std::string all = Whole(kSession);
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<size_t> pieces(7);
    for (size_t& piece : pieces) piece = 1 + random() % (seed % 2 == 0 ? 100 : 100'000);
    ASSERT_EQ(Parse(kSession, pieces), all) << "seed " << seed;
  }
  EXPECT_EQ(Parse(kSession, {1}), all);
}

TEST(Parser, TakesWhateverComes) {
  constexpr std::string_view kWords[] = {
      "get",       "set", " ",    " ",   "\r\n",      "\n",    "a",   "0",       "1", "-1", "99999999999999999999",
      "ms",        "mg",  "ma",   "md",  "me",        "mn",    "cas", "noreply", "b", "v",  "O",
      "T",         "\0",  "incr", "gat", "flush_all", "stats", "MN",  "k",       "=", "C5", "S",
      "4294967296"};
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    std::mt19937_64 random(seed);
    std::string bytes;
    for (int i = 0; i < 60; ++i) {
      if (random() % 8 == 0) {
        bytes.push_back(static_cast<char>(random()));
      } else {
        bytes.append(kWords[random() % std::size(kWords)]);
        if (random() % 3 != 0) bytes.push_back(' ');
      }
      if (random() % 6 == 0) bytes.append("\r\n");
    }
    const std::string whole = Whole(bytes);
    ASSERT_EQ(Parse(bytes, {1 + random() % 9, 1 + random() % 5}), whole) << "seed " << seed;
  }
}

TEST(Parser, ALineWithoutAnEndEndsTheConnection) {
  EXPECT_EQ(Whole(std::string(2047, 'x')), "left: 2047\n");
  EXPECT_EQ(Whole(std::string(2049, 'x')), "END\n");
  EXPECT_EQ(Whole(std::string(3000, 'x') + "\r\n"), "END\n");
  EXPECT_TRUE(Parser().Next(std::string(2049, 'x')).fault.contains("2048 bytes"));
  std::string keys = "get";
  for (int i = 0; i < 20'000; ++i) keys += " key" + std::to_string(i);
  EXPECT_TRUE(Whole(keys + "\r\n").contains("key=key19999"));
  for (const std::string& end : {""s, "\r\n"s}) {
    const std::string shown = Whole("get " + std::string(256 * 1024, 'x') + end);
    EXPECT_TRUE(shown.contains("text=CLIENT_ERROR line too long failed\nEND\n")) << shown;
  }
  EXPECT_TRUE(Parser().Next("get " + std::string(256 * 1024, 'x')).fault.contains("256 KiB"));
  EXPECT_EQ(Parser().Next("quit\r\n").fault, "");
}

TEST(Parser, ALineOfHttpEndsTheConnectionAndNothingRunsBehindIt) {
  for (const char* line : {"GET / HTTP/1.1", "POST / HTTP/1.1", "post", "Host: x", "HOST: x", "OPTIONS * HTTP/1.1",
                           "get /a HTTP/1.1", "delete /a HTTP/1.1", "foo bar x y HTTP/1.1"}) {
    const std::string request = "version\r\n" + std::string(line) + "\r\nset web 0 0 1\r\n1\r\nflush_all\r\n";
    const std::string shown = Whole(request);
    EXPECT_TRUE(shown.ends_with("text=VERSION 1.6.18\nEND\n")) << line << ": " << shown;
    for (size_t cut = 1; cut < request.size(); ++cut) EXPECT_EQ(Parse(request, {cut, request.size()}), shown);
  }
  EXPECT_TRUE(Whole("set a 0 0 4\r\nPOST\r\n").contains("value=4:POST"));
}

TEST(Parser, TheBinaryProtocolIsKnownByItsFirstByte) {
  EXPECT_EQ(Whole("\x80\x0a\0\0"s), "END\n");
  EXPECT_TRUE(Parser().Next("\x80\x0a\0\0"s).fault.contains("binary protocol"));
  const std::string shown = Whole("version\r\n\x80\r\nversion\r\n");
  EXPECT_EQ(std::ranges::count(shown, '\n'), 4) << shown;
  EXPECT_TRUE(shown.contains("text=ERROR failed\n")) << "a line as any other" << shown;
}

TEST(Parser, HoldsNoValueThatIsTooLarge) {
  Parser parser;
  const std::string head = "set k 0 0 2147483645\r\n";
  EXPECT_TRUE(parser.Next(head).request->too_large);
  const std::string part(1 << 20, 'x');
  uint64_t left = 2147483645ull + 2;
  while (left > 0) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(left, part.size()));
    ASSERT_EQ(parser.Next(std::string_view(part).substr(0, size)).bytes, size);
    left -= size;
  }
  EXPECT_EQ(parser.Next("version\r\n").request->text, "VERSION 1.6.18");
}

TEST(Parser, CommandsOfWhatThereIsNotAreUnknown) {
  for (const char* line : {"lru mode flat", "slabs reassign 1 2", "watch fetchers", "cache_memlimit 64", "shutdown",
                           "lru_crawler enable", "extstore free_memchunks 1 1", "refresh_certs"})
    EXPECT_TRUE(Whole(line + "\r\n"s).contains("text=ERROR failed\n")) << line;
}

TEST(Parser, ALengthBeyond31BitsIsRefused) {
  for (const char* line : {"set a 0 0 99999999999", "set a 0 0 2147483646", "touch a 99999999999999999999"})
    EXPECT_TRUE(Whole(line + "\r\n"s).contains("text=CLIENT_ERROR")) << line;
}

TEST(Numbers, AreReadAsStrtoullDoes) {
  EXPECT_EQ(ReadUnsigned("0"), 0u);
  EXPECT_EQ(ReadUnsigned("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(ReadUnsigned("18446744073709551616"), std::nullopt);
  EXPECT_EQ(ReadUnsigned(" 42"), 42u);
  EXPECT_EQ(ReadUnsigned("+5"), 5u);
  EXPECT_EQ(ReadUnsigned("007"), 7u);
  EXPECT_EQ(ReadUnsigned("12 a"), 12u);
  for (const char* text : {"", " ", "-1", "x", "5x", "0x5", "+", "-", "1.5"})
    EXPECT_EQ(ReadUnsigned(text), std::nullopt) << text;
  EXPECT_EQ(ReadTime("4294967295"), -1);
  EXPECT_EQ(ReadTime("4294967300"), 4);
  EXPECT_EQ(ReadTime("2147483648"), INT32_MIN);
  EXPECT_EQ(ReadTime("-4294967295"), 1);
  EXPECT_EQ(ReadTime("9223372036854775807"), -1);
  EXPECT_EQ(ReadTime("9223372036854775808"), std::nullopt);
  EXPECT_EQ(ReadSigned("-2147483648"), INT32_MIN);
  EXPECT_EQ(ReadSigned("2147483647"), INT32_MAX);
  EXPECT_EQ(ReadSigned("2147483648"), std::nullopt);
  EXPECT_EQ(ReadSigned("-2147483649"), std::nullopt);
}

TEST(Numbers, TimesMeanWhatMemcachedSays) {
  constexpr int64_t kNow = 1'700'000'000'000;
  using Kind = Lifetime::Kind;
  EXPECT_EQ(LifetimeOf(0, kNow).kind, Kind::kForever);
  EXPECT_EQ(LifetimeOf(-1, kNow).kind, Kind::kGone);
  EXPECT_EQ(LifetimeOf(1, kNow).EndFrom(kNow), kNow + 1'000);
  EXPECT_EQ(LifetimeOf(2'592'000, kNow).EndFrom(kNow), kNow + 2'592'000'000) << "30 days";
  EXPECT_EQ(LifetimeOf(2'592'001, kNow).kind, Kind::kGone) << "in 1970";
  EXPECT_EQ(LifetimeOf(1'700'000'005, kNow).EndFrom(kNow), 1'700'000'005'000);
  EXPECT_EQ(LifetimeOf(2'147'483'647, kNow).EndFrom(kNow), 2'147'483'647'000) << "2038";
  EXPECT_EQ(SecondsLeft(std::nullopt, kNow), -1);
  EXPECT_EQ(SecondsLeft(kNow + 1, kNow), 1);
  EXPECT_EQ(SecondsLeft(kNow + 5000, kNow), 5);
  EXPECT_EQ(PaddedNumber(9, 2), "9 ");
  EXPECT_EQ(PaddedNumber(100, 2), "100");
}

TEST(MetaParser, Base64) {
  EXPECT_EQ(FromBase64("YQ=="), "a");
  EXPECT_EQ(FromBase64("YWI="), "ab");
  EXPECT_EQ(FromBase64("YWJj"), "abc");
  EXPECT_EQ(FromBase64("AP/+"), "\0\xff\xfe"s);
  for (const char* text : {"", "a", "a=", "YQ=", "Y===", "Y Q=", "====", "YQ==YQ=="})
    EXPECT_EQ(FromBase64(text), std::nullopt) << text;
}

}  // namespace
}  // namespace ebla::gateway::memcached
