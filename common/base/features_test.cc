#include "common/base/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace ebla {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Features, AreThereFromTheClustersLevelOnForGood) {
  constexpr Feature kThird{"third", 3, ""};
  Features features(3);
  EXPECT_FALSE(features.Has(kThird)) << "nothing is known of the cluster yet";
  features.Learn(2);
  EXPECT_FALSE(features.Has(kThird)) << "this build speaks it, and another does not";
  features.Learn(3);
  EXPECT_TRUE(features.Has(kThird));
  features.Learn(1);
  EXPECT_TRUE(features.Has(kThird)) << "what was written in between is there";
}

TEST(Features, AProcessBelowTheClustersLevelIsToldBoth) {
  EXPECT_TRUE(CheckLevel(2, 2).ok());
  EXPECT_TRUE(CheckLevel(3, 2).ok());
  const Status refused = CheckLevel(2, 3);
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("speaks feature level 2"), HasSubstr("is at level 3"),
                                       HasSubstr("Start a build of level 3 or above")));
}

TEST(Features, TheTableIsOfThisBuild) {
  std::set<std::string_view> names;
  for (const Feature& feature : kFeatures) {
    EXPECT_TRUE(names.insert(feature.name).second) << feature.name;
    EXPECT_GT(feature.level, kFeatureLevelFirst) << feature.name;
    EXPECT_LE(feature.level, kFeatureLevel) << feature.name;
    EXPECT_FALSE(feature.what.empty()) << feature.name;
  }
}

}  // namespace
}  // namespace ebla
