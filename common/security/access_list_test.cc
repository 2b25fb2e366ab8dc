#include "common/security/access_list.h"

#include <gtest/gtest.h>

#include "common/security/access_control.h"
#include "common/security/caller.h"

namespace ebla::security {
namespace {

using idl::Permission;

constexpr int64_t kCarts = 7, kUsers = 8;

idl::Grant MakeGrant(Permission::type permission, int64_t table, const std::string& prefix = "") {
  idl::Grant grant;
  grant.permission = permission;
  grant.tableId = table;
  grant.prefix = prefix;
  return grant;
}

idl::AccessNode OneUser(const std::string& name, std::vector<idl::Grant> grants, std::vector<std::string> roles = {}) {
  idl::AccessNode node;
  node.users.emplace_back();
  node.users[0].name = name;
  node.users[0].grants = std::move(grants);
  node.users[0].roles = std::move(roles);
  return node;
}

// The requirement of each operation against each grant, all combinations.
TEST(AccessList, EveryPermissionAgainstEveryGrant) {
  const KeyRange all = KeyRange::All();
  for (const auto granted : {Permission::READ, Permission::WRITE, Permission::ADMIN, Permission::OPERATOR}) {
    for (const int64_t of : {int64_t{0}, kCarts}) {
      const AccessList list(OneUser("ada", {MakeGrant(granted, of)}));
      for (const auto asked : {Permission::READ, Permission::WRITE, Permission::ADMIN, Permission::OPERATOR}) {
        for (const int64_t table : {int64_t{0}, kCarts, kUsers}) {
          const bool covers = of == 0 || of == table;
          const bool fits = granted == asked || granted == Permission::OPERATOR;
          EXPECT_EQ(list.Allows("ada", asked, table, all), covers && fits)
              << PermissionName(granted) << " of " << of << " for " << PermissionName(asked) << " of " << table;
          EXPECT_FALSE(list.Allows("bob", asked, table, all));
        }
      }
    }
  }
}

TEST(AccessList, APrefixGivesItsKeysAndRangesWithinIt) {
  const AccessList list(OneUser("ada", {MakeGrant(Permission::READ, kCarts, "eu/")}));
  const auto may = [&](const auto& what) { return list.Allows("ada", Permission::READ, kCarts, what); };
  EXPECT_TRUE(may(std::string_view("eu/1")));
  EXPECT_TRUE(may(std::string_view("eu/")));
  EXPECT_FALSE(may(std::string_view("eu")));
  EXPECT_FALSE(may(std::string_view("ev")));
  EXPECT_TRUE(may(KeyRange::Prefix("eu/")));
  EXPECT_TRUE(may(KeyRange{"eu/a", "eu/b"}));
  EXPECT_FALSE(may(KeyRange{"eu/a", "ev"}));
  EXPECT_FALSE(may(KeyRange{"eu", "eu/b"}));
  EXPECT_FALSE(may(KeyRange{"eu/a", ""})) << "without an end";
  EXPECT_FALSE(may(KeyRange::All()));
  EXPECT_TRUE(list.AllowsAny("ada", kCarts));
  EXPECT_FALSE(list.AllowsAny("ada", kUsers));
}

TEST(AccessList, RolesAndEverybody) {
  idl::AccessNode node = OneUser("ada", {}, {"buyers", "gone"});
  node.roles.resize(2);
  node.roles[0].name = "buyers";
  node.roles[0].grants = {MakeGrant(Permission::WRITE, kCarts)};
  node.roles[1].name = kEverybody;
  node.roles[1].grants = {MakeGrant(Permission::READ, kUsers)};
  const AccessList list(node);
  EXPECT_TRUE(list.Allows("ada", Permission::WRITE, kCarts, std::string_view("k")));
  EXPECT_TRUE(list.Allows("ada", Permission::READ, kUsers, std::string_view("k")));
  EXPECT_TRUE(list.Allows("whom nobody made", Permission::READ, kUsers, std::string_view("k")));
  EXPECT_FALSE(list.Allows("whom nobody made", Permission::WRITE, kCarts, std::string_view("k")));
}

TEST(AccessControl, AsksUsersAloneAndGoesByTheLatestList) {
  AccessControl access;
  const Identity ada{Identity::Kind::kUser, "ada"};
  const auto read = [&](const Identity& who) {
    return access.Check(who, Permission::READ, kCarts, std::string_view("k")).code();
  };
  EXPECT_EQ(read(ada), Code::kComeAgain) << "nothing is known yet";
  EXPECT_EQ(read({Identity::Kind::kOperator, "olga"}), Code::kOk);
  EXPECT_EQ(read({Identity::Kind::kServer, "ts-1"}), Code::kOk);
  EXPECT_EQ(read({}), Code::kOk);
  access.Publish(std::make_shared<AccessList>(OneUser("ada", {MakeGrant(Permission::READ, kCarts)})));
  EXPECT_EQ(read(ada), Code::kOk);
  EXPECT_EQ(read({Identity::Kind::kAnonymous, ""}), Code::kPermissionDenied);
  EXPECT_FALSE(access.IsOperator(ada));
  access.Publish(std::make_shared<AccessList>(OneUser("ada", {MakeGrant(Permission::OPERATOR, 0)})));
  EXPECT_TRUE(access.IsOperator(ada));
  access.Publish(std::make_shared<AccessList>());
  const Status refused = access.Check(ada, Permission::READ, kCarts, std::string_view("k"));
  EXPECT_EQ(refused.code(), Code::kPermissionDenied);
  EXPECT_NE(refused.message().find("lacks a grant of read of table 7"), std::string::npos) << refused;
  const Status any = access.CheckAny(ada, kCarts, "carts");
  EXPECT_EQ(
      any.message(),
      "user \"ada\" lacks a grant of read or write of table \"carts\", or of these keys: an operator gives one by "
      "`ebla user create ada && ebla grant read ada --table carts`, or for writes by "
      "`ebla user create ada && ebla grant write ada --table carts`")
      << "a user who is not there gets no grant";
  EXPECT_EQ(
      access.CheckAny(ada, 0, "cartz").message(),
      "user \"ada\" lacks a grant of read or write of table \"cartz\", and there is no table \"cartz\": an operator "
      "lists the tables by `ebla table list`");
  access.Publish(std::make_shared<AccessList>(OneUser("ada", {MakeGrant(Permission::READ, kCarts)})));
  EXPECT_EQ(access.Check(ada, Permission::WRITE, kCarts, std::string_view("k"), "carts").message(),
            "user \"ada\" lacks a grant of write of table \"carts\", or of these keys: an operator gives one by "
            "`ebla grant write ada --table carts`");
  EXPECT_EQ(
      access.Check(ada, Permission::ADMIN, 0, KeyRange::All(), "cartz").message(),
      "user \"ada\" lacks a grant of admin of every table, and there is no table \"cartz\": an operator gives one by "
      "`ebla grant admin ada --all-tables`");
  EXPECT_EQ(access.Check(ada, Permission::OPERATOR, 0, KeyRange::All()).message(),
            "user \"ada\" lacks a grant of operator: an operator gives one by `ebla grant operator ada`");
  EXPECT_FALSE(access.IsOperator(ada));
}

TEST(AccessControl, GrantsCountOnceTheClusterHasThem) {
  const auto features = std::make_shared<Features>();
  AccessControl access;
  access.SetFeatures(features);
  access.Publish(std::make_shared<AccessList>(OneUser("ada", {MakeGrant(Permission::READ, kCarts)})));
  const Identity ada{Identity::Kind::kUser, "ada"}, bob{Identity::Kind::kUser, "bob"};
  const auto ask = [&](const Identity& who, Permission::type what) {
    return access.Check(who, what, kCarts, std::string_view("k")).code();
  };
  EXPECT_EQ(ask(ada, Permission::READ), Code::kOk);
  EXPECT_EQ(ask(bob, Permission::READ), Code::kComeAgain) << "the cluster's level is not known yet";
  features->Learn(kGrants.level - 1);
  for (const Permission::type what : {Permission::READ, Permission::WRITE}) EXPECT_EQ(ask(bob, what), Code::kOk);
  EXPECT_TRUE(access.CheckAny(bob, kCarts).ok());
  EXPECT_EQ(ask(bob, Permission::ADMIN), Code::kPermissionDenied) << "an operator's, before";
  EXPECT_EQ(ask({Identity::Kind::kAnonymous, ""}, Permission::READ), Code::kPermissionDenied);
  EXPECT_FALSE(access.IsOperator(bob));
  features->Learn(kGrants.level);
  EXPECT_EQ(ask(ada, Permission::READ), Code::kOk);
  EXPECT_EQ(ask(ada, Permission::WRITE), Code::kPermissionDenied);
  EXPECT_EQ(ask(bob, Permission::READ), Code::kPermissionDenied);
  EXPECT_EQ(access.CheckAny(bob, kCarts).code(), Code::kPermissionDenied);
}

TEST(CallerScope, IsTheInnermostAndEndsWithIt) {
  AccessControl access;
  access.Publish(std::make_shared<AccessList>());
  const auto may = [] { return CallerScope::May(Permission::READ, kCarts, std::string_view("k")).ok(); };
  EXPECT_TRUE(may()) << "the process itself";
  {
    Session ada{{Identity::Kind::kUser, "ada"}, "", {}};
    const CallerScope outer(ada, &access);
    EXPECT_FALSE(may());
    {
      Session trusted;
      const CallerScope inner(trusted, &access);
      EXPECT_TRUE(may());
    }
    EXPECT_FALSE(may());
    EXPECT_EQ(CallerScope::Now().identity.name, "ada");
  }
  EXPECT_TRUE(may());
  EXPECT_EQ(CallerScope::SessionNow(), nullptr);
}

TEST(AccessControl, WhoLoggedInIsThatUserAsLongAsItsPasswordIsTheSame) {
  AccessControl access;
  idl::AccessNode node = OneUser("ada", {MakeGrant(Permission::READ, kCarts), MakeGrant(Permission::OPERATOR, 0)});
  const auto publish = [&](const std::string& stored_key) {
    idl::Secret secret;
    secret.storedKey = stored_key;
    node.users[0].__set_secret(secret);
    access.Publish(std::make_shared<AccessList>(node));
  };
  publish("first");
  const Identity by_password{Identity::Kind::kUser, "ada", "first"}, by_certificate{Identity::Kind::kUser, "ada", ""};
  const auto may = [&](const Identity& who) {
    return access.Check(who, Permission::READ, kCarts, std::string_view("k")).ok();
  };
  EXPECT_TRUE(may(by_password) && access.IsOperator(by_password) && access.CheckAny(by_password, kCarts).ok());
  publish("second");
  EXPECT_FALSE(may(by_password) || access.IsOperator(by_password) || access.CheckAny(by_password, kCarts).ok());
  EXPECT_TRUE(may(by_certificate));
  node.users[0].__isset.secret = false;
  access.Publish(std::make_shared<AccessList>(node));
  EXPECT_FALSE(may(by_password)) << "another ada, for whom a certificate speaks";
}

}  // namespace
}  // namespace ebla::security
