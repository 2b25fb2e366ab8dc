#include "tools/backup/users_document.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/key_range.h"

namespace ebla::backup {
namespace {

using Json = nlohmann::json;
using Kind = AccessChange::Kind;

constexpr const char* kPermissions[] = {"", "read", "write", "admin", "operator"};

Json ToJson(const Limits& limits) {
  return {{"operations_per_second", limits.operations_per_second},
          {"bytes_per_second", limits.bytes_per_second},
          {"connections", limits.connections},
          {"in_flight", limits.in_flight}};
}

Limits LimitsFrom(const Json& json) {
  return {json.at("operations_per_second").get<int64_t>(), json.at("bytes_per_second").get<int64_t>(),
          json.at("connections").get<int32_t>(), json.at("in_flight").get<int32_t>()};
}

Json ToJson(const std::vector<Grant>& grants) {
  Json all = Json::array();
  for (const Grant& grant : grants) {
    Json one = {{"permission", kPermissions[static_cast<int>(grant.permission)]}};
    if (!grant.table.empty()) one["table"] = grant.table;
    if (!grant.prefix.empty()) one["prefix"] = EscapeBytes(grant.prefix);
    all.push_back(std::move(one));
  }
  return all;
}

Grant GrantFrom(const Json& json) {
  Grant grant;
  const auto name = json.at("permission").get<std::string>();
  const auto* const found = std::ranges::find(kPermissions, name);
  if (found == std::end(kPermissions) || name.empty()) throw std::runtime_error("no permission is called " + name);
  grant.permission = static_cast<Permission>(found - std::begin(kPermissions));
  grant.table = json.value("table", "");
  Result<std::string> prefix = UnescapeBytes(json.value("prefix", ""));
  if (!prefix) throw std::runtime_error(prefix.error().message());
  grant.prefix = *std::move(prefix);
  return grant;
}

template <class Named>
bool IsThere(const std::vector<Named>& all, const std::string& name) {
  return std::ranges::find(all, name, &Named::name) != all.end();
}

class Missing {
 public:
  Missing(const AccessInfo& present, const std::set<std::string>& tables) : present_(present), tables_(tables) {}

  std::vector<AccessChange> Of(const Json& json) {
    for (const Json& role : json.at("roles")) {
      const auto name = role.at("name").get<std::string>();
      // Everybody is there from its first grant on.
      if (name != "everybody" && !IsThere(present_.roles, name))
        changes_.push_back({.kind = Kind::kCreateRole, .name = name});
      AddGrants(name, role.at("grants"));
    }
    for (const Json& user : json.at("users")) AddUser(user);
    AddLimits({.kind = Kind::kSetLimits, .name = "everybody"}, json.at("every_user"));
    for (const auto& [table, limits] : json.at("tables").items()) {
      if (tables_.contains(table)) AddLimits({.kind = Kind::kSetTableLimits, .grant = {.table = table}}, limits);
    }
    return std::move(changes_);
  }

 private:
  void AddUser(const Json& user) {
    const auto name = user.at("name").get<std::string>();
    if (!IsThere(present_.users, name))
      changes_.push_back({.kind = Kind::kCreateUser, .name = name, .secret = user.value("secret", "")});
    for (const Json& role : user.at("roles"))
      changes_.push_back({.kind = Kind::kGrantRole, .name = name, .role = role.get<std::string>()});
    AddGrants(name, user.at("grants"));
    AddLimits({.kind = Kind::kSetLimits, .name = name}, user.at("limits"));
  }
  void AddGrants(const std::string& name, const Json& grants) {
    for (const Json& json : grants) {
      AccessChange change{.kind = Kind::kGrant, .name = name, .grant = GrantFrom(json)};
      if (change.grant.table.empty() || tables_.contains(change.grant.table)) changes_.push_back(std::move(change));
    }
  }
  void AddLimits(AccessChange change, const Json& json) {
    change.limits = LimitsFrom(json);
    if (change.limits != Limits()) changes_.push_back(std::move(change));
  }

  const AccessInfo& present_;
  const std::set<std::string>& tables_;
  std::vector<AccessChange> changes_;
};

}  // namespace

std::string WriteUsers(const AccessInfo& access) {
  Json users = Json::array(), roles = Json::array(), tables = Json::object();
  for (const UserInfo& user : access.users) {
    Json one = {
        {"name", user.name}, {"roles", user.roles}, {"grants", ToJson(user.grants)}, {"limits", ToJson(user.limits)}};
    if (!user.secret.empty()) one["secret"] = user.secret;
    users.push_back(std::move(one));
  }
  for (const RoleInfo& role : access.roles) roles.push_back({{"name", role.name}, {"grants", ToJson(role.grants)}});
  for (const auto& [table, limits] : access.tables) tables[table] = ToJson(limits);
  return Json{{"users", users}, {"roles", roles}, {"every_user", ToJson(access.every_user)}, {"tables", tables}}.dump();
}

Result<std::vector<AccessChange>> MissingUsers(const std::string& text, const AccessInfo& present,
                                               const std::set<std::string>& tables) {
  try {
    return Missing(present, tables).Of(Json::parse(text));
  } catch (const std::exception& error) {
    return Error(Code::kInvalidArgument,
                 std::string("the backup's document \"users\" cannot be read: ") + error.what());
  }
}

}  // namespace ebla::backup
