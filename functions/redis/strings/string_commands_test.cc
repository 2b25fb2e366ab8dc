#include "functions/redis/strings/string_commands.h"

#include <gtest/gtest.h>

namespace ebla::redis {
namespace {

std::string LcsReply(std::string_view a, std::string_view b, const Words& options = {}) {
  Words words = {"LCS", "a", "b"};
  words.insert(words.end(), options.begin(), options.end());
  Reply reply;
  Lcs(words, a, b, reply);
  return reply.Take();
}

TEST(LcsTest, WorksUpToItsLimit) {
  const std::string square(2'000, 'x'), longest(kStringBytesMax, 'x');
  EXPECT_EQ(LcsReply(square, square, {"LEN"}), ":2000\r\n");
  EXPECT_EQ(LcsReply("xxx", longest, {"LEN"}), ":3\r\n");
  EXPECT_EQ(LcsReply(longest, "", {"LEN"}), ":0\r\n");
  const std::string refusal = "-ERR LCS of values whose lengths have a product above 4000000 is not served by Ebla\r\n";
  EXPECT_EQ(LcsReply(square, square + "x"), refusal);
  EXPECT_EQ(LcsReply(square + "x", square, {"IDX"}), refusal);
  EXPECT_EQ(LcsReply(longest, longest), refusal);
}

}  // namespace
}  // namespace ebla::redis
