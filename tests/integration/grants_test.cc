// Users and what they may do, against a real cluster: each operation by each grant, and grants that come and go.
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <future>
#include <thread>

#include "tests/integration/secure_fixture.h"

namespace ebla::testing {
namespace {

using ::testing::HasSubstr;
using Kind = AccessChange::Kind;
using std::chrono::steady_clock;

class GrantsTest : public SecureClusterTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(SecureClusterTest::SetUp());
    ASSERT_NO_FATAL_FAILURE(MakeTables({"carts", "users"}));
    ASSERT_TRUE(Change({{.kind = Kind::kCreateUser, .name = "ada", .password = "sesame"}}).ok());
  }
  Status Change(std::vector<AccessChange> changes) { return olga_->ChangeAccess(std::move(changes)); }
  Status Give(Permission permission, const std::string& table = "carts", const std::string& prefix = "") {
    return Change({{.kind = Kind::kGrant, .name = "ada", .grant = {permission, table, prefix}}});
  }
  Status Take(Permission permission, const std::string& table = "carts", const std::string& prefix = "") {
    return Change({{.kind = Kind::kRevoke, .name = "ada", .grant = {permission, table, prefix}}});
  }
  // Tries until the answer is as wanted, which has to be within a second.
  template <class F>
  static void WithinASecond(bool wanted, const F& what, const char* of) {
    const auto end = steady_clock::now() + std::chrono::seconds(1);
    Status last;
    do {
      last = what();
      if (last.ok() == wanted) break;
    } while (steady_clock::now() < end);
    EXPECT_EQ(last.ok(), wanted) << of << ": " << last;
    if (!wanted) {
      EXPECT_EQ(last.code(), Code::kPermissionDenied) << of << ": " << last;
    }
  }
  static Status StatusOf(Status status) { return status; }
  template <class T>
  static Status StatusOf(const Result<T>& result) {
    return result.has_value() || result.error().code() == Code::kNotFound ? Status() : result.error();
  }

  // Once the master knows of a grant.
  static std::optional<Table> Open(const Client& client) {
    std::optional<Table> carts;
    WithinASecond(
        true,
        [&] {
          auto table = client.OpenTable("carts");
          if (table) carts = *table;
          return StatusOf(table);
        },
        "open");
    return carts;
  }
};

// Every kind of operation, with no grant and with each.
TEST_F(GrantsTest, EachOperationTakesItsGrant) {
  const auto ada = Connect("user");
  ASSERT_TRUE(ada.has_value()) << ada.error();
  EXPECT_EQ(StatusOf(ada->OpenTable("carts")).code(), Code::kPermissionDenied);
  auto opened = olga_->OpenTable("carts");
  ASSERT_TRUE(opened.has_value());
  ASSERT_TRUE(opened->Put("eu/1", "x").has_value());
  ASSERT_TRUE(Give(Permission::kRead, "users").ok());  // of another table
  struct Operation {
    const char* name;
    Permission takes;
    std::function<Status(const Table&)> run;
  };
  const std::vector<Operation> operations = {
      {"get", Permission::kRead, [](const Table& t) { return StatusOf(t.Get("eu/1")); }},
      {"multiGet", Permission::kRead, [](const Table& t) { return StatusOf(t.MultiGet({"eu/1", "zz"}).front()); }},
      {"scan", Permission::kRead,
       [](const Table& t) {
         auto scan = t.Scan({});
         scan.Next();
         return scan.status();
       }},
      {"put", Permission::kWrite, [](const Table& t) { return StatusOf(t.Put("eu/1", "y")); }},
      {"increment", Permission::kWrite, [](const Table& t) { return StatusOf(t.Increment("eu/n", 1)); }},
      {"delete", Permission::kWrite, [](const Table& t) { return StatusOf(t.Delete("eu/2")); }},
      {"alter", Permission::kAdmin, [&](const Table&) { return StatusOf(ada->AlterTable("carts", {.replicas = 3})); }},
      {"split", Permission::kAdmin, [&](const Table&) { return StatusOf(ada->SplitTablet("carts", "eu")); }},
      {"makes a table", Permission::kOperator,
       [&](const Table&) {
         const Status made = StatusOf(ada->CreateTable("new"));
         return made.code() == Code::kTableExists ? Status() : made;
       }},
      {"lists tablets", Permission::kOperator, [&](const Table&) { return StatusOf(ada->ListTablets()); }},
      {"changes grants", Permission::kOperator, [&](const Table&) { return StatusOf(ada->ListAccess()); }},
  };
  for (const Permission given : {Permission::kRead, Permission::kWrite, Permission::kAdmin, Permission::kOperator}) {
    const std::string of = given == Permission::kOperator ? "" : "carts";
    ASSERT_TRUE(Give(given, of).ok());
    const std::optional<Table> carts = Open(*ada);
    ASSERT_TRUE(carts.has_value());
    for (const Operation& operation : operations) {
      const bool may = given == Permission::kOperator || given == operation.takes;
      WithinASecond(
          may, [&] { return operation.run(*carts); },
          (std::string(operation.name) + " by grant " + std::to_string(static_cast<int>(given))).c_str());
    }
    ASSERT_TRUE(Take(given, of).ok());
    WithinASecond(false, [&] { return StatusOf(ada->OpenTable("carts")); }, "open");
  }
}

