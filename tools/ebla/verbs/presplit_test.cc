#include "tools/ebla/verbs/presplit.h"

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
  const std::vector<TabletSummary> tablets = {Tablet(1, {"", "g"}, 90, "c"), Tablet(2, {"g", "p"}, 100, "k"),
                                              Tablet(3, {"p", ""}, 10, "x")};
  EXPECT_EQ(NextCut(tablets, {}), (PresplitCut{TabletId{2}, "k"}));
  EXPECT_EQ(NextCut({}, {}), std::nullopt);
}

TEST(PresplitTest, AMiddleKeyThatIsNotKnownYetIsWaitedForUnlessAnotherIsAboutAsLarge) {
  EXPECT_EQ(NextCut({Tablet(1, {"", "g"}, 100, ""), Tablet(2, {"g", ""}, 80, "k")}, {}),
            (PresplitCut{TabletId{2}, "k"}));
  EXPECT_EQ(NextCut({Tablet(1, {"", "g"}, 100, ""), Tablet(2, {"g", ""}, 50, "k")}, {}), std::nullopt);
  EXPECT_EQ(NextCut({Tablet(1, {"", "g"}, 100, "g")}, {}), std::nullopt) << "what it was before it was split";
  EXPECT_EQ(NextCut({Tablet(1, {"c", "g"}, 100, "c")}, {}), std::nullopt);
}

TEST(PresplitTest, NoKeyGroupIsCut) {
  EXPECT_EQ(NextCut({Tablet(1, {"", ""}, 100, "user42:b")}, TableKeyGroup{.delimiter = ':'}),
            (PresplitCut{TabletId{1}, "user42:"}));
  EXPECT_EQ(NextCut({Tablet(1, {"user42:", ""}, 100, "user42:b")}, TableKeyGroup{.delimiter = ':'}), std::nullopt)
      << "all of it one group";
  EXPECT_EQ(NextCut({Tablet(1, {"", ""}, 100, "user42")}, TableKeyGroup{.prefix_bytes = 4}),
            (PresplitCut{TabletId{1}, "user"}));
}

TEST(PresplitTest, OneTabletIsCutByItsLoadOrElseByItsData) {
  TabletSummary tablet = Tablet(1, {"c", "q"}, 100, "k");
  EXPECT_EQ(BestKey(tablet, {}), "k");
  tablet.load->split_finding = SplitFindingKind::kKey;
  tablet.load->split_key = "e:1";
  EXPECT_EQ(BestKey(tablet, {}), "e:1");
  EXPECT_EQ(BestKey(tablet, TableKeyGroup{.delimiter = ':'}), "e:");
  tablet.load->split_key = "t";
  EXPECT_EQ(BestKey(tablet, {}), "k") << "it was just split, and reports what it was";
  tablet.load->split_finding = SplitFindingKind::kOneDirection;
  tablet.load->split_key = "p";
  EXPECT_EQ(BestKey(tablet, {}), "k") << "nothing would lie above it";
  tablet.load->middle_key.clear();
  EXPECT_EQ(BestKey(tablet, {}), std::nullopt);
  tablet.load.reset();
  EXPECT_EQ(BestKey(tablet, {}), std::nullopt);
}

TEST(PresplitTest, AllKeysAreHalvedWhereTheyAreMost) {
  std::vector<std::string> keys;
  for (int i = 100; i < 180; ++i) keys.push_back("k" + std::to_string(i));
  EXPECT_THAT(
      CutsOfKeys(keys, {Tablet(1, {"", ""}, 0, "")}, 3, {}),
      ElementsAre(PresplitCut{TabletId{1}, "k14"}, PresplitCut{TabletId{1}, "k12"}, PresplitCut{TabletId{1}, "k16"}));
  EXPECT_THAT(CutsOfKeys(keys, {Tablet(1, {"", "k11"}, 0, ""), Tablet(2, {"k11", ""}, 0, "")}, 1, {}),
              ElementsAre(PresplitCut{TabletId{2}, "k145"}));
  EXPECT_TRUE(CutsOfKeys({"a"}, {Tablet(1, {"", ""}, 0, "")}, 1, {}).empty());
  EXPECT_TRUE(CutsOfKeys({}, {Tablet(1, {"", ""}, 0, "")}, 1, {}).empty());
  EXPECT_EQ(CutsOfKeys({"a", "b"}, {Tablet(1, {"", ""}, 0, "")}, 5, {}).size(), 1u);
}

TEST(PresplitTest, OfAllKeysNoGroupIsCutEither) {
  const TableKeyGroup group{.delimiter = ':'};
  const std::vector<TabletSummary> all = {Tablet(1, {"", ""}, 0, "")};
  EXPECT_THAT(CutsOfKeys({"a:1", "a:2", "a:3", "a:4", "b:1"}, all, 2, group),
              ElementsAre(PresplitCut{TabletId{1}, "b"}));
  EXPECT_THAT(CutsOfKeys({"a:1", "b:1", "b:2", "b:3", "b:4"}, all, 2, group),
              ElementsAre(PresplitCut{TabletId{1}, "b:"}));
  EXPECT_TRUE(CutsOfKeys({"a:1", "a:2", "a:3"}, all, 2, group).empty());
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
