// Every combination is a case, once and under the same number, and a sample has something of everything.
#include "tests/chaos/damage/cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
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
      if (facts.directory() && (HasPlace(damage) || damage == Damage::kHalf || damage >= Damage::kDirectory)) continue;
      if (facts.kind == FileKind::kLateDataDirectory && damage != Damage::kOlder) continue;
      if (damage >= Damage::kForeign) continue;
      for (const Shape shape : kShapes) {
        if (facts.only && (*facts.only == Shape::kStandalone) != (shape == Shape::kStandalone)) continue;
        for (const Moment moment : {Moment::kStopped, Moment::kRunning}) {
          // The server that could tell is away.
          if (facts.kind == FileKind::kLateDataDirectory && shape == Shape::kOneAway) continue;
          EXPECT_TRUE(there.contains({shape, moment, facts.kind, damage}))
              << facts.name << ", " << Name(damage) << ", " << Name(shape);
        }
      }
    }
  }
  for (const FileKind kind : {FileKind::kIdentity, FileKind::kStoreDirectory, FileKind::kDataDirectory})
    EXPECT_TRUE(there.contains({Shape::kThree, Moment::kStopped, kind, Damage::kSwapped})) << FactsOf(kind).name;
  EXPECT_TRUE(there.contains({Shape::kOneAway, Moment::kStopped, FileKind::kLastSegment, Damage::kForeign}));
}

// A fault is told by its number, and that is how it is run again.
TEST(DamageCases, ANumberNamesACaseForGood) {
  const std::vector<Case> all = AllCases();
  for (const auto& [number, text] : std::map<size_t, std::string>{
           {241, "case 241, standalone, stopped, WiredTiger.wt: pages exchanged at 75 %"},
           {1085, "case 1085, three replicas, stopped, WiredTiger.wt: bit at 75 %"},
           {2043, "case 2043, three replicas, one away, running, WiredTiger.turtle: pages exchanged at 50 %"},
           {2093, "case 2093, three replicas, one away, running, directory store/log/: older copy"},
           {2094, "case 2094, standalone, stopped, IDENTITY: a directory instead"}})
    EXPECT_EQ(ToString(all.at(number)), text);
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
    EXPECT_GE(damages.size(), kDamages.size() - 3) << "seed " << seed;
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
