#include "master/catalog/access_rules.h"

#include <gtest/gtest.h>

#include "common/security/access_list.h"
#include "common/security/scram.h"

namespace ebla::master {
namespace {

using idl::Permission;
using Kind = idl::AccessChangeKind;

struct Wanted {
  Kind::type kind;
  std::string name;
  std::string role = "";
  Permission::type permission = Permission::READ;
  std::string table = "";
  std::string prefix = "";
  int32_t operations = 0;
  int32_t connections = 0;
};

class AccessRulesTest : public ::testing::Test {
 protected:
  AccessRulesTest() { AddTable("carts", 7); }

  void AddTable(const std::string& name, int64_t id) {
    idl::TableNode node;
    node.schema.name = name;
    node.schema.tableId = id;
    node.state = idl::TableState::SERVING;
    image_.PutTable(std::move(node), 0);
  }
  Status Change(const std::vector<Wanted>& wanted) {
    std::vector<idl::AccessChange> changes;
    for (const Wanted& one : wanted) {
      idl::AccessChange& change = changes.emplace_back();
      change.kind = one.kind;
      change.name = one.name;
      change.role = one.role;
      change.permission = one.permission;
      change.table = one.table;
      change.prefix = one.prefix;
      change.limits.operationsPerSecond = one.operations;
      change.limits.connections = one.connections;
    }
    auto changed = ChangeAccess(node_, changes, image_);
    if (!changed) return changed.error();
    node_ = *std::move(changed);
    return {};
  }
  bool May(Permission::type permission, int64_t table) const {
    return security::AccessList(node_).Allows("ada", permission, table, KeyRange::All());
  }

