// Every kind of operation that the SDK has, by users of whom each has one kind of grant: who may is not refused, and who
// may not is told what lacks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/integration/secure_fixture.h"

namespace ebla::testing {
namespace {

using ::testing::HasSubstr;
using Kind = AccessChange::Kind;

// What an operation takes.
enum class Takes {
  kReadKey,     // that begins with "eu/"
  kReadTable,   // every key of it
  kWriteKey,    // that begins with "eu/"
  kWriteOther,  // a key that does not
  kBoth,        // to read and to write a key
  kAny,         // a grant of the table, of any kind
  kAdminOfOne,  // of the table
  kAdminOfAll,
  kCluster,
};

const BatchOptions kAbsent = {.if_absent = true};

struct User {
  std::string name;
  std::vector<Grant> grants;
  std::set<Takes> may;
  std::optional<Client> client = {};
  std::optional<Table> carts = {};
};

struct Operation {
  const char* name;
  Takes takes;
  std::function<Status(const Client&, const Table&)> run;
};

template <class T>
Status StatusOf(const Result<T>& result) {
  return result.has_value() ? Status() : result.error();
}

Status Scanned(const Table& table, ScanOptions options) {
  auto scan = table.Scan(std::move(options));
  while (scan.Next()) continue;
  return scan.status();
}

std::string WhatLacks(Takes takes) {
  switch (takes) {
    case Takes::kReadKey:
    case Takes::kReadTable:
    case Takes::kAny: return "lacks a grant of read";
    case Takes::kWriteKey:
    case Takes::kWriteOther: return "lacks a grant of write";
    case Takes::kBoth: return "lacks a grant of ";
    case Takes::kAdminOfOne: return "lacks a grant of admin";
    case Takes::kAdminOfAll: return "lacks a grant of admin of every table";
    case Takes::kCluster: return "it takes an operator";
  }
  return "?";
}

std::vector<Operation> OfData() {
  using C = const Client&;
  using T = const Table&;
  return {
      {"get", Takes::kReadKey, [](C, T t) { return StatusOf(t.Get("eu/1")); }},
      {"get of any replica", Takes::kReadKey,
       [](C, T t) { return StatusOf(t.Get("eu/1", {.read = Read::Eventual()})); }},
      {"multiGet", Takes::kReadKey, [](C, T t) { return StatusOf(t.MultiGet({"eu/1", "eu/2"})[1]); }},
      {"multiGet elsewhere", Takes::kReadTable, [](C, T t) { return StatusOf(t.MultiGet({"eu/1", "zz"})[1]); }},
      {"scan", Takes::kReadTable, [](C, T t) { return Scanned(t, {}); }},
      {"reverse scan", Takes::kReadTable, [](C, T t) { return Scanned(t, {.reverse = true}); }},
      {"scan of keys", Takes::kReadTable, [](C, T t) { return Scanned(t, {.keys_only = true}); }},
      {"scan by prefix", Takes::kReadKey, [](C, T t) { return Scanned(t, {.range = KeyRange::Prefix("eu/")}); }},
      {"reverse scan by prefix", Takes::kReadKey,
       [](C, T t) { return Scanned(t, {.range = KeyRange::Prefix("eu/"), .reverse = true}); }},
      {"scan by a shorter prefix", Takes::kReadTable,
       [](C, T t) { return Scanned(t, {.range = KeyRange::Prefix("eu")}); }},
      {"put", Takes::kWriteKey, [](C, T t) { return StatusOf(t.Put("eu/1", "y")); }},
      {"put elsewhere", Takes::kWriteOther, [](C, T t) { return StatusOf(t.Put("zz", "y")); }},
      {"conditional put", Takes::kWriteKey, [](C, T t) { return StatusOf(t.Put("eu/1", "y", {.if_absent = true})); }},
      {"delete", Takes::kWriteKey, [](C, T t) { return t.Delete("eu/2"); }},
      {"increment", Takes::kWriteKey, [](C, T t) { return StatusOf(t.Increment("eu/n", 1)); }},
      {"batch", Takes::kWriteKey,
       [](C, T t) { return StatusOf(t.Write(std::move(Batch().Put("eu/3", "x").Delete("eu/4")))); }},
      {"batch that leaves the prefix", Takes::kWriteOther,
       [](C, T t) { return StatusOf(t.Write(std::move(Batch().Put("eu/3", "x").Put("a", "x")))); }},
      {"bare condition", Takes::kWriteKey,
       [](C, T t) { return StatusOf(t.Write(std::move(Batch().Check("eu/1", kAbsent).Put("eu/3", "x")))); }},
      {"bare condition elsewhere", Takes::kWriteOther,
       [](C, T t) { return StatusOf(t.Write(std::move(Batch().Check("a", kAbsent).Put("eu/3", "x")))); }},
      {"writes each for itself", Takes::kWriteKey,
       [](C, T t) { return StatusOf(t.MultiWrite({{.kind = Batch::Kind::kPut, .key = "eu/5", .value = "x"}})[0]); }},
      {"apply", Takes::kBoth, [](C, T t) { return StatusOf(t.Write(std::move(Batch().Apply("eu/6", "none", "")))); }},
  };
}

// Of those that would change something, what it is does not exist.
std::vector<Operation> OfAdmins() {
  using C = const Client&;
  using T = const Table&;
  return {
      {"open", Takes::kAny, [](C c, T) { return StatusOf(c.OpenTable("carts")); }},
      {"describe", Takes::kAny, [](C c, T) { return StatusOf(c.DescribeTable("carts")); }},
      {"locate", Takes::kAny, [](C c, T) { return StatusOf(c.Locate("carts", "eu/1")); }},
      {"alter", Takes::kAdminOfOne, [](C c, T) { return StatusOf(c.AlterTable("carts", {.replicas = 3})); }},
      {"split", Takes::kAdminOfOne, [](C c, T) { return StatusOf(c.SplitTablet("carts", "m")); }},
      {"merge", Takes::kAdminOfOne, [](C c, T) { return StatusOf(c.MergeTablets("carts", "no tablet's")); }},
      {"move", Takes::kAdminOfOne, [](C c, T) { return c.MoveTablet("carts", "a", {.from = "ts-8", .to = "ts-9"}); }},
      {"cancel a move", Takes::kAdminOfOne, [](C c, T) { return c.MoveTablet("carts", "a", {.cancel = true}); }},
      {"transfer", Takes::kAdminOfOne, [](C c, T) { return c.TransferTablet("carts", "a", "ts-9"); }},
      {"compact", Takes::kAdminOfOne, [](C c, T) { return StatusOf(c.CompactTable("carts", {.start = false})); }},
      {"create", Takes::kAdminOfAll, [](C c, T) { return StatusOf(c.CreateTable("users")); }},
  };
}

class GrantsMatrixTest : public SecureClusterTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(SecureClusterTest::SetUp());
    auto client = Connect("operator");
    ASSERT_TRUE(client.has_value()) << client.error();
    olga_ = *client;
    for (const char* table : {"carts", "users"}) {
      const auto made = olga_->CreateTable(table, {.split_points = {"m"}});
      ASSERT_TRUE(made.has_value()) << made.error();
    }
    servers_ = *olga_->ListServers();
    tablets_ = *olga_->ListTablets("carts");
    ASSERT_NO_FATAL_FAILURE(MakeUsers());
  }
  void MakeUsers();
  std::vector<Operation> OfOperators() const;
  // Each operation by each user.
  void Try(const std::vector<Operation>& operations) const {
    for (const User& user : users_) {
      for (const Operation& operation : operations) {
        const Status status = operation.run(*user.client, *user.carts);
        const std::string what = user.name + " asks for " + operation.name + ": " + status.ToString();
        if (user.may.contains(operation.takes)) {
          EXPECT_NE(status.code(), Code::kPermissionDenied) << what;
          continue;
        }
        EXPECT_EQ(status.code(), Code::kPermissionDenied) << what;
        EXPECT_THAT(status.message(), HasSubstr(WhatLacks(operation.takes))) << what;
        EXPECT_THAT(status.message(), HasSubstr("\"" + user.name + "\"")) << what;
      }
    }
  }