// Its answer may reveal the record.
TEST_F(GrantsTest, AFunctionTakesTheGrantsToReadAndToWrite) {
  const auto ada = Connect("user");
  ASSERT_TRUE(ada.has_value()) << ada.error();
  ASSERT_TRUE(Give(Permission::kRead).ok());
  const std::optional<Table> carts = Open(*ada);
  ASSERT_TRUE(carts.has_value());
  const auto apply = [&] { return StatusOf(carts->Write(std::move(Batch().Apply("eu/1", "no such", "")))); };
  const auto invalid = [&] {
    const Status status = apply();
    return status.code() == Code::kInvalidArgument ? Status() : status;
  };
  EXPECT_EQ(apply().code(), Code::kPermissionDenied);
  ASSERT_TRUE(Give(Permission::kWrite).ok());
  WithinASecond(true, invalid, "with both");
  ASSERT_TRUE(Take(Permission::kRead).ok());
  WithinASecond(false, invalid, "with that to write alone");
}

TEST_F(GrantsTest, APrefixOfKeys) {
  ASSERT_TRUE(Give(Permission::kRead, "carts", "eu/").ok());
  const auto ada = Connect("user");
  const std::optional<Table> carts = Open(*ada);
  ASSERT_TRUE(carts.has_value());
  WithinASecond(true, [&] { return StatusOf(carts->Get("eu/1")); }, "get");
  EXPECT_EQ(StatusOf(carts->Get("us/1")).code(), Code::kPermissionDenied);
  EXPECT_EQ(StatusOf(carts->MultiGet({"eu/1", "us/1"})[1]).code(), Code::kPermissionDenied);
  EXPECT_EQ(StatusOf(carts->Put("eu/1", "x")).code(), Code::kPermissionDenied);
}

// It may read and change any key of the group.
TEST_F(GrantsTest, AFunctionOfAGroupTakesTheGrantsOfAllTheGroup) {
  ASSERT_TRUE(olga_->CreateTable("space", {.table = {.key_group = TableKeyGroup{.all = true}}}).has_value());
  for (const Permission permission : {Permission::kRead, Permission::kWrite})
    ASSERT_TRUE(Give(permission, "space", "eu/").ok());
  const auto ada = Connect("user");
  std::optional<Table> space;
  WithinASecond(
      true,
      [&] {
        auto table = ada->OpenTable("space");
        if (table) space = *table;
        return StatusOf(table);
      },
      "open");
  ASSERT_TRUE(space.has_value());
  const auto call = [&] { return StatusOf(space->Call("eu/1", "counted.size", "")); };
  const auto apply = [&] {
    const std::string arguments{
        "\x04"
        "eu/n"
        "\x01"
        "x",
        7};
    return StatusOf(space->Write(std::move(Batch().Apply("eu/1", "counted.put", arguments))));
  };
  WithinASecond(true, [&] { return StatusOf(space->Get("eu/1")); }, "get");
  EXPECT_EQ(call().code(), Code::kPermissionDenied);
  EXPECT_EQ(apply().code(), Code::kPermissionDenied);
  ASSERT_TRUE(Give(Permission::kRead, "space").ok());
  WithinASecond(true, call, "call");
  EXPECT_EQ(apply().code(), Code::kPermissionDenied);
  ASSERT_TRUE(Give(Permission::kWrite, "space").ok());
  WithinASecond(true, apply, "apply");
}

