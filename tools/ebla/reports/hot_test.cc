// Which part of the load a tablet takes, and that an idle cluster has no parts.
#include "tools/ebla/reports/hot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::shell {
namespace {

TabletSummary TabletOf(uint64_t id, const std::string& table, double reads, double writes) {
  TabletSummary tablet;
  tablet.id = TabletId{id};
  tablet.table = table;
  tablet.primary = "ts-1";
  tablet.load = TabletLoadInfo{};
  tablet.load->reads_per_second = reads;
  tablet.load->writes_per_second = writes;
  ReplicaReport& replica = tablet.replicas.emplace_back();
  replica.server = "ts-1";
  replica.load = *tablet.load;
  return tablet;
}

TEST(HotTest, TheBusiestComesFirstWithItsPartOfTableAndServer) {
  const std::vector<TabletSummary> tablets = {TabletOf(7, "carts", 100, 0), TabletOf(8, "carts", 250, 50),
                                              TabletOf(9, "users", 100, 0)};
  const std::vector<Heat> all = ByHeat(tablets);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].tablet->id, TabletId{8});
  EXPECT_DOUBLE_EQ(all[0].of_table.value(), 0.75);
  EXPECT_DOUBLE_EQ(all[0].of_server.value(), 0.6);
  EXPECT_DOUBLE_EQ(Operations(all), 500);
}

TEST(HotTest, AnIdleTableOrServerHasNoParts) {
  const std::vector<TabletSummary> tablets = {TabletOf(7, "carts", 8, 0), TabletOf(8, "users", 3, 0)};
  const std::vector<Heat> all = ByHeat(tablets);
  EXPECT_FALSE(all[0].of_table.has_value()) << "8 operations/s are all of its table's, and nothing";
  EXPECT_TRUE(all[0].of_server.has_value()) << "the server has 11";
  const std::vector<TabletSummary> idle = {TabletOf(7, "carts", 0.3, 0)};
  EXPECT_FALSE(ByHeat(idle)[0].of_server.has_value());
}

}  // namespace
}  // namespace ebla::shell
