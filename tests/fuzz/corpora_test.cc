// Gives each input in tests/data/fuzz to its target: the first inputs, and those that ./dev fuzz has found.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <string_view>

#include "tests/fuzz/targets.h"

namespace ebla::fuzz {
namespace {

// In a file each input follows its length, in decimal, and a blank.
size_t GiveAll(const std::string& target, void (*to)(std::string_view)) {
  std::ifstream in(std::string(EBLA_FUZZ_CORPORA) + "/" + target + ".corpus", std::ios::binary);
  size_t count = 0;
  for (size_t size = 0; in >> size; ++count) {
    in.get();
    std::string bytes(size, '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(size));
    EXPECT_EQ(in.gcount(), static_cast<std::streamsize>(size));
    to(bytes);
  }
  return count;
}

TEST(FuzzCorporaTest, RedisRequests) { EXPECT_GT(GiveAll("RedisRequests", RedisRequests), 10u); }
TEST(FuzzCorporaTest, MemcachedRequests) { EXPECT_GT(GiveAll("MemcachedRequests", MemcachedRequests), 10u); }
TEST(FuzzCorporaTest, RecordFunctions) { EXPECT_GT(GiveAll("RecordFunctions", RecordFunctions), 10u); }
TEST(FuzzCorporaTest, MemcachedOrders) { EXPECT_GT(GiveAll("MemcachedOrders", MemcachedOrders), 10u); }
TEST(FuzzCorporaTest, ScriptReplies) { EXPECT_GT(GiveAll("ScriptReplies", ScriptReplies), 10u); }
TEST(FuzzCorporaTest, Scripts) { EXPECT_GT(GiveAll("Scripts", Scripts), 10u); }

}  // namespace
}  // namespace ebla::fuzz
