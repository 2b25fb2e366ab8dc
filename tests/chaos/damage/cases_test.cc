// Every combination is a case, once and under the same number, and a sample has something of everything.
#include "tests/chaos/damage/cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace ebla::chaos {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::SizeIs;

TEST(DamageCases, AreAtLeastTwoThousandAndNumberedWithoutAGap) {
  const std::vector<Case> all = AllCases();
  EXPECT_GE(all.size(), 2'000u);
  std::set<std::string> texts;
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].number, static_cast<int>(i));
    Case one = all[i];
    one.number = 0;
    texts.insert(ToString(one));
  }
  EXPECT_EQ(texts.size(), all.size()) << "a case is there twice";
}

TEST(DamageCases, HaveEachDamageOfEachFileStoppedAndRunningInEachShape) {
  std::set<std::tuple<Shape, Moment, FileKind, Damage>> there;
  for (const Case& one : AllCases()) there.emplace(one.shape, one.moment, one.kind, one.damage);
  for (const KindFacts& facts : AllKinds()) {
    for (const Damage damage : kDamages) {
      if (facts.directory() && (HasPlace(damage) || damage == Damage::kHalf)) continue;
      for (const Shape shape : kShapes) {
        if (facts.standalone && shape != Shape::kStandalone) continue;
        for (const Moment moment : {Moment::kStopped, Moment::kRunning})
          EXPECT_TRUE(there.contains({shape, moment, facts.kind, damage}))
              << facts.name << ", " << Name(damage) << ", " << Name(shape);
      }
    }
  }
}

TEST(DamageCases, ASampleHasEachShapeDamageAndMoment) {
  for (const uint64_t seed : {1u, 2u, 999'999u}) {
    const std::vector<Case> sample = ChooseCases({.count = 60, .seed = seed});
    ASSERT_THAT(sample, SizeIs(60));
    std::set<Shape> shapes;
    std::set<Damage> damages;
    std::set<FileKind> kinds;
    std::set<int> numbers;
    for (const Case& one : sample) {
      shapes.insert(one.shape);
      damages.insert(one.damage);
      kinds.insert(one.kind);
      numbers.insert(one.number);
    }
    EXPECT_THAT(numbers, SizeIs(60));
    EXPECT_THAT(shapes, SizeIs(kShapes.size()));
    EXPECT_GE(damages.size(), kDamages.size() - 1) << "seed " << seed;
    EXPECT_GE(kinds.size(), 15u) << "seed " << seed;
  }
}

TEST(DamageCases, FromANumberOnNoneIsLeftOut) {
  EXPECT_THAT(ChooseCases({.first = 700, .count = 3}),
              ElementsAre(Field(&Case::number, 700), Field(&Case::number, 701), Field(&Case::number, 702)));
  EXPECT_THAT(ChooseCases({.shape = Shape::kOneAway, .count = 5}), Each(Field(&Case::shape, Shape::kOneAway)));
  EXPECT_THAT(ChooseCases({.first = 1'000'000}), SizeIs(0));
  EXPECT_THAT(ChooseCases({}), SizeIs(AllCases().size()));
}

}  // namespace
}  // namespace ebla::chaos