  std::optional<Client> olga_;
  std::vector<ServerSummary> servers_;
  std::vector<TabletSummary> tablets_;
  std::vector<User> users_;
};

void GrantsMatrixTest::MakeUsers() {
  using enum Takes;
  using enum Permission;
  users_ = {
      {"nobody", {}, {}},
      {"reader", {{kRead, "carts", ""}}, {kReadKey, kReadTable, kAny}},
      {"writer", {{kWrite, "carts", ""}}, {kWriteKey, kWriteOther, kAny}},
      {"both",
       {{kRead, "carts", ""}, {kWrite, "carts", ""}},
       {kReadKey, kReadTable, kWriteKey, kWriteOther, kBoth, kAny}},
      {"eu-reader", {{kRead, "carts", "eu/"}}, {kReadKey, kAny}},
      {"eu-writer", {{kWrite, "carts", "eu/"}}, {kWriteKey, kAny}},
      {"us-user", {{kRead, "carts", "us/"}, {kWrite, "carts", "us/"}}, {kAny}},
      {"admin", {{kAdmin, "carts", ""}}, {kAdminOfOne, kAny}},
      {"other", {{kRead, "users", ""}, {kWrite, "users", ""}, {kAdmin, "users", ""}}, {}},
      {"all-reader", {{kRead, "", ""}}, {kReadKey, kReadTable, kAny}},
      {"all-admin", {{kAdmin, "", ""}}, {kAdminOfOne, kAdminOfAll, kAny}},
      {"chief",
       {{kOperator, "", ""}},
       {kReadKey, kReadTable, kWriteKey, kWriteOther, kBoth, kAny, kAdminOfOne, kAdminOfAll, kCluster}},
  };
  // All find the table, while everybody may read it: what they are refused later is the operation itself.
  const Grant all_read = {kRead, "carts", ""};
  ASSERT_TRUE(olga_->ChangeAccess({{.kind = Kind::kGrant, .name = "everybody", .grant = all_read}}).ok());
  std::vector<AccessChange> changes = {{.kind = Kind::kRevoke, .name = "everybody", .grant = all_read}};
  for (User& user : users_) {
    Make(user.name, {.name = user.name});
    const auto client = Connect(user.name);
    ASSERT_TRUE(client.has_value()) << client.error();
    user.client = *client;
    ASSERT_TRUE(Eventually([&] {
      const auto carts = user.client->OpenTable("carts");
      if (carts) user.carts = *carts;
      const auto knows = [&](const char* key) { return user.carts->Get(key).error().code() == Code::kNotFound; };
      return carts.has_value() && knows("eu/1") && knows("zz");
    }));
    changes.push_back({.kind = Kind::kCreateUser, .name = user.name});
    for (const Grant& grant : user.grants) changes.push_back({.kind = Kind::kGrant, .name = user.name, .grant = grant});
  }
  // One change: who knows of the last of it knows of all.
  const Status changed = olga_->ChangeAccess(std::move(changes));
  ASSERT_TRUE(changed.ok()) << changed;
  const Client& chief = *users_.back().client;
  for (const ServerSummary& server : servers_)
    ASSERT_TRUE(Eventually([&] {
      return StatusOf(chief.Checksum(server, tablets_.front())).code() != Code::kPermissionDenied;
    })) << server.name;
  ASSERT_TRUE(Eventually([&] { return chief.ListTablets().has_value(); }));
}

