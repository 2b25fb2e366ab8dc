#include "common/base/crc32.h"

#include <gtest/gtest.h>

namespace ebla {
namespace {

TEST(Crc32Test, IsTheOneThatEverybodyMeans) {
  EXPECT_EQ(Crc32("123456789"), 0xCBF43926);
  EXPECT_EQ(Crc32(""), 0u);
  EXPECT_EQ(Crc32("The quick brown fox jumps over the lazy dog"), 0x414FA339u);
}

TEST(Crc32Test, GoesOnWhereverItWasCut) {
  const std::string_view text = "The quick brown fox jumps over the lazy dog";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(Crc32(text.substr(cut), Crc32(text.substr(0, cut))), 0x414FA339u) << cut;
  }
  EXPECT_EQ(Crc32(std::string_view(), 0x414FA339u), 0x414FA339u) << "nothing follows";
}

TEST(Crc32Test, SeesEveryByte) {
  EXPECT_NE(Crc32(std::string_view("\0", 1)), Crc32(std::string_view("\0\0", 2)));
  EXPECT_NE(Crc32("\x7f"), Crc32("\xff"));
}

}  // namespace
}  // namespace ebla
