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

TEST(KeyRange, LimitsAreNamedInTheError) {
  EXPECT_TRUE(CheckKey(std::string(kKeyBytesMax, 'k')).ok());
  EXPECT_NE(CheckKey(std::string(kKeyBytesMax + 1, 'k')).message().find("4097"), std::string::npos);
  EXPECT_EQ(CheckKey("").code(), Code::kInvalidArgument);
  EXPECT_EQ(CheckValue(std::string(kValueBytesMax + 1, 'v')).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ebla