std::vector<Operation> GrantsMatrixTest::OfOperators() const {
  using C = const Client&;
  using T = const Table&;
  constexpr auto kTakes = Takes::kCluster;
  const auto change = [](AccessChange what) { return [what](C c, T) { return c.ChangeAccess({what}); }; };
  const Grant everything = {Permission::kOperator, "", ""};
  return {
      {"list tablets", kTakes, [](C c, T) { return StatusOf(c.ListTablets("carts")); }},
      {"list replicas", kTakes, [](C c, T) { return StatusOf(c.ListReplicas("carts")); }},
      {"describe a tablet", kTakes, [id = tablets_[0].id](C c, T) { return StatusOf(c.DescribeTablet(id)); }},
      {"list access", kTakes, [](C c, T) { return StatusOf(c.ListAccess()); }},
      {"list secrets", kTakes, [](C c, T) { return StatusOf(c.ListAccess(true)); }},
      {"grant", kTakes, change({.kind = Kind::kGrant, .name = "chief", .grant = everything})},
      {"revoke", kTakes, change({.kind = Kind::kRevoke, .name = "nobody", .grant = everything})},
      {"set a password", kTakes, change({.kind = Kind::kSetPassword, .name = "who", .password = "sesame"})},
      {"drop a user", kTakes, change({.kind = Kind::kDropUser, .name = "who"})},
      {"give a role", kTakes, change({.kind = Kind::kGrantRole, .name = "nobody", .role = "none"})},
      {"limit a user", kTakes, change({.kind = Kind::kSetLimits, .name = "chief"})},
      {"limit a table", kTakes, change({.kind = Kind::kSetTableLimits, .grant = {.table = "users"}})},
      {"drain", kTakes, [](C c, T) { return StatusOf(c.SetServer("ts-9", {.draining = true})); }},
      {"end a drain", kTakes, [](C c, T) { return StatusOf(c.SetServer("ts-9", {.draining = false})); }},
      {"maintain", kTakes, [](C c, T) { return StatusOf(c.SetServer("ts-9", {.maintenance = true})); }},
      {"remove a server", kTakes, [](C c, T) { return c.RemoveServer("ts-9"); }},
      {"recover", kTakes, [](C c, T) { return StatusOf(c.RecoverTablet(TabletId{99'999})); }},
      {"adopt", kTakes, [](C c, T) { return StatusOf(c.Adopt()); }},
      {"ask the planner", kTakes, [](C c, T) { return StatusOf(c.Planner()); }},
      {"switch the planner", kTakes, [](C c, T) { return StatusOf(c.Planner({.enabled = true})); }},
      {"list procedures", kTakes, [](C c, T) { return StatusOf(c.ListProcedures()); }},
      {"cancel", kTakes, [](C c, T) { return StatusOf(c.CancelProcedure("move-99999")); }},
      {"scrub", kTakes, [](C c, T) { return StatusOf(c.Scrub("ts-9")); }},
      {"list versions", kTakes, [](C c, T) { return StatusOf(c.ListVersions()); }},
      {"hold the level", kTakes, [](C c, T) { return c.HoldLevel(false); }},
      {"checksum", kTakes, [s = servers_[0], t = tablets_[0]](C c, T) { return StatusOf(c.Checksum(s, t)); }},
      {"snapshot", kTakes, [s = servers_[0], t = tablets_[0]](C c, T) { return StatusOf(c.ReadSnapshot(s, t, 0)); }},
      {"follow the log", kTakes, [s = servers_[0]](C c, T) { return StatusOf(c.FollowLog(s, {})); }},
  };
}

TEST_F(GrantsMatrixTest, WhatIsDoneWithRecords) { Try(OfData()); }

TEST_F(GrantsMatrixTest, WhatIsDoneWithTablesAndTheCluster) {
  Try(OfAdmins());
  Try(OfOperators());
  // Whoever may not first.
  const auto drop = [](const Client& c, const Table&) { return c.DropTable("carts"); };
  std::erase_if(users_, [](const User& user) { return user.may.contains(Takes::kAdminOfOne) && user.name != "admin"; });
  std::ranges::stable_partition(users_, [](const User& user) { return user.name != "admin"; });
  Try({{"drop", Takes::kAdminOfOne, drop}});
  EXPECT_EQ(olga_->OpenTable("carts").error().code(), Code::kNoSuchTable);
}

}  // namespace
}  // namespace ebla::testing
