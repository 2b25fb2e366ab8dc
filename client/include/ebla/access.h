// client/include/ebla/access.h
// Who may do what: users, their roles, what is granted to them.
// Threads: values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ebla {

enum class Permission : uint8_t {
  kRead = 1,
  kWrite = 2,
  kAdmin = 3,     // split, move, merge, alter, compact, drop a table; of every table: make new ones, too
  kOperator = 4,  // everything
};

struct Grant {
  Permission permission = Permission::kRead;
  std::string table;   // empty: every table, also those to come
  std::string prefix;  // of kRead and kWrite: the keys that begin with it
};

struct UserInfo {
  std::string name;
  bool has_password = false;  // else a certificate alone says that it is this user
  std::vector<Grant> grants;
  std::vector<std::string> roles;
};

struct RoleInfo {
  std::string name;  // "everybody" is every user's, also of those that nobody has made
  std::vector<Grant> grants;
};

struct AccessInfo {
  std::vector<UserInfo> users;
  std::vector<RoleInfo> roles;
};

struct AccessChange {
  enum class Kind : uint8_t {
    kCreateUser = 1,
    kDropUser = 2,
    kCreateRole = 3,
    kDropRole = 4,
    kSetPassword = 5,
    kGrant = 7,
    kRevoke = 8,
    kGrantRole = 9,
    kRevokeRole = 10,
  };
  Kind kind = Kind::kCreateUser;
  std::string name;      // of the user or role
  std::string role;      // kGrantRole, kRevokeRole
  Grant grant;           // kGrant, kRevoke
  std::string password;  // kCreateUser, kSetPassword; empty: it cannot log in by one. It does not leave this process
};

}  // namespace ebla
