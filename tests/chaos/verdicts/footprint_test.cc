// A process within its bound, one that exceeds it once, and one that is never near it.
#include "tests/chaos/verdicts/footprint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::chaos {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kMiB = 1 << 20;

TEST(Footprint, NearTheBoundAndATouchAboveItIsWithin) {
  Footprint footprint(20 * kMiB, 100 * kMiB);
  footprint.Sample(60 * kMiB, "early");
  footprint.Sample(125 * kMiB, "later");
  EXPECT_THAT(footprint.Judge(), IsEmpty());
  EXPECT_NEAR(footprint.PeakPartOfBound(), 1.05, 0.001);
}

TEST(Footprint, OneSampleAboveShows) {
  Footprint footprint(20 * kMiB, 100 * kMiB);
  footprint.Sample(110 * kMiB, "early");
  footprint.Sample(127 * kMiB, "under large values");
  footprint.Sample(110 * kMiB, "late");
  EXPECT_THAT(footprint.Judge(),
              ElementsAre(AllOf(HasSubstr("127 MiB were resident under large values"), HasSubstr("1 of 3 samples"))));
}

TEST(Footprint, ABoundThatWasNotTriedShows) {
  Footprint footprint(20 * kMiB, 100 * kMiB);
  EXPECT_THAT(footprint.Judge(), ElementsAre(HasSubstr("was not tried")));
  footprint.Sample(100 * kMiB, "once");
  EXPECT_THAT(footprint.Judge(), ElementsAre(HasSubstr("was not tried")));
}

}  // namespace
}  // namespace ebla::chaos
