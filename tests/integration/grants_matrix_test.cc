// Every kind of operation of the SDK, by users with one kind of grant each. A user with the right grant is served, and
// a user without it is told the missing grant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "common/rpc/services.h"
#include "tests/integration/secure_fixture.h"

namespace ebla::testing {
namespace {

using ::testing::HasSubstr;
using Kind = AccessChange::Kind;

// The permission that an operation needs.
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
  const char* method;  // of the IDL, that it calls
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
      {"get", "get", Takes::kReadKey, [](C, T t) { return StatusOf(t.Get("eu/1")); }},
      {"get of any replica", "get", Takes::kReadKey,
       [](C, T t) { return StatusOf(t.Get("eu/1", {.read = Read::Eventual()})); }},
      {"get in a session", "get", Takes::kReadKey,
       [](C c, T t) {
         Session session = c.NewSession();
         return StatusOf(t.Get("eu/1", {.read = Read::InSession(), .session = &session}));
       }},
      {"multiGet", "multiGet", Takes::kReadKey, [](C, T t) { return StatusOf(t.MultiGet({"eu/1", "eu/2"})[1]); }},
      {"multiGet elsewhere", "multiGet", Takes::kReadTable,
       [](C, T t) { return StatusOf(t.MultiGet({"eu/1", "zz"})[1]); }},
      {"scan", "scan", Takes::kReadTable, [](C, T t) { return Scanned(t, {}); }},
      {"reverse scan", "scan", Takes::kReadTable, [](C, T t) { return Scanned(t, {.reverse = true}); }},
      {"scan of keys", "scan", Takes::kReadTable, [](C, T t) { return Scanned(t, {.keys_only = true}); }},
      {"scan by prefix", "scan", Takes::kReadKey,
       [](C, T t) { return Scanned(t, {.range = KeyRange::Prefix("eu/")}); }},
      {"reverse scan by prefix", "scan", Takes::kReadKey,
       [](C, T t) { return Scanned(t, {.range = KeyRange::Prefix("eu/"), .reverse = true}); }},
      {"scan by a shorter prefix", "scan", Takes::kReadTable,
       [](C, T t) { return Scanned(t, {.range = KeyRange::Prefix("eu")}); }},
      {"put", "write", Takes::kWriteKey, [](C, T t) { return StatusOf(t.Put("eu/1", "y")); }},
      {"put elsewhere", "write", Takes::kWriteOther, [](C, T t) { return StatusOf(t.Put("zz", "y")); }},
      {"conditional put", "write", Takes::kWriteKey,
       [](C, T t) { return StatusOf(t.Put("eu/1", "y", {.if_absent = true})); }},
      {"delete", "write", Takes::kWriteKey, [](C, T t) { return t.Delete("eu/2"); }},
      {"increment", "write", Takes::kWriteKey, [](C, T t) { return StatusOf(t.Increment("eu/n", 1)); }},
      {"batch", "write", Takes::kWriteKey,
       [](C, T t) { return StatusOf(t.Write(std::move(Batch().Put("eu/3", "x").Delete("eu/4")))); }},
      {"batch that leaves the prefix", "write", Takes::kWriteOther,
       [](C, T t) { return StatusOf(t.Write(std::move(Batch().Put("eu/3", "x").Put("a", "x")))); }},
      {"bare condition", "write", Takes::kWriteKey,
       [](C, T t) { return StatusOf(t.Write(std::move(Batch().Check("eu/1", kAbsent).Put("eu/3", "x")))); }},
      {"bare condition elsewhere", "write", Takes::kWriteOther,
       [](C, T t) { return StatusOf(t.Write(std::move(Batch().Check("a", kAbsent).Put("eu/3", "x")))); }},
      {"writes each for itself", "write", Takes::kWriteKey,
       [](C, T t) { return StatusOf(t.MultiWrite({{.kind = Batch::Kind::kPut, .key = "eu/5", .value = "x"}})[0]); }},
      {"call", "call", Takes::kReadKey, [](C, T t) { return StatusOf(t.Call("eu/1", "counted.size", "")); }},
      {"apply", "write", Takes::kBoth,
       [](C, T t) { return StatusOf(t.Write(std::move(Batch().Apply("eu/6", "none", "")))); }},
  };
}

