// common/security/access_list.h
// The permissions set by the cluster's operators: users, their roles, their grants, their limits. Pure.
// Place:      coordination/access_watcher.h makes one at each change; access_control.h asks it.
// Invariants: 1. Actions without a grant are refused. An unknown user has the role "everybody" alone.
//             2. A grant names a table by its id: one made later under the same name is another table.
// Threads:    immutable.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/key_range.h"
#include "idl/access_types.h"

namespace ebla::security {

inline constexpr char kEverybody[] = "everybody";

// A tablet server knows the ids of tables alone. Clients put the table's name in place of this in its advice.
inline constexpr std::string_view kTableNamePlaceholder = "NAME";

// "read", "write", "admin", "operator".
const char* PermissionName(idl::Permission::type permission);

class AccessList {
 public:
  AccessList() = default;
  explicit AccessList(const idl::AccessNode& node);

  // READ and WRITE: of every key in `range`. `table`: 0 asks for a grant of every table.
  bool Allows(const std::string& user, idl::Permission::type permission, int64_t table, const KeyRange& range) const;
  bool Allows(const std::string& user, idl::Permission::type permission, int64_t table, std::string_view key) const;
  // A grant of any kind, of any part of the table.
  bool AllowsAny(const std::string& user, int64_t table) const;
  // Null: it has none, or there is no such user.
  const idl::Secret* SecretOf(const std::string& user) const;
  const std::string& unknown_user_key() const { return unknown_user_key_; }  // empty: there were no users ever
  // Null: none but those of everybody.
  const idl::User* Find(const std::string& user) const;
  const std::unordered_map<std::string, idl::User>& users() const { return users_; }
  // The limits of each user that has none of its own.
  const idl::Limits& every_users_limits() const { return every_user_; }
  const std::unordered_map<int64_t, idl::Limits>& table_limits() const { return tables_; }
  // Whether any limits exist.
  bool has_limits() const;

 private:
  struct Rights {
    std::vector<idl::Grant> everywhere;
    std::unordered_map<int64_t, std::vector<idl::Grant>> of_table;
    void Add(const std::vector<idl::Grant>& grants);
    template <class Fits>
    bool Any(int64_t table, const Fits& fits) const;
  };
  const Rights& RightsOf(const std::string& user) const;

  std::unordered_map<std::string, idl::User> users_;
  std::unordered_map<std::string, Rights> rights_;
  Rights everybody_;
  idl::Limits every_user_;
  std::string unknown_user_key_;
  std::unordered_map<int64_t, idl::Limits> tables_;
};

}  // namespace ebla::security
