// client/include/ebla/access.h
// Permissions: users, their roles, their grants, and their limits.
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

// Limits at each tablet server of a user, or of all users of a table together; calls beyond them are OVERLOADED. 0: no
// limit.
struct Limits {
  int64_t operations_per_second = 0;  // reads, and writes: a batch has as many as it has writes
  int64_t bytes_per_second = 0;       // of requests and replies
  int32_t connections = 0;            // of a user alone
  int32_t in_flight = 0;              // calls

  bool operator==(const Limits&) const = default;
};

struct UserInfo {
  std::string name;
  bool has_password = false;  // else only a certificate identifies this user
  std::string secret;         // its stored form, for AccessChange::secret; only on request
  std::vector<Grant> grants;
  std::vector<std::string> roles;
  Limits limits;
};

struct RoleInfo {
  std::string name;  // every user has the role "everybody", even without UserInfo
  std::vector<Grant> grants;
};

struct AccessInfo {
  std::vector<UserInfo> users;
  std::vector<RoleInfo> roles;
  Limits every_user;                     // each user that has none of its own
  std::map<std::string, Limits> tables;  // those that have any, by name
};

struct AccessChange {
  enum class Kind : uint8_t {
    kCreateUser = 1,
    kDropUser = 2,
    kCreateRole = 3,
    kDropRole = 4,
    kSetPassword = 5,
    kSetLimits = 6,  // of the user; of "everybody": of each user that has none of its own
    kGrant = 7,
    kRevoke = 8,
    kGrantRole = 9,
    kRevokeRole = 10,
    kSetTableLimits = 11,
  };
  Kind kind = Kind::kCreateUser;
  std::string name;      // of the user or role
  std::string role;      // kGrantRole, kRevokeRole
  Grant grant;           // kGrant, kRevoke; of kSetTableLimits its table
  Limits limits;         // kSetLimits, kSetTableLimits
  std::string password;  // kCreateUser, kSetPassword; empty: it cannot log in by one. It does not leave this process
  std::string secret;    // in its place: UserInfo::secret
};

}  // namespace ebla