// Operations that would change something name a missing object.
std::vector<Operation> OfAdmins() {
  using C = const Client&;
  using T = const Table&;
  return {
      {"open", "describeTable", Takes::kAny, [](C c, T) { return StatusOf(c.OpenTable("carts")); }},
      {"describe", "describeTable", Takes::kAny, [](C c, T) { return StatusOf(c.DescribeTable("carts")); }},
      {"locate", "locate", Takes::kAny, [](C c, T) { return StatusOf(c.Locate("carts", "eu/1")); }},
      {"alter", "alterTable", Takes::kAdminOfOne,
       [](C c, T) { return StatusOf(c.AlterTable("carts", {.replicas = 3})); }},
      {"split", "splitTablet", Takes::kAdminOfOne, [](C c, T) { return StatusOf(c.SplitTablet("carts", "m")); }},
      {"merge", "mergeTablets", Takes::kAdminOfOne,
       [](C c, T) { return StatusOf(c.MergeTablets("carts", "no tablet's")); }},
      {"move", "moveTablet", Takes::kAdminOfOne,
       [](C c, T) { return c.MoveTablet("carts", "a", {.from = "ts-8", .to = "ts-9"}); }},
      {"cancel a move", "moveTablet", Takes::kAdminOfOne,
       [](C c, T) { return c.MoveTablet("carts", "a", {.cancel = true}); }},
      {"transfer", "transferTablet", Takes::kAdminOfOne, [](C c, T) { return c.TransferTablet("carts", "a", "ts-9"); }},
      {"compact", "compactTable", Takes::kAdminOfOne,
       [](C c, T) { return StatusOf(c.CompactTable("carts", {.start = false})); }},
      {"create", "createTable", Takes::kAdminOfAll, [](C c, T) { return StatusOf(c.CreateTable("users")); }},
  };
}

