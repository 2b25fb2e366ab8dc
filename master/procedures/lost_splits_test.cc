#include "master/procedures/lost_splits.h"

#include <gtest/gtest.h>

#include <string>

namespace ebla::master {
namespace {

// Tablet 2 [a, z) lost 3 [m, z) by a split.
class LostSplitsTest : public ::testing::Test {
 protected:
  LostSplitsTest() {
    image_.PutTablet(Node(2, "a", "m"), 0);
    idl::TabletNode child = Node(3, "m", "z");
    child.__set_parentId(2);
    image_.PutTablet(child, 0);
  }

  static idl::TabletNode Node(int64_t id, const std::string& start, const std::string& end) {
    idl::TabletNode node;
    node.info.tabletId = id;
    node.info.tableId = 1;
    node.info.range.startKey = start;
    node.info.range.endKey = end;
    return node;
  }
  // A server that has tablet 2, complete.
  static idl::TabletLoad Parent() {
    idl::TabletLoad load;
    load.tabletId = 2;
    return load;
  }
  bool Holds(const idl::TabletLoad& load) const {
    Report report;
    report.body.tablets = {load};
    report.index[TabletId{static_cast<uint64_t>(load.tabletId)}] = 0;
    return HoldsInParent(image_, report, *image_.Tablet(TabletId{3}));
  }

  Image image_;
};

TEST_F(LostSplitsTest, WhoHasYetToApplyTheSplitHasTheChild) {
  EXPECT_TRUE(Holds(Parent())) << "of a build that does not say where it ends";
  idl::TabletLoad whole = Parent();
  whole.__set_endKey("z");
  EXPECT_TRUE(Holds(whole));
  whole.__set_endKey("");
  EXPECT_TRUE(Holds(whole)) << "there is no end";
}

TEST_F(LostSplitsTest, WhoHasAppliedItOrHasNothingHasNot) {
  idl::TabletLoad split = Parent();
  split.__isset.lastSplit = true;
  split.lastSplit.childId = 3;
  EXPECT_FALSE(Holds(split));
  idl::TabletLoad emptied = Parent();
  emptied.incomplete = true;
  EXPECT_FALSE(Holds(emptied));
}

// It is complete, and has applied no split: its log begins after that.
TEST_F(LostSplitsTest, WhoBeganAnewEndsWhereTheCatalogCutIt) {
  idl::TabletLoad anew = Parent();
  anew.__set_endKey("m");
  EXPECT_FALSE(Holds(anew));
}

}  // namespace
}  // namespace ebla::master