  Image image_;
  idl::AccessNode node_;
};

TEST_F(AccessRulesTest, GrantsComeAndGo) {
  ASSERT_TRUE(Change({{Kind::CREATE_USER, "ada"}, {Kind::GRANT, "ada", "", Permission::READ, "carts"}}).ok());
  EXPECT_TRUE(May(Permission::READ, 7));
  EXPECT_FALSE(May(Permission::WRITE, 7));
  ASSERT_TRUE(Change({{Kind::GRANT, "ada", "", Permission::READ, "carts"}}).ok()) << "again";
  EXPECT_EQ(node_.users[0].grants.size(), 1u);
  ASSERT_TRUE(Change({{Kind::REVOKE, "ada", "", Permission::READ, "carts"}}).ok());
  EXPECT_FALSE(May(Permission::READ, 7));
  EXPECT_EQ(Change({{Kind::REVOKE, "ada", "", Permission::READ, "carts"}}).code(), Code::kNotFound);
}

TEST_F(AccessRulesTest, RolesComeAndGoWithTheirUsers) {
  ASSERT_TRUE(Change({{Kind::CREATE_USER, "ada"},
                      {Kind::CREATE_ROLE, "buyers"},
                      {Kind::GRANT, "buyers", "", Permission::WRITE, "carts"},
                      {Kind::GRANT_ROLE, "ada", "buyers"}})
                  .ok());
  EXPECT_TRUE(May(Permission::WRITE, 7));
  EXPECT_EQ(Change({{Kind::GRANT_ROLE, "ada", "nothing"}}).code(), Code::kNotFound);
  ASSERT_TRUE(Change({{Kind::DROP_ROLE, "buyers"}}).ok());
  EXPECT_FALSE(May(Permission::WRITE, 7));
  EXPECT_TRUE(node_.users[0].roles.empty());
  ASSERT_TRUE(Change({{Kind::GRANT, "everybody", "", Permission::READ, "carts"}}).ok());
  EXPECT_TRUE(May(Permission::READ, 7));
  ASSERT_TRUE(Change({{Kind::DROP_USER, "ada"}}).ok());
  EXPECT_EQ(Change({{Kind::DROP_USER, "ada"}}).code(), Code::kNotFound);
}

TEST_F(AccessRulesTest, WhatCannotBeIsRefusedWhole) {
  ASSERT_TRUE(Change({{Kind::CREATE_USER, "ada"}}).ok());
  const idl::AccessNode before = node_;
  const std::vector<std::pair<Wanted, Code>> refused = {
      {{Kind::CREATE_USER, "ada"}, Code::kConditionFailed},
      {{Kind::CREATE_ROLE, "ada"}, Code::kConditionFailed},
      {{Kind::CREATE_USER, "a/b"}, Code::kInvalidArgument},
      {{Kind::CREATE_USER, ""}, Code::kInvalidArgument},
      {{Kind::CREATE_USER, "everybody"}, Code::kInvalidArgument},
      {{Kind::GRANT, "bob", "", Permission::READ, "carts"}, Code::kNotFound},
      {{Kind::GRANT, "ada", "", Permission::READ, "nothing"}, Code::kNoSuchTable},
      {{Kind::GRANT, "ada", "", Permission::ADMIN, "carts", "p"}, Code::kInvalidArgument},
      {{Kind::GRANT, "ada", "", Permission::OPERATOR, "carts"}, Code::kInvalidArgument},
      {{Kind::GRANT, "ada", "", static_cast<Permission::type>(99), "carts"}, Code::kInvalidArgument},
      {{Kind::GRANT, "ada", "", Permission::READ, "carts", std::string(300, 'x')}, Code::kInvalidArgument},
      {{Kind::GRANT_ROLE, "ada", "everybody"}, Code::kInvalidArgument},
      {{Kind::SET_SECRET, "bob"}, Code::kNotFound},
      {{static_cast<Kind::type>(77), "ada"}, Code::kInvalidArgument},
  };
  for (const auto& [wanted, code] : refused) {
    EXPECT_EQ(Change({{Kind::CREATE_ROLE, "made"}, wanted}).code(), code) << wanted.kind << " " << wanted.name;
    EXPECT_EQ(node_, before);
  }
}

// The table of the same name that is made later is another one.
TEST_F(AccessRulesTest, ATablesGrantsGoWithIt) {
  ASSERT_TRUE(Change({{Kind::CREATE_USER, "ada"}, {Kind::GRANT, "ada", "", Permission::READ, "carts"}}).ok());
  image_.EraseTable("carts");
  AddTable("carts", 9);
  EXPECT_FALSE(May(Permission::READ, 9));
  ASSERT_TRUE(Change({{Kind::CREATE_ROLE, "any"}}).ok());
  EXPECT_TRUE(node_.users[0].grants.empty());
}

TEST_F(AccessRulesTest, LimitsOfAUserOfEachUserAndOfATable) {
  ASSERT_TRUE(Change({{Kind::CREATE_USER, "ada"},
                      {.kind = Kind::SET_LIMITS, .name = "ada", .operations = 100, .connections = 3},
                      {.kind = Kind::SET_LIMITS, .name = "everybody", .operations = 10},
                      {.kind = Kind::SET_TABLE_LIMITS, .table = "carts", .operations = 500}})
                  .ok());
  EXPECT_EQ(node_.users[0].limits.operationsPerSecond, 100);
  EXPECT_EQ(node_.everyUser.operationsPerSecond, 10);
  ASSERT_EQ(node_.tables.size(), 1u);
  EXPECT_EQ(node_.tables[0].tableId, 7);
  ASSERT_TRUE(Change({{.kind = Kind::SET_TABLE_LIMITS, .table = "carts"}}).ok());
  EXPECT_TRUE(node_.tables.empty()) << "no limit is none";
  EXPECT_EQ(Change({{.kind = Kind::SET_LIMITS, .name = "bob", .operations = 1}}).code(), Code::kNotFound);
  EXPECT_EQ(Change({{.kind = Kind::SET_LIMITS, .name = "ada", .operations = -1}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(Change({{.kind = Kind::SET_TABLE_LIMITS, .table = "none", .operations = 1}}).code(), Code::kNoSuchTable);
  EXPECT_EQ(Change({{.kind = Kind::SET_TABLE_LIMITS, .table = "carts", .connections = 1}}).code(),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace ebla::master
