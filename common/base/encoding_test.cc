#include "common/base/encoding.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

namespace ebla {
namespace {

TEST(EncodingTest, EveryNumberComesBack) {
  EXPECT_TRUE(rc::check("varint, signed varint, fixed64", [](uint64_t any, int64_t with_sign) {
    ByteWriter out;
    out.Varint(any).SignedVarint(with_sign).Fixed64(any);
    ByteReader in(out.view());
    RC_ASSERT(in.Varint() == any);
    RC_ASSERT(in.SignedVarint() == with_sign);
    RC_ASSERT(in.Fixed64() == any);
    RC_ASSERT(in.Finish("numbers").ok());
  }));
  for (const int64_t number : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{1}, INT64_MAX}) {
    ByteWriter out;
    out.SignedVarint(number).Varint(static_cast<uint64_t>(number));
    ByteReader in(out.view());
    EXPECT_EQ(in.SignedVarint(), number);
    EXPECT_EQ(in.Varint(), static_cast<uint64_t>(number));
    EXPECT_TRUE(in.ok() && in.done());
  }
}

TEST(EncodingTest, StringsComeBack) {
  EXPECT_TRUE(rc::check("bytes and rest", [](const std::vector<std::string>& strings, const std::string& rest) {
    ByteWriter out;
    out.Varint(strings.size());
    for (const std::string& bytes : strings) out.Bytes(bytes);
    out.Raw(rest);
    ByteReader in(out.view());
    const uint64_t count = in.Count(1);
    RC_ASSERT(count == strings.size());
    for (const std::string& bytes : strings) RC_ASSERT(in.Bytes() == bytes);
    RC_ASSERT(in.Rest() == rest);
    RC_ASSERT(in.Finish("strings").ok());
  }));
}

TEST(EncodingTest, FixedNumbersSortAsNumbers) {
  EXPECT_TRUE(rc::check("order", [](uint64_t a, uint64_t b) {
    RC_ASSERT((ByteWriter().Fixed64(a).Take() < ByteWriter().Fixed64(b).Take()) == (a < b));
  }));
}

TEST(EncodingTest, HostileBytesEndInAStatus) {
  EXPECT_TRUE(rc::check("any bytes, any reads", [](const std::string& bytes, const std::vector<uint8_t>& reads) {
    ByteReader in(bytes);
    for (const uint8_t read : reads) {
      switch (read % 6) {
        case 0: in.Byte(); break;
        case 1: in.Varint(); break;
        case 2: in.SignedVarint(); break;
        case 3: in.Fixed64(); break;
        case 4: RC_ASSERT(in.Bytes().size() <= bytes.size()); break;
        default: RC_ASSERT(in.Count(3) <= bytes.size() / 3); break;
      }
      RC_ASSERT(in.remaining() <= bytes.size());
    }
  }));
}

TEST(EncodingTest, FaultsAreSticky) {
  const std::string promises_five = std::string(1, '\5') + "abc";
  ByteReader cut(promises_five);
  EXPECT_EQ(cut.Bytes(), "");
  EXPECT_FALSE(cut.ok());
  EXPECT_EQ(cut.Byte(), 0);
  EXPECT_EQ(cut.Finish("a thing").message(), "a thing is cut short or malformed");
  ByteReader left("ab");
  left.Byte();
  EXPECT_EQ(left.Finish("a thing").message(), "a thing has bytes left over");
  ByteReader endless(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11));
  EXPECT_EQ(endless.Varint(), 0u);
  EXPECT_FALSE(endless.ok());
  ByteReader too_large(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
  too_large.Varint();
  EXPECT_FALSE(too_large.ok());
}

}  // namespace
}  // namespace ebla
