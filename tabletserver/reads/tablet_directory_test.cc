#include "tabletserver/reads/tablet_directory.h"

#include <gtest/gtest.h>

namespace ebla::tabletserver {
namespace {

constexpr TableId kListed{1};

class DirectoryTest : public ::testing::Test {
 protected:
  std::shared_ptr<TabletHandle> Add(uint64_t id, const KeyRange& range, TableId table = kListed) {
    auto handle = std::make_shared<TabletHandle>(TabletId{id}, table, 0);
    EXPECT_TRUE(directory_.Add(handle, range).ok());
    return handle;
  }
  uint64_t Find(std::string_view key, TableId table = kListed) const {
    const auto snapshot = directory_.snapshot();
    const auto* handle = snapshot->Find(table, key);
    return handle == nullptr ? 0 : (*handle)->tablet.value;
  }
  uint64_t FindForScan(const KeyRange& range, bool reverse) const {
    const auto snapshot = directory_.snapshot();
    const auto* handle = snapshot->FindForScan(kListed, range, reverse);
    return handle == nullptr ? 0 : (*handle)->tablet.value;
  }
  TabletDirectory directory_;
};

//      b       f           m       t
//      [ 10    )           [ 12    [ 13 ...
TEST_F(DirectoryTest, FindsByKeyAndByWhereAScanBegins) {
  Add(13, {"t", ""});
  Add(10, {"b", "f"});
  Add(12, {"m", "t"});
  EXPECT_EQ(Find("a"), 0u);
  EXPECT_EQ(Find("b"), 10u);
  EXPECT_EQ(Find("ezzz"), 10u);
  EXPECT_EQ(Find("f"), 0u);
  EXPECT_EQ(Find("t"), 13u);
  EXPECT_EQ(Find("zz"), 13u);
  EXPECT_EQ(Find("b", TableId{2}), 0u);

  EXPECT_EQ(FindForScan({"c", "z"}, false), 10u);
  EXPECT_EQ(FindForScan({"", "z"}, false), 0u);
  EXPECT_EQ(FindForScan({"c", ""}, true), 13u);
  EXPECT_EQ(FindForScan({"c", "t"}, true), 12u) << "the end is exclusive";
  EXPECT_EQ(FindForScan({"c", "tt"}, true), 13u);
  EXPECT_EQ(FindForScan({"c", "g"}, true), 0u);
  EXPECT_EQ(FindForScan({"c", "f"}, true), 10u);
}

TEST_F(DirectoryTest, RefusesAnOverlapUntilTheOtherIsGone) {
  const auto first = Add(10, {"b", "f"});
  auto second = std::make_shared<TabletHandle>(TabletId{11}, kListed, 0);
  EXPECT_EQ(directory_.Add(second, {"e", "g"}).code(), Code::kComeAgain);
  EXPECT_TRUE(directory_.Add(second, {"f", "g"}).ok());
  EXPECT_EQ(directory_.ChangeRange(*second, {"e", "g"}).code(), Code::kComeAgain);
  EXPECT_EQ(Find("f"), 11u) << "a refused change changes nothing";
  directory_.Remove(*first);
  EXPECT_TRUE(directory_.ChangeRange(*second, {"e", "g"}).ok());
  EXPECT_EQ(Find("e"), 11u);
}

TEST_F(DirectoryTest, TwoAreReplacedByOneAtOnce) {
  const auto left = Add(10, {"b", "f"}), right = Add(11, {"f", "m"});
  Add(12, {"m", ""});
  const auto merged = std::make_shared<TabletHandle>(TabletId{20}, kListed, 0);
  EXPECT_EQ(directory_.Merge(*left, *merged, merged, {"b", "m"}).code(), Code::kNotFound);
  EXPECT_EQ(directory_.Merge(*left, *right, merged, {"b", "n"}).code(), Code::kComeAgain) << "over a third";
  EXPECT_EQ(Find("g"), 11u) << "a refused change changes nothing";
  ASSERT_TRUE(directory_.Merge(*left, *right, merged, {"b", "m"}).ok());
  EXPECT_EQ(Find("b"), 20u);
  EXPECT_EQ(Find("g"), 20u);
  EXPECT_EQ(Find("m"), 12u);
}

TEST_F(DirectoryTest, AReaderKeepsItsSnapshotAndSeesTheNextOne) {
  PublishedReader<TabletDirectory::Snapshot> reader(directory_.published());
  EXPECT_EQ(reader.Get()->All().size(), 0u);
  const auto old = directory_.snapshot();
  const auto handle = Add(10, {"b", "f"});
  EXPECT_EQ(reader.Get()->All().size(), 1u);
  EXPECT_EQ(old->All().size(), 0u);
  directory_.Remove(*handle);
  EXPECT_EQ(reader.Get()->All().size(), 0u);
}

TEST(TabletHandle, WhoHoldsAViewHoldsTheDataInPlace) {
  TabletHandle handle(TabletId{1}, kListed, 0);
  handle.Publish(std::make_shared<const TabletView>());
  auto old_view = handle.view();
  handle.Publish(std::make_shared<const TabletView>());
  auto new_view = handle.view();
  handle.Close();
  EXPECT_EQ(handle.view(), nullptr);
  new_view.reset();
  EXPECT_FALSE(handle.ReadersGone()) << "of an older view, too";
  old_view.reset();
  EXPECT_TRUE(handle.ReadersGone());
}

}  // namespace
}  // namespace ebla::tabletserver
