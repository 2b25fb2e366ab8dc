// Administration over a pretended cluster, in virtual time.
#include "client/core/admin/admin.h"

#include <gtest/gtest.h>

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
