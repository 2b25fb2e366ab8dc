#include "tools/backup/users_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::backup {
namespace {

using Change = AccessChange::Kind;

AccessInfo Some() {
  AccessInfo access;
  access.users.push_back(
      {.name = "ada",
       .has_password = true,
       .secret = "SCRAM-SHA-256$1:2$3:4",
       .grants = {{Permission::kRead, "carts", std::string("\0eu", 3)}, {Permission::kOperator, "", ""}},
       .roles = {"sellers"},
       .limits = {.operations_per_second = 5}});
  access.users.push_back({.name = "bob"});
  access.roles.push_back({"everybody", {{Permission::kRead, "prices", ""}}});
  access.roles.push_back({"sellers", {{Permission::kWrite, "", ""}}});
  access.every_user.in_flight = 7;
  access.tables["carts"].bytes_per_second = 9;
  access.tables["gone"].bytes_per_second = 9;
  return access;
}

std::vector<std::string> Show(const std::vector<AccessChange>& changes) {
  std::vector<std::string> shown;
  for (const AccessChange& change : changes) {
    shown.push_back(std::to_string(static_cast<int>(change.kind)) + " " + change.name + change.role + " " +
                    change.grant.table + change.secret);
  }
  return shown;
}

TEST(UsersDocument, GivesAnEmptyClusterEverythingButWhatIsOfTablesThatAreNotThere) {
  const auto changes = MissingUsers(WriteUsers(Some()), {}, {"carts"});
  ASSERT_TRUE(changes.has_value()) << changes.error();
  EXPECT_THAT(Show(*changes),
              ::testing::ElementsAre("3 sellers ", "7 sellers ", "1 ada SCRAM-SHA-256$1:2$3:4", "9 adasellers ",
                                     "7 ada carts", "7 ada ", "6 ada ", "1 bob ", "6 everybody ", "11  carts"));
  EXPECT_EQ((*changes)[4].grant.prefix, std::string("\0eu", 3));
  EXPECT_EQ((*changes)[6].limits.operations_per_second, 5);
}

TEST(UsersDocument, WhoIsThereKeepsItsPassword) {
  const auto changes = MissingUsers(WriteUsers(Some()), Some(), {"carts", "prices"});
  ASSERT_TRUE(changes.has_value());
  for (const AccessChange& change : *changes) {
    EXPECT_NE(change.kind, Change::kCreateUser);
    EXPECT_NE(change.kind, Change::kCreateRole);
    EXPECT_TRUE(change.secret.empty());
  }
}

TEST(UsersDocument, NonsenseIsRefused) {
  for (const char* text : {"", "[]", "{}", R"({"users": 1, "roles": [], "every_user": {}, "tables": {}})",
                           R"({"users": [], "roles": [{"name": "r", "grants": [{"permission": "all"}]}]})"})
    EXPECT_EQ(MissingUsers(text, {}, {}).error().code(), Code::kInvalidArgument) << text;
}

}  // namespace
}  // namespace ebla::backup
