#include "common/base/split_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SplitText, KeepsOrDropsEmptyParts) {
  EXPECT_THAT(SplitText("a,b", ',', EmptyParts::kDrop), ElementsAre("a", "b"));
  EXPECT_THAT(SplitText(",a,,b,", ',', EmptyParts::kDrop), ElementsAre("a", "b"));
  EXPECT_THAT(SplitText(",a,,b,", ',', EmptyParts::kKeep), ElementsAre("", "a", "", "b", ""));
}

TEST(SplitText, AnEmptyTextIsOneEmptyPart) {
  EXPECT_THAT(SplitText("", ',', EmptyParts::kKeep), ElementsAre(""));
  EXPECT_THAT(SplitText("", ',', EmptyParts::kDrop), IsEmpty());
}

}  // namespace
}  // namespace ebla
