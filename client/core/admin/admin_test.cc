// Administration over a pretended cluster, in virtual time.
#include "client/core/admin/admin.h"

#include <gtest/gtest.h>

#include <limits>

#include "client/core/admin/admin_convert.h"
#include "client/core/calls/deadline.h"
#include "client/testing/core_fixture.h"

namespace ebla::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ClientCoreTest;
using testing::kMaster1;
using testing::LinkState;

TEST_F(ClientCoreTest, CreatesDescribesAltersListsAndDrops) {
  const auto made = Wait<Result<TableInfo>>([&](auto done) {
    admin_.CreateTable("carts", {.table = {.replicas = 1, .default_ttl = seconds(5)}, .split_points = {"f", "m"}},
                       OnceCallback<Result<TableInfo>>(std::move(done)));
  });
  ASSERT_TRUE(made) << made.error();
  EXPECT_EQ(made->tablets, 3);
  EXPECT_EQ(made->options.default_ttl, milliseconds(5000));
  const auto again = Wait<Result<TableInfo>>(
      [&](auto done) { admin_.CreateTable("carts", {}, OnceCallback<Result<TableInfo>>(std::move(done))); });
  EXPECT_EQ(again.error().code(), Code::kTableExists);
  const auto altered = Wait<Result<TableInfo>>([&](auto done) {
    admin_.AlterTable("carts", {.default_ttl = seconds(9)}, OnceCallback<Result<TableInfo>>(std::move(done)));
  });
  EXPECT_EQ(altered->options.default_ttl, milliseconds(9000));
  const auto tables = Wait<Result<std::vector<TableInfo>>>(
      [&](auto done) { admin_.ListTables(OnceCallback<Result<std::vector<TableInfo>>>(std::move(done))); });
  EXPECT_EQ(tables->size(), 2u);
  EXPECT_TRUE(Wait<Status>([&](auto done) { admin_.DropTable("carts", OnceCallback<Status>(std::move(done))); }).ok());
  EXPECT_EQ(Wait<Status>([&](auto done) { admin_.DropTable("carts", OnceCallback<Status>(std::move(done))); }).code(),
            Code::kNoSuchTable);
}

TEST(AdminConvertTest, ANumberThatTheWireCannotHoldIsNotCutOff) {
  TableOptions options;
  options.interval = milliseconds(4'294'968'296);  // 2^32 + 1000
  options.split_bytes = std::numeric_limits<uint64_t>::max();
  options.memory_limit = std::numeric_limits<uint64_t>::max();
  options.key_group = TableKeyGroup{.prefix_bytes = 4'294'967'295};
  const idl::TableOptions sent = ToIdl(options);
  EXPECT_EQ(sent.intervalMs, std::numeric_limits<int32_t>::max());
  EXPECT_EQ(sent.splitBytes, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(sent.memoryLimit, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(sent.keyGroup.prefixBytes, std::numeric_limits<int32_t>::max());
  options.interval = milliseconds::min();
  EXPECT_EQ(ToIdl(options).intervalMs, std::numeric_limits<int32_t>::min());
}

TEST(DeadlineTest, TheLongestOneNeitherOverflowsATimeNorTheWire) {
  EXPECT_EQ(DeadlineOf(milliseconds::max()), Duration(kDeadlineMax));
  EXPECT_EQ(DeadlineOf(seconds(10)), Duration(seconds(10)));
  EXPECT_LE(kDeadlineMax.count(), std::numeric_limits<int32_t>::max());
}

TEST_F(ClientCoreTest, ALostReplyOfCreateOrDropIsNotHeldAgainstTheCaller) {
  network_.Next(kMaster1, LinkState::kCutAfter);
  const auto made = Wait<Result<TableInfo>>([&](auto done) {
    admin_.CreateTable("carts", {.split_points = {"f"}}, OnceCallback<Result<TableInfo>>(std::move(done)));
  });
  ASSERT_TRUE(made) << made.error();
  EXPECT_EQ(made->tablets, 2);
  network_.Next(kMaster1, LinkState::kCutAfter);
  EXPECT_TRUE(Wait<Status>([&](auto done) { admin_.DropTable("carts", OnceCallback<Status>(std::move(done))); }).ok());
}

}  // namespace
}  // namespace ebla::client
