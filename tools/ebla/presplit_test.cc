#include "tools/ebla/presplit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::shell {
namespace {

using ::testing::ElementsAre;

TabletSummary Tablet(uint64_t id, KeyRange range, int64_t bytes, std::string middle) {
  TabletSummary tablet;
  tablet.id = TabletId{id};
  tablet.range = std::move(range);
  tablet.load = TabletLoadInfo{.size_bytes = bytes, .middle_key = std::move(middle)};
  return tablet;
}

TEST(PresplitTest, TheLargestIsHalvedFirst) {
  const std::vector<TabletSummary> tablets = {Tablet(1, {"", "g"}, 90, "c"), Tablet(2, {"g", "p"}, 100, "k"), Tablet(3, {"p", ""}, 10, "x")};
  EXPECT_EQ(NextCut(tablets, {}), (PresplitCut{TabletId{2}, "k"}));
  EXPECT_EQ(NextCut({}, {}), std::nullopt);
}

TEST(PresplitTest, AMiddleKeyThatIsNotKnownYetIsWaitedForUnlessAnotherIsAboutAsLarge) {
  EXPECT_EQ(NextCut({Tablet(1, {"", "g"}, 100, ""), Tablet(2, {"g", ""}, 80, "k")}, {}), (PresplitCut{TabletId{2}, "k"}));
  EXPECT_EQ(NextCut({Tablet(1, {"", "g"}, 100, ""), Tablet(2, {"g", ""}, 50, "k")}, {}), std::nullopt);
  EXPECT_EQ(NextCut({Tablet(1, {"", "g"}, 100, "g")}, {}), std::nullopt) << "what it was before it was split";
  EXPECT_EQ(NextCut({Tablet(1, {"c", "g"}, 100, "c")}, {}), std::nullopt);
}

TEST(PresplitTest, NoKeyGroupIsCut) {
  EXPECT_EQ(NextCut({Tablet(1, {"", ""}, 100, "user42:b")}, TableKeyGroup{.delimiter = ':'}), (PresplitCut{TabletId{1}, "user42:"}));
  EXPECT_EQ(NextCut({Tablet(1, {"user42:", ""}, 100, "user42:b")}, TableKeyGroup{.delimiter = ':'}), std::nullopt) << "all of it one group";
  EXPECT_EQ(NextCut({Tablet(1, {"", ""}, 100, "user42")}, TableKeyGroup{.prefix_bytes = 4}), (PresplitCut{TabletId{1}, "user"}));
}

TEST(PresplitTest, KeysAtWhichTabletsBeginAlreadyAreLeftOut) {
  const std::vector<TabletSummary> tablets = {Tablet(1, {"", "g"}, 1, ""), Tablet(2, {"g", ""}, 1, "")};
  const auto cuts = CutsAt({"m", "g", "c", "m"}, tablets);
  ASSERT_TRUE(cuts) << cuts.error();
  EXPECT_THAT(*cuts, ElementsAre(PresplitCut{TabletId{1}, "c"}, PresplitCut{TabletId{2}, "m"}));
  EXPECT_EQ(CutsAt({""}, tablets).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(CutsAt({"x"}, {tablets[0]}).error().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace ebla::shell
