#include "master/catalog/image.h"

#include <gtest/gtest.h>

namespace ebla::master {
namespace {

idl::TabletNode Tablet(int64_t id, int64_t table, std::string start, std::string end, std::string server) {
  idl::TabletNode node;
  node.info.tabletId = id;
  node.info.tableId = table;
  node.info.range.startKey = std::move(start);
  node.info.range.endKey = std::move(end);
  node.info.epoch = 1;
  node.info.primary = server;
  node.info.voters = {server};
  return node;
}

idl::TableNode Table(int64_t id, std::string name) {
  idl::TableNode node;
  node.schema.tableId = id;
  node.schema.name = std::move(name);
  node.state = idl::TableState::SERVING;
  return node;
}

std::vector<int64_t> Ids(const std::vector<const TabletEntry*>& tablets) {
  std::vector<int64_t> ids;
  for (const TabletEntry* tablet : tablets) ids.push_back(tablet->node.info.tabletId);
  return ids;
}

TEST(ImageTest, LocatesWhatOverlaps) {
  Image image;
  image.PutTable(Table(1, "carts"), 0);
  image.PutTablet(Tablet(2, 1, "", "f", "a"), 0);
  image.PutTablet(Tablet(3, 1, "f", "m", "b"), 0);
  image.PutTablet(Tablet(4, 1, "m", "", "a"), 0);
  image.PutTablet(Tablet(9, 8, "", "", "a"), 0);
  bool more = false;
  EXPECT_EQ(Ids(image.Locate(TableId{1}, {"", ""}, 10, &more)), (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(Ids(image.Locate(TableId{1}, {"f", "m"}, 10, &more)), (std::vector<int64_t>{3}));
  EXPECT_EQ(Ids(image.Locate(TableId{1}, {"e", "f"}, 10, &more)), (std::vector<int64_t>{2}));
  EXPECT_EQ(Ids(image.Locate(TableId{1}, {"z", ""}, 10, &more)), (std::vector<int64_t>{4}));
  EXPECT_FALSE(more);
  EXPECT_EQ(Ids(image.Locate(TableId{1}, {"a", "z"}, 2, &more)), (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(more);
  // A table that is not whole yet has gaps.
  image.EraseTablet(TabletId{3});
  EXPECT_EQ(Ids(image.Locate(TableId{1}, {"g", "h"}, 10, &more)), (std::vector<int64_t>{}));
  EXPECT_EQ(Ids(image.Locate(TableId{1}, {"a", "z"}, 10, &more)), (std::vector<int64_t>{2, 4}));
}

TEST(ImageTest, IndexesFollowEveryChange) {
  Image image;
  image.PutTablet(Tablet(2, 1, "", "", "a"), 0);
  EXPECT_EQ(image.HeldBy("a").size(), 1u);
  image.PutTablet(Tablet(2, 1, "", "m", "b"), 1);
  EXPECT_TRUE(image.HeldBy("a").empty());
  EXPECT_EQ(image.HeldBy("b").size(), 1u);
  EXPECT_EQ(image.Tablet(TabletId{2})->version, 1);
  image.EraseTablet(TabletId{2});
  EXPECT_TRUE(image.HeldBy("b").empty());
  EXPECT_TRUE(image.TabletsOf(TableId{1}).empty());
  image.PutTable(Table(1, "carts"), 0);
  EXPECT_EQ(image.Table(TableId{1})->node.schema.name, "carts");
  image.EraseTable("carts");
  EXPECT_EQ(image.Table(TableId{1}), nullptr);
}

TEST(ImageTest, AnIntentNamesTheTabletsThatAreToCome) {
  Image image;
  idl::TableNode table = Table(10, "carts");
  table.state = idl::TableState::CREATING;
  table.firstTabletId = 11;
  table.pendingSplitPoints = {"f", "m"};
  image.PutTable(table, 0);
  EXPECT_FALSE(image.NamedByIntent(TabletId{10}));
  EXPECT_TRUE(image.NamedByIntent(TabletId{11}));
  EXPECT_TRUE(image.NamedByIntent(TabletId{13}));
  EXPECT_FALSE(image.NamedByIntent(TabletId{14}));
}

}  // namespace
}  // namespace ebla::master
