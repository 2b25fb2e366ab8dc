// The bounds of database 0's memory, as a fake cluster tells them and Redis's clients read them.
#include "gateway/redis/databases/numbered_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/testing/fake_servers.h"
#include "common/testing/eventually.h"
#include "gateway/redis/connections/connection_state.h"

namespace ebla::gateway::redis {
namespace {

using client::testing::FakeServers;
using ::ebla::testing::Eventually;
using ::testing::HasSubstr;

TEST(BoundsOf, AreOfTheServerThatHasLeastAndCountWhatAllEvicted) {
  TableInfo table;
  table.options.eviction = TableEviction::kLru;
  EXPECT_EQ(BoundsOf(table).policy, "noeviction") << "it is on disk";
  table.options.memory = true;
  EXPECT_EQ(BoundsOf(table).bytes_max, 0u);
  table.options.memory_limit = 64 << 20;
  table.memory = {{.server = "a", .limit_bytes = 64 << 20, .evicted = 3},
                  {.server = "b", .limit_bytes = 32 << 20, .evicted = 4}};
  EXPECT_EQ(BoundsOf(table).bytes_max, 32u << 20);
  EXPECT_EQ(BoundsOf(table).evicted, 7);
  EXPECT_EQ(BoundsOf(table).policy, "allkeys-lru");
  table.options.eviction = TableEviction::kLfu;
  EXPECT_EQ(BoundsOf(table).policy, "allkeys-lfu");
  table.options.eviction = TableEviction::kTtl;
  EXPECT_EQ(BoundsOf(table).policy, "volatile-ttl");
  table.options.eviction = TableEviction::kNone;
  EXPECT_EQ(BoundsOf(table).policy, "noeviction");
}

TEST(NumberedTables, BoundsAreShownByInfoAndConfigAndCannotBeSet) {
  FakeServers servers;
  const auto client = Client::Connect({.masters = servers.masters()});
  ASSERT_TRUE(client) << client.error();
  const TableOptions cache{.memory = true, .eviction = TableEviction::kLfu, .memory_limit = 64 << 20};
  ASSERT_TRUE(client->CreateTable("redis", {.table = cache, .split_points = {}}));
  ASSERT_TRUE(client->CreateTable("redis-1"));
  const Shared shared{.tables = std::make_shared<NumberedTables>(*client, "redis", false)};
  shared.tables->Start();
  EXPECT_TRUE(Eventually([&] { return shared.tables->Bounds().bytes_max > 0; }));
  EXPECT_THAT(InfoText(shared, {"memory"}),
              HasSubstr("maxmemory:67108864\r\nmaxmemory_human:64.00M\r\nmaxmemory_policy:allkeys-lfu\r\n"));
  EXPECT_THAT(InfoText(shared, {"stats"}), HasSubstr("\r\nevicted_keys:0\r\n"));
  EXPECT_THAT(InfoText(Shared(), {"memory"}), HasSubstr("maxmemory:0\r\nmaxmemory_human:0B\r\n"));

  Session session(shared, "127.0.0.1:1", {});
  const auto config = [&](const Words& words) { return session.Answer(*FindCommand("config"), words); };
  EXPECT_EQ(config({"CONFIG", "GET", "maxmemory*"}),
            "*4\r\n$9\r\nmaxmemory\r\n$8\r\n67108864\r\n$16\r\nmaxmemory-policy\r\n$11\r\nallkeys-lfu\r\n");
  EXPECT_EQ(config({"CONFIG", "SET", "maxmemory", "0"}),
            "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - can't set immutable config\r\n");
  EXPECT_EQ(config({"CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"}), "+OK\r\n") << "it is that";
}

}  // namespace
}  // namespace ebla::gateway::redis
