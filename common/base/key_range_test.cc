#include "common/base/key_range.h"

#include <gtest/gtest.h>

namespace ebla {
namespace {

TEST(KeyRange, ContainsIsHalfOpenAndAnEmptyEndIsUnbounded) {
  const KeyRange range{"b", "d"};
  EXPECT_FALSE(range.Contains("a"));
  EXPECT_TRUE(range.Contains("b"));
  EXPECT_TRUE(range.Contains("czzz"));
  EXPECT_FALSE(range.Contains("d"));
  EXPECT_TRUE(KeyRange::All().Contains("\xff\xff"));
  EXPECT_TRUE((KeyRange{"b", ""}.Contains(KeyRange{"c", ""})));
  EXPECT_FALSE((KeyRange{"b", "d"}.Contains(KeyRange{"c", ""})));
}

TEST(KeyRange, ContainsBelowIsWhereAScanBackwardsBegins) {
  const KeyRange range{"b", "d"};
  EXPECT_TRUE(range.ContainsBelow("c"));
  EXPECT_TRUE(range.ContainsBelow("d"));
  EXPECT_FALSE(range.ContainsBelow("b"));
  EXPECT_FALSE(range.ContainsBelow("dd"));
  EXPECT_FALSE(range.ContainsBelow(""));
  EXPECT_TRUE((KeyRange{"b", ""}.ContainsBelow("")));
  EXPECT_TRUE((KeyRange{"b", ""}.ContainsBelow("z")));
}

TEST(KeyRange, IntersectAndOverlap) {
  EXPECT_EQ((KeyRange{"a", "m"}.Intersect({"f", ""})), (KeyRange{"f", "m"}));
  EXPECT_FALSE((KeyRange{"a", "f"}.Overlaps({"f", "m"})));
  EXPECT_TRUE((KeyRange{"a", ""}.Overlaps({"z", ""})));
}

TEST(KeyRange, PrefixEndCarriesOverBytesThatCannotGrow) {
  EXPECT_EQ(PrefixEnd("user"), "uses");
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
  EXPECT_EQ(PrefixEnd("\xff\xff"), "");
}

TEST(KeyRange, EscapedBytesReadBackAndBadEscapesAreRefused) {
  const std::string bytes("a\\\"\x00\xff", 5);
  EXPECT_EQ(EscapeBytes(bytes), R"(a\\\"\x00\xff)");
  EXPECT_EQ(UnescapeBytes(EscapeBytes(bytes)), bytes);
  EXPECT_EQ(UnescapeBytes(R"(\q)").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(UnescapeBytes(R"(\x0)").error().code(), Code::kInvalidArgument);
}

TEST(KeyRange, PrintableCharactersAreShownAsTheyAreAndOthersAsBytes) {
  EXPECT_EQ(EscapeBytes("ключ \xe2\x82\xac \xf0\x9f\x8c\x8d"), "ключ \xe2\x82\xac \xf0\x9f\x8c\x8d");
  EXPECT_EQ(EscapeBytes("\xd0"), R"(\xd0)") << "half a character";
  EXPECT_EQ(EscapeBytes("\xc0\xaf"), R"(\xc0\xaf)") << "an overlong form";
  EXPECT_EQ(EscapeBytes("a\xc2\x9b"
                        "b"),
            R"(a\xc2\x9bb)")
      << "a control character that terminals obey";
  EXPECT_EQ(EscapeBytes("\xe2\x80\xae"), R"(\xe2\x80\xae)") << "it turns the direction of what follows";
  EXPECT_NE(EscapeBytes("\\x00"), EscapeBytes(std::string(1, '\0')));
  for (const std::string bytes : {"\xd0\xba\xd0", "\xed\xa0\x80z", "\xf4\x90\x80\x80", "\x7f\x1b[2J"})
    EXPECT_EQ(UnescapeBytes(EscapeBytes(bytes)), bytes);
  EXPECT_NE(UnescapeBytes(R"(a\q)").error().message().find(R"(of a\q:)"), std::string::npos) << "as it was typed";
}

TEST(KeyRange, LimitsAreNamedInTheError) {
  EXPECT_TRUE(CheckKey(std::string(kKeyBytesMax, 'k')).ok());
  EXPECT_NE(CheckKey(std::string(kKeyBytesMax + 1, 'k')).message().find("4097"), std::string::npos);
  EXPECT_EQ(CheckKey("").code(), Code::kInvalidArgument);
  EXPECT_EQ(CheckValue(std::string(kValueBytesMax + 1, 'v')).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ebla
