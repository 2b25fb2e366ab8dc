#include "common/base/distinct_keys.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ebla {
namespace {

TEST(DistinctKeys, FindsOneThatComesTwiceWhereverItStands) {
  std::vector<std::string> names;
  for (int i = 0; i < 1'000; ++i) names.push_back("key:" + std::to_string(i));
  std::vector<std::string_view> keys(names.begin(), names.end());
  EXPECT_TRUE(HaveDistinctHashes(keys));
  for (const size_t at : {0, 1, 500, 999}) {
    keys.push_back(names[at]);
    EXPECT_FALSE(HaveDistinctHashes(keys)) << at;
    keys.pop_back();
  }
}

TEST(DistinctKeys, NoneAndOneAreDistinct) {
  EXPECT_TRUE(HaveDistinctHashes({}));
  const std::vector<std::string_view> empty{""};
  EXPECT_TRUE(HaveDistinctHashes(empty));
}

}  // namespace
}  // namespace ebla