TEST_F(GrantsTest, WhatIsRevokedBitesWithinASecond) {
  ASSERT_TRUE(Give(Permission::kRead).ok());
  const auto ada = Connect("user", std::chrono::seconds(2));
  const std::optional<Table> carts = Open(*ada);
  ASSERT_TRUE(carts.has_value());
  for (const char* key : {"a", "z"}) WithinASecond(true, [&] { return StatusOf(carts->Get(key)); }, "get");
  ASSERT_TRUE(Take(Permission::kRead).ok());
  WithinASecond(false, [&] { return StatusOf(carts->Get("a")); }, "get");
  WithinASecond(false, [&] { return StatusOf(carts->Get("z")); }, "get");
  for (const char* master : {"m-1", "m-2"}) ASSERT_TRUE(cluster_->launcher().Kill(master, SIGKILL).ok());
  EXPECT_EQ(StatusOf(carts->Get("a")).code(), Code::kPermissionDenied) << "with the masters away";
}

// Longer than a session with the coordinator lasts.
TEST_F(GrantsTest, WhatIsKnownGoesOnToCountWithoutMastersAndCoordinator) {
  ASSERT_TRUE(Give(Permission::kRead).ok());
  ASSERT_TRUE(Give(Permission::kWrite).ok());
  const auto ada = Connect("user", std::chrono::seconds(5));
  const std::optional<Table> carts = Open(*ada);
  ASSERT_TRUE(carts.has_value());
  for (const char* key : {"a", "z"}) WithinASecond(true, [&] { return StatusOf(carts->Put(key, "1")); }, "put");
  ASSERT_TRUE(Take(Permission::kWrite).ok());
  for (const char* key : {"a", "z"}) WithinASecond(false, [&] { return StatusOf(carts->Put(key, "2")); }, "put");
  const auto known = steady_clock::now();
  for (const char* process : {"m-1", "m-2", "zookeeper"}) ASSERT_TRUE(cluster_->launcher().Kill(process, SIGKILL).ok());
  while (steady_clock::now() < known + std::chrono::seconds(12)) {
    for (const char* key : {"a", "z"}) {
      ASSERT_EQ(StatusOf(carts->Put(key, "2")).code(), Code::kPermissionDenied) << key;
      ASSERT_TRUE(StatusOf(carts->Get(key)).ok()) << StatusOf(carts->Get(key));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

// A user and a table with limits, at real servers. Calls above a limit are refused by its name, and no other calls are.
TEST_F(GrantsTest, LimitsHoldTheirUserAndTheirTable) {
  ASSERT_TRUE(Give(Permission::kRead).ok());
  ASSERT_TRUE(Give(Permission::kRead, "users").ok());
  const auto ada = Connect("user", std::chrono::milliseconds(300));
  const std::optional<Table> carts = Open(*ada);
  ASSERT_TRUE(carts.has_value());
  WithinASecond(true, [&] { return StatusOf(carts->Get("a")); }, "get");
  // Once the limit of nearly nothing is known; what it refuses is tried again until the deadline.
  const auto refused = [](const Table& table) {
    const auto end = steady_clock::now() + std::chrono::seconds(10);
    while (steady_clock::now() < end) {
      if (const Status status = StatusOf(table.Get("a")); !status.ok()) return status;
    }
    return Status();
  };
  ASSERT_TRUE(Change({{.kind = Kind::kSetLimits, .name = "ada", .limits = {.operations_per_second = 1}}}).ok());
  const Status of_user = refused(*carts);
  EXPECT_THAT(of_user.message(), HasSubstr("user \"ada\" has reached its limit of 1 operations a second")) << of_user;
  auto others = olga_->OpenTable("carts");
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(StatusOf(others->Get("a")).ok());

  ASSERT_TRUE(
      Change({{.kind = Kind::kSetLimits, .name = "ada"},
              {.kind = Kind::kSetTableLimits, .grant = {.table = "carts"}, .limits = {.operations_per_second = 1}}})
          .ok());
  const Status of_table = refused(*carts);
  EXPECT_THAT(of_table.message(), HasSubstr("has reached its limit of 1 operations a second")) << of_table;
  EXPECT_THAT(of_table.message(), HasSubstr("table ")) << of_table;
  auto users = ada->OpenTable("users");
  ASSERT_TRUE(users.has_value());
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(StatusOf(users->Get("a")).ok());
  const auto listed = olga_->ListAccess();
  ASSERT_TRUE(listed.has_value());
  EXPECT_EQ(listed->tables.at("carts").operations_per_second, 1);
}

// Each of them is refused by its name, and once it is taken back nothing is.
TEST_F(GrantsTest, LimitsOfBytesConnectionsAndCallsInFlight) {
  ASSERT_TRUE(Give(Permission::kRead).ok());
  ASSERT_TRUE(Give(Permission::kWrite).ok());
  const auto ada = Connect("user", std::chrono::milliseconds(300));
  const std::optional<Table> carts = Open(*ada);
  ASSERT_TRUE(carts.has_value());
  WithinASecond(true, [&] { return StatusOf(carts->Put("a", "x")); }, "put");
  const auto limit = [&](const Limits& limits) {
    ASSERT_TRUE(Change({{.kind = Kind::kSetLimits, .name = "ada", .limits = limits}}).ok());
  };
  // Repeats this many calls at a time until one is refused, and returns its message.
  const auto refused = [&](const Table& table, size_t at_a_time) {
    Status first;
    EXPECT_TRUE(Eventually([&] {
      std::vector<std::future<Status>> answers;
      for (size_t i = 0; i < at_a_time; ++i) {
        auto answer = std::make_shared<std::promise<Status>>();
        answers.push_back(answer->get_future());
        table.AsyncPut("a" + std::to_string(i), std::string(20'000, 'x'), {},
                       [answer](const Result<Version>& written) { answer->set_value(StatusOf(written)); });
      }
      for (auto& answer : answers) {
        if (const Status status = answer.get(); status.code() == Code::kOverloaded) first = status;
      }
      return !first.ok();
    })) << at_a_time;
    return first.message();
  };
  const auto others = olga_->OpenTable("carts");
  const auto expect_others_go_on = [&] {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(StatusOf(others->Get("a")).ok());
  };
  limit({.bytes_per_second = 1'000});
  EXPECT_THAT(refused(*carts, 1), HasSubstr("user \"ada\" has reached its limit of 1000 bytes a second"));
  expect_others_go_on();
  limit({.in_flight = 1});
  EXPECT_THAT(refused(*carts, 200), HasSubstr("user \"ada\" has reached its limit of 1 calls in flight"));
  expect_others_go_on();
  limit({.connections = 1});
  // A server that does not know the limit yet accepts the second connection and keeps it, so each try is a new one.
  EXPECT_TRUE(Eventually([&] {
    const auto another = Connect("user", std::chrono::milliseconds(300));
    if (!another.has_value()) return false;
    const auto table = another->OpenTable("carts");
    return table.has_value() && StatusOf(table->Get("a"))
                                    .message()
                                    .contains("user \"ada\" has reached its limit of 1 connections to this server");
  }));
  EXPECT_TRUE(Eventually([&] { return StatusOf(carts->Get("a")).ok(); })) << "the first connection";
  expect_others_go_on();
  limit({});
  ASSERT_TRUE(Eventually([&] { return StatusOf(carts->Put("a", "y")).ok(); }));
}

}  // namespace
}  // namespace ebla::testing
