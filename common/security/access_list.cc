#include "common/security/access_list.h"

#include <algorithm>

namespace ebla::security {

const char* PermissionName(idl::Permission::type permission) {
  switch (permission) {
    case idl::Permission::READ: return "read";
    case idl::Permission::WRITE: return "write";
    case idl::Permission::ADMIN: return "admin";
    case idl::Permission::OPERATOR: return "operator";
  }
  return "unknown";
}

void AccessList::Rights::Add(const std::vector<idl::Grant>& grants) {
  for (const idl::Grant& grant : grants) {
    (grant.tableId == 0 ? everywhere : of_table[grant.tableId]).push_back(grant);
  }
}

template <class Fits>
bool AccessList::Rights::Any(int64_t table, const Fits& fits) const {
  if (std::ranges::any_of(everywhere, fits)) return true;
  if (table == 0) return false;
  const auto found = of_table.find(table);
  return found != of_table.end() && std::ranges::any_of(found->second, fits);
}

AccessList::AccessList(const idl::AccessNode& node) {
  std::map<std::string, const idl::Role*> roles;
  for (const idl::Role& role : node.roles) roles[role.name] = &role;
  if (roles.contains(kEverybody)) everybody_.Add(roles[kEverybody]->grants);
  for (const idl::User& user : node.users) {
    Rights rights = everybody_;
    rights.Add(user.grants);
    for (const std::string& role : user.roles) {
      if (const auto found = roles.find(role); found != roles.end()) rights.Add(found->second->grants);
    }
    rights_[user.name] = std::move(rights);
    users_[user.name] = user;
  }
  every_user_ = node.everyUser;
  unknown_user_key_ = node.unknownUserKey;
  for (const idl::TableLimits& table : node.tables) tables_[table.tableId] = table.limits;
}

bool AccessList::has_limits() const {
  const auto limited = [](const auto& user) { return user.second.limits != idl::Limits(); };
  return every_user_ != idl::Limits() || !tables_.empty() || std::ranges::any_of(users_, limited);
}

const AccessList::Rights& AccessList::RightsOf(const std::string& user) const {
  const auto found = rights_.find(user);
  return found == rights_.end() ? everybody_ : found->second;
}

bool AccessList::Allows(const std::string& user, idl::Permission::type permission, int64_t table,
                        const KeyRange& range) const {
  return RightsOf(user).Any(table, [&](const idl::Grant& grant) {
    if (grant.permission == idl::Permission::OPERATOR) return true;
    return grant.permission == permission && (grant.prefix.empty() || KeyRange::Prefix(grant.prefix).Contains(range));
  });
}

bool AccessList::Allows(const std::string& user, idl::Permission::type permission, int64_t table,
                        std::string_view key) const {
  return RightsOf(user).Any(table, [&](const idl::Grant& grant) {
    return grant.permission == idl::Permission::OPERATOR ||
           (grant.permission == permission && key.starts_with(grant.prefix));
  });
}

bool AccessList::AllowsAny(const std::string& user, int64_t table) const {
  return RightsOf(user).Any(table, [](const idl::Grant&) { return true; });
}

const idl::User* AccessList::Find(const std::string& user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second;
}

const idl::Secret* AccessList::SecretOf(const std::string& user) const {
  const idl::User* found = Find(user);
  return found != nullptr && found->__isset.secret ? &found->secret : nullptr;
}

}  // namespace ebla::security
