#include "tools/ebla/reports/progress.h"

#include <gtest/gtest.h>

namespace ebla::shell {
namespace {

using namespace std::chrono_literals;

TEST(ProgressTest, ShowsThePartAndTheTimeLeftWhereTheWholeIsKnown) {
  EXPECT_EQ(ProgressText(12'000, 500ms), "12000 records, 24000/s");
  EXPECT_EQ(ProgressText(2, 2s, 0.4), "2 records, 1/s, 40%, 3s left");
  EXPECT_EQ(ProgressText(50'000, 60s, 0.25), "50000 records, 833/s, 25%, 3m left");
  EXPECT_EQ(ProgressText(0, 1s, 0.0), "0 records, 0/s, 0%") << "no rate says how long it takes";
  EXPECT_EQ(ProgressText(7, 0ms, 1.0), "7 records, 7000/s, 100%, 0s left");
  EXPECT_EQ(ProgressText(7, 1s, 1.3), "7 records, 7/s, 100%, 0s left") << "a table was estimated too small";
}

}  // namespace
}  // namespace ebla::shell
