#include "tools/ebla/format/parse.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "tools/ebla/format/record_lines.h"
#include "tools/ebla/verbs/split_points.h"

namespace ebla::shell {
namespace {

using std::chrono::milliseconds;

TEST(Parse, Durations) {
  EXPECT_EQ(ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(ParseDuration("30m"), milliseconds(1'800'000));
  EXPECT_EQ(ParseDuration("1h30m"), milliseconds(5'400'000));
  EXPECT_EQ(ParseDuration("7d"), milliseconds(604'800'000));
  EXPECT_EQ(ParseDuration("0"), milliseconds(0));
  for (const char* wrong :
       {"", "5", "s", "-1s", "1 s", "1x", "1s2", "1.5s", "99999999999999999999x", "9223372036854775807d 1s"}) {
    const auto parsed = ParseDuration(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().code(), Code::kInvalidArgument);
    EXPECT_NE(parsed.error().message().find("30m"), std::string::npos) << "says what may be written";
  }
  for (const char* too_long : {"99999999999999999999s", "9223372036854775807d", "100000000000000d", "52124995d24h"}) {
    const auto parsed = ParseDuration(too_long);
    ASSERT_FALSE(parsed) << too_long;
    EXPECT_EQ(parsed.error().message(),
              "\"" + std::string(too_long) + "\" is too long: the largest duration is 52124995d");
  }
  EXPECT_EQ(ParseDuration("52124995d"), milliseconds(52'124'995 * 86'400'000ll));
  for (const int64_t ms : {0ll, 1ll, 999ll, 1000ll, 5'400'000ll, 604'800'000ll, 86'461'001ll}) {
    EXPECT_EQ(ParseDuration(FormatDuration(milliseconds(ms))), milliseconds(ms));
  }
}

TEST(Parse, Sizes) {
  EXPECT_EQ(ParseBytes("4096"), 4096u);
  EXPECT_EQ(ParseBytes("64KiB"), 65536u);
  EXPECT_EQ(ParseBytes("8G"), 8ull << 30);
  for (const char* wrong : {"", "K", "-1", "1.5G", "8 GiB", "9999999999T", "1Kib"})
    EXPECT_FALSE(ParseBytes(wrong)) << wrong;
  EXPECT_EQ(FormatBytes(512), "512 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
}

TEST(Parse, Levels) {
  EXPECT_EQ(ParseAck("majority"), Ack::kMajority);
  EXPECT_EQ(ParseAck("any"), Ack::kAny);
  EXPECT_FALSE(ParseAck("MAJORITY"));
  EXPECT_FALSE(ParseAck(""));
  EXPECT_EQ(ParseRead("strong"), Read::Strong());
  EXPECT_EQ(ParseRead("bounded=2s"), Read::Bounded(milliseconds(2000)));
  EXPECT_EQ(ParseRead("session"), Read::InSession());
  for (const char* wrong : {"", "bounded", "bounded=", "bounded=0", "bounded=2h", "bounded=soon", "Strong"}) {
    EXPECT_FALSE(ParseRead(wrong)) << wrong;
  }
  EXPECT_EQ(FormatRead(Read::Bounded(milliseconds(2500))), "bounded=2s500ms");
}

TEST(Parse, Versions) {
  EXPECT_EQ(ParseVersion("3.118"), (Version{Epoch{3}, Lsn{118}}));
  for (const char* wrong : {"", "3", "3.", ".1", "3.118x", "3.0", "a.b", "-1.2"})
    EXPECT_FALSE(ParseVersion(wrong)) << wrong;
}

TEST(Parse, WordsOfALine) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(*SplitWords(R"(put carts user42 '{"items": 3}' --ttl 30m)"),
            (Words{"put", "carts", "user42", R"({"items": 3})", "--ttl", "30m"}));
  EXPECT_EQ(*SplitWords(R"(put t "a \"b\"" c\ d \x00)"), (Words{"put", "t", R"(a "b")", "c d", R"(\x00)"}));
  EXPECT_EQ(*SplitWords("  get\tt k # a comment"), (Words{"get", "t", "k"}));
  EXPECT_EQ(*SplitWords("get t k#1"), (Words{"get", "t", "k#1"}));
  EXPECT_EQ(*SplitWords("put t '' \"\""), (Words{"put", "t", "", ""}));
  EXPECT_TRUE(SplitWords("")->empty());
  EXPECT_TRUE(SplitWords("# nothing")->empty());
  EXPECT_FALSE(SplitWords("put t 'open"));
  EXPECT_TRUE(rc::check([](const std::string& noise) { (void)SplitWords(noise); }));
}

TEST(Parse, Lists) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(*ParseList("f,m,t"), (Words{"f", "m", "t"}));
  EXPECT_EQ(*ParseList(R"(a\,b,\x00,c)"), (Words{"a,b", std::string(1, '\0'), "c"}));
  EXPECT_FALSE(ParseList(R"(a\q)"));
}

TEST(Parse, Base64) {
  EXPECT_TRUE(rc::check([](const std::string& bytes) {
    const auto back = FromBase64(ToBase64(bytes));
    RC_ASSERT(back.has_value() && *back == bytes);
  }));
  EXPECT_EQ(ToBase64("any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
  EXPECT_FALSE(FromBase64("abc"));
  EXPECT_FALSE(FromBase64("a=bc"));
}

std::vector<Result<LoadedRecord>> ReadAll(const std::string& file, LineFormat format) {
  std::istringstream input(file);
  RecordReader reader(input, format);
  EXPECT_TRUE(reader.Begin().ok());
  std::vector<Result<LoadedRecord>> records;
  while (auto record = reader.Next()) records.push_back(*std::move(record));
  return records;
}

TEST(RecordLines, ComeBackFromEveryFormat) {
  EXPECT_TRUE(rc::check([](const std::vector<std::pair<std::string, std::string>>& records) {
    for (const LineFormat format : {LineFormat::kJson, LineFormat::kTsv, LineFormat::kCsv}) {
      std::vector<Row> rows;
      std::string file = FileHead(format);
      for (const auto& [key, value] : records) {
        Row row{"k" + key.substr(0, 100), {value, {}, {}}};
        if (value.size() % 2 == 1) row.record.expires = Expiry(milliseconds(1'790'000'000'000));
        file += FormatRecord(row, format);
        rows.push_back(std::move(row));
      }
      const auto back = ReadAll(file, format);
      RC_ASSERT(back.size() == rows.size());
      for (size_t i = 0; i < rows.size(); ++i) {
        RC_ASSERT(back[i].has_value());
        RC_ASSERT(back[i]->key == rows[i].key && back[i]->value == rows[i].record.value);
        RC_ASSERT(back[i]->expires == rows[i].record.expires);
      }
    }
  }));
}

TEST(RecordLines, SayWhatIsWrong) {
  const auto why = [](const std::string& line, LineFormat format) {
    const auto records = ReadAll(line, format);
    return records.empty() || records[0] ? std::string("nothing") : records[0].error().message();
  };
  EXPECT_EQ(why("{\"key\": \"a\"}", LineFormat::kJson), "\"value\" is missing");
  EXPECT_EQ(why("{\"key\": 5, \"value\": \"\"}", LineFormat::kJson), "\"key\" is not a string");
  EXPECT_EQ(why("[1]", LineFormat::kJson), "the line is not a JSON object");
  EXPECT_EQ(why("{", LineFormat::kJson), "the line is not a JSON object");
  EXPECT_EQ(why("just a key", LineFormat::kTsv), "there is no tab between key and value");
  EXPECT_EQ(why("a\tb\tsoon", LineFormat::kTsv), "expires_at_ms is not a whole number");
  EXPECT_EQ(why("a\tb\t0", LineFormat::kTsv), "expires_at_ms is 0; it must be 1 to 2^53");
  EXPECT_EQ(why(R"({"key": "a", "value": "", "expires_at_ms": 9007199254740993})", LineFormat::kJson),
            "expires_at_ms is 9007199254740993; it must be 1 to 2^53");
  EXPECT_NE(why("\tvalue", LineFormat::kTsv).find("empty"), std::string::npos);
  EXPECT_NE(why("a\t\\q", LineFormat::kTsv).find("escape"), std::string::npos);
  EXPECT_EQ(why("key,value\na\n", LineFormat::kCsv), "it has 1 field, and the head names 2");
  EXPECT_EQ(ReadAll(R"({"key": "a", "value": {"items": 3}})", LineFormat::kJson)[0]->value, R"({"items":3})");
  EXPECT_EQ(ReadAll(R"({"key": "a", "key_base64": "Yg==", "value": ""})", LineFormat::kJson)[0]->key, "b");
  EXPECT_EQ(ReadAll("a\tb\r", LineFormat::kTsv)[0]->value, "b");
  EXPECT_EQ(ChooseFormat("", "x.tsv"), LineFormat::kTsv);
  EXPECT_EQ(ChooseFormat("", "x.csv"), LineFormat::kCsv);
  EXPECT_EQ(ChooseFormat("json", "x.tsv"), LineFormat::kJson);
}

TEST(SplitPoints, CutTheSampleEvenly) {
  EXPECT_TRUE(rc::check([] {
    std::set<std::string> distinct;
    const int keys = *rc::gen::inRange(2, 300);
    const int step = *rc::gen::inRange(0, 1000) * 2 + 1;  // odd, so that no two of the keys agree
    for (int i = 0; i < keys; ++i) distinct.insert("u" + std::to_string((i * step) % 65'536));
    const auto tablets = *rc::gen::inRange<size_t>(2, distinct.size() + 1);
    const auto cuts = SplitByQuantiles({distinct.begin(), distinct.end()}, tablets);
    RC_ASSERT(cuts.has_value());
    RC_ASSERT(cuts->size() == tablets - 1);
    RC_ASSERT(std::ranges::is_sorted(*cuts));
    size_t fewest = distinct.size(), most = 0;
    for (size_t i = 0; i <= cuts->size(); ++i) {
      const auto from = i == 0 ? distinct.begin() : distinct.lower_bound((*cuts)[i - 1]);
      const auto to = i == cuts->size() ? distinct.end() : distinct.lower_bound((*cuts)[i]);
      const auto held = static_cast<size_t>(std::distance(from, to));
      fewest = std::min(fewest, held);
      most = std::max(most, held);
    }
    RC_ASSERT(most - fewest <= 1);
  }));
  EXPECT_FALSE(SplitByQuantiles({"a", "a", "a"}, 2)) << "too few distinct keys";
  EXPECT_FALSE(SplitByQuantiles({"a", "b"}, 1));
}

TEST(SplitPoints, OfAPattern) {
  const auto padded = SampleOfPattern("user%08d", 1000);
  ASSERT_TRUE(padded);
  EXPECT_EQ(padded->front(), "user00000000");
  EXPECT_EQ(padded->back(), "user00000999");
  EXPECT_EQ(*SplitByQuantiles(*padded, 4), (std::vector<std::string>{"user0000025", "user000005", "user0000075"}));
  // Numbers without padding do not sort as numbers: the quantiles are those of the keys as they sort.
  EXPECT_EQ(*SplitByQuantiles(*SampleOfPattern("u%d", 100), 2), (std::vector<std::string>{"u54"}));
  for (const char* wrong : {"user", "%s", "%d%d", "100%", "%99d", "%5", "a%%d"})
    EXPECT_FALSE(SampleOfPattern(wrong, 10)) << wrong;
  EXPECT_FALSE(SampleOfPattern("u%d", 0));
  EXPECT_LE(SampleOfPattern("u%d", 50'000'000'000)->size(), 1'000'000u);
  std::istringstream sample("b\n\na\\x00\nc\n");
  EXPECT_EQ(*ReadSample(sample), (std::vector<std::string>{"b", std::string("a\0", 2), "c"}));
  std::istringstream broken("a\n\\q\n");
  EXPECT_NE(ReadSample(broken).error().message().find("line 2"), std::string::npos);
}

}  // namespace
}  // namespace ebla::shell