class GrantsMatrixTest : public SecureClusterTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(SecureClusterTest::SetUp());
    ASSERT_NO_FATAL_FAILURE(MakeTables({"carts", "users", "seen"}));
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
  std::vector<AccessChange> changes = {
      {.kind = Kind::kRevoke, .name = "everybody", .grant = all_read},
      {.kind = Kind::kGrant, .name = "everybody", .grant = {kRead, "seen", "none"}}};  // all may ask what it is
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
      {"list tablets", "listTablets", kTakes, [](C c, T) { return StatusOf(c.ListTablets("carts")); }},
      {"list replicas", "listTablets", kTakes, [](C c, T) { return StatusOf(c.ListReplicas("carts")); }},
      {"describe a tablet", "listTablets", kTakes,
       [id = tablets_[0].id](C c, T) { return StatusOf(c.DescribeTablet(id)); }},
      {"list access", "listAccess", kTakes, [](C c, T) { return StatusOf(c.ListAccess()); }},
      {"list secrets", "listAccess", kTakes, [](C c, T) { return StatusOf(c.ListAccess(true)); }},
      {"grant", "changeAccess", kTakes, change({.kind = Kind::kGrant, .name = "chief", .grant = everything})},
      {"revoke", "changeAccess", kTakes, change({.kind = Kind::kRevoke, .name = "nobody", .grant = everything})},
      {"set a password", "changeAccess", kTakes,
       change({.kind = Kind::kSetPassword, .name = "who", .password = "sesame"})},
      {"drop a user", "changeAccess", kTakes, change({.kind = Kind::kDropUser, .name = "who"})},
      {"give a role", "changeAccess", kTakes, change({.kind = Kind::kGrantRole, .name = "nobody", .role = "none"})},
      {"limit a user", "changeAccess", kTakes, change({.kind = Kind::kSetLimits, .name = "chief"})},
      {"limit a table", "changeAccess", kTakes, change({.kind = Kind::kSetTableLimits, .grant = {.table = "users"}})},
      {"drain", "setServer", kTakes, [](C c, T) { return StatusOf(c.SetServer("ts-9", {.draining = true})); }},
      {"end a drain", "setServer", kTakes, [](C c, T) { return StatusOf(c.SetServer("ts-9", {.draining = false})); }},
      {"accept a clock", "setServer", kTakes,
       [](C c, T) { return StatusOf(c.SetServer("ts-9", {.accept_clock = true})); }},
      {"maintain", "setServer", kTakes, [](C c, T) { return StatusOf(c.SetServer("ts-9", {.maintenance = true})); }},
      {"remove a server", "removeServer", kTakes, [](C c, T) { return c.RemoveServer("ts-9"); }},
      {"recover", "recoverTablet", kTakes, [](C c, T) { return StatusOf(c.RecoverTablet(TabletId{99'999})); }},
      {"adopt", "adopt", kTakes, [](C c, T) { return StatusOf(c.Adopt()); }},
      {"ask the planner", "balance", kTakes, [](C c, T) { return StatusOf(c.Planner()); }},
      {"switch the planner", "balance", kTakes, [](C c, T) { return StatusOf(c.Planner({.enabled = true})); }},
      {"list procedures", "listProcedures", kTakes, [](C c, T) { return StatusOf(c.ListProcedures()); }},
      {"cancel", "cancelProcedure", kTakes, [](C c, T) { return StatusOf(c.CancelProcedure("move-99999")); }},
      {"scrub", "scrubServers", kTakes, [](C c, T) { return StatusOf(c.Scrub("ts-9")); }},
      {"list versions", "clusterVersion", kTakes, [](C c, T) { return StatusOf(c.ListVersions()); }},
      {"hold the level", "holdLevel", kTakes, [](C c, T) { return c.HoldLevel(false); }},
      {"checksum", "checksum", kTakes,
       [s = servers_[0], t = tablets_[0]](C c, T) { return StatusOf(c.Checksum(s, t)); }},
      {"snapshot", "snapshot", kTakes,
       [s = servers_[0], t = tablets_[0]](C c, T) { return StatusOf(c.ReadSnapshot(s, t, 0)); }},
      {"follow the log", "followLog", kTakes, [s = servers_[0]](C c, T) { return StatusOf(c.FollowLog(s, {})); }},
      {"list what is kept", "listKept", kTakes, [](C c, T) { return StatusOf(c.ListUnresolved("seen")); }},
      {"forget what is kept", "forgetKept", kTakes,
       [s = servers_[0].name](C c, T) { return c.DiscardUnresolved("seen", {.server = s}); }},
  };
}

// A new method fails here until an operation above calls it, or until all users may call it.
template <class Service>
void ExpectEveryMethodOf(const std::vector<Operation>& operations) {
  using Who = security::Identity::Kind;
  const std::set<std::string_view> to_all = {"echo", "listTables", "listServers", "clusterInfo"};
  const rpc::Access access = rpc::ServiceMethods<Service>::RequiredAccess();
  const auto expect = [&](std::string_view method) {
    if (to_all.contains(method) || access.Of(method) == Who::kServer) return;
    const auto found =
        std::ranges::find(operations, method, [](const Operation& one) { return std::string_view(one.method); });
    ASSERT_NE(found, operations.end()) << "nobody asks for " << method;
    EXPECT_EQ(found->takes == Takes::kCluster, access.Of(method) == Who::kOperator) << method;
  };
  std::apply([&](const auto&... method) { (expect(method.name), ...); }, rpc::ServiceMethods<Service>::kAll);
}

TEST_F(GrantsMatrixTest, WhatIsDoneWithRecords) { Try(OfData()); }

TEST_F(GrantsMatrixTest, WhatIsDoneWithTablesAndTheCluster) {
  std::vector<Operation> drops = {
      {"drop", "dropTable", Takes::kAdminOfOne, [](const Client& c, const Table&) { return c.DropTable("carts"); }}};
  std::vector<Operation> all = drops;
  for (const auto& some : {OfData(), OfAdmins(), OfOperators()}) all.insert(all.end(), some.begin(), some.end());
  ExpectEveryMethodOf<idl::TabletServiceCobSvIf>(all);
  ExpectEveryMethodOf<idl::MasterServiceCobSvIf>(all);
  Try(OfAdmins());
  Try(OfOperators());
  // Users without permission first.
  std::erase_if(users_, [](const User& user) { return user.may.contains(Takes::kAdminOfOne) && user.name != "admin"; });
  std::ranges::stable_partition(users_, [](const User& user) { return user.name != "admin"; });
  Try(drops);
  EXPECT_EQ(olga_->OpenTable("carts").error().code(), Code::kNoSuchTable);
}

}  // namespace
}  // namespace ebla::testing
