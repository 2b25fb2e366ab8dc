#include "master/catalog/access_rules.h"

#include <algorithm>
#include <set>
#include <string>

#include "common/coordination/layout.h"
#include "common/security/access_list.h"
#include "common/security/scram.h"

namespace ebla::master {
namespace {

using idl::Permission;
using Kind = idl::AccessChangeKind;

template <class T>
T* FindNamed(std::vector<T>& all, const std::string& name) {
  const auto found = std::ranges::find(all, name, &T::name);
  return found == all.end() ? nullptr : &*found;
}

Error NoUser(const std::string& name) { return Error(Code::kNotFound, "there is no user \"" + name + "\""); }
Error NoRole(const std::string& name) { return Error(Code::kNotFound, "there is no role \"" + name + "\""); }

Status CheckLimits(const idl::Limits& limits) {
  if (limits.operationsPerSecond >= 0 && limits.bytesPerSecond >= 0 && limits.connections >= 0 && limits.inFlight >= 0)
    return {};
  return {Code::kInvalidArgument, "a limit is below 0; 0 means that there is none"};
}

class AccessEditor {
 public:
  AccessEditor(idl::AccessNode& node, const Image& image) : node_(node), image_(image) {}

  Status Make(const idl::AccessChange& change) {
    switch (change.kind) {
      case Kind::CREATE_USER: return CreateUser(change);
      case Kind::CREATE_ROLE:
        EBLA_TRY(CheckNew(change.name, "role name"));
        node_.roles.emplace_back().name = change.name;
        return {};
      case Kind::DROP_USER:
        if (std::erase_if(node_.users, [&](const idl::User& user) { return user.name == change.name; }) == 0)
          return NoUser(change.name);
        return {};
      case Kind::DROP_ROLE: return DropRole(change.name);
      case Kind::SET_SECRET:
      case Kind::SET_LIMITS: return SetOfUser(change);
      case Kind::GRANT:
      case Kind::REVOKE: return GrantOrRevoke(change);
      case Kind::GRANT_ROLE:
      case Kind::REVOKE_ROLE: return GrantOrRevokeRole(change);
      case Kind::SET_TABLE_LIMITS: return SetTableLimits(change);
    }
    return {Code::kInvalidArgument, "the change is of a kind that this master does not know: upgrade it"};
  }

 private:
  Status CheckNew(const std::string& name, const char* what) const {
    EBLA_TRY(coordination::layout::CheckName(name, what));
    if (FindNamed(node_.users, name) != nullptr)
      return {Code::kConditionFailed, "there is a user \"" + name + "\" already"};
    if (FindNamed(node_.roles, name) != nullptr)
      return {Code::kConditionFailed, "there is a role \"" + name + "\" already"};
    return {};
  }

  Status CreateUser(const idl::AccessChange& change) {
    EBLA_TRY(CheckNew(change.name, "user name"));
    if (change.name == security::kEverybody) return {Code::kInvalidArgument, "everybody is a role, and no user"};
    idl::User user;
    user.name = change.name;
    if (change.__isset.secret) {
      EBLA_TRY(security::CheckSecret(change.secret));
      user.__set_secret(change.secret);
    }
    node_.users.push_back(std::move(user));
    return {};
  }

  Status DropRole(const std::string& name) {
    if (std::erase_if(node_.roles, [&](const idl::Role& role) { return role.name == name; }) == 0) return NoRole(name);
    for (idl::User& user : node_.users) std::erase(user.roles, name);
    return {};
  }

  Status SetOfUser(const idl::AccessChange& change) {
    if (change.kind == Kind::SET_LIMITS && change.name == security::kEverybody) {
      EBLA_TRY(CheckLimits(change.limits));
      node_.everyUser = change.limits;
      return {};
    }
    idl::User* user = FindNamed(node_.users, change.name);
    if (user == nullptr) return NoUser(change.name);
    if (change.kind == Kind::SET_LIMITS) {
      EBLA_TRY(CheckLimits(change.limits));
      user->limits = change.limits;
    } else if (change.__isset.secret) {
      EBLA_TRY(security::CheckSecret(change.secret));
      user->__set_secret(change.secret);
    } else {
      user->__isset.secret = false;
      user->secret = {};
    }
    return {};
  }

  Result<int64_t> TableId(const std::string& name) const {
    const TableEntry* table = image_.Table(name);
    if (table == nullptr) return NoTable(name);
    return table->node.schema.tableId;
  }

  // Everybody is a role from its first grant on.
  Result<std::vector<idl::Grant>*> GrantsOf(const std::string& name) {
    if (name == security::kEverybody && FindNamed(node_.roles, name) == nullptr) node_.roles.emplace_back().name = name;
    if (idl::User* user = FindNamed(node_.users, name)) return &user->grants;
    if (idl::Role* role = FindNamed(node_.roles, name)) return &role->grants;
    return Error(Code::kNotFound, "there is no user or role \"" + name + "\": `ebla user create` makes one");
  }

  Status GrantOrRevoke(const idl::AccessChange& change) {
    EBLA_ASSIGN(std::vector<idl::Grant>* const grants, GrantsOf(change.name));
    idl::Grant grant;
    grant.permission = change.permission;
    if (!change.table.empty()) {
      EBLA_ASSIGN(grant.tableId, TableId(change.table));
    }
    grant.prefix = change.prefix;
    const bool of_data = grant.permission == Permission::READ || grant.permission == Permission::WRITE;
    if (!of_data && grant.permission != Permission::ADMIN && grant.permission != Permission::OPERATOR)
      return {Code::kInvalidArgument, "the permission is none: say read, write, admin or operator"};
    if (!of_data && !grant.prefix.empty())
      return {Code::kInvalidArgument, "only read and write are granted for a prefix of keys"};
    if (grant.permission == Permission::OPERATOR && grant.tableId != 0)
      return {Code::kInvalidArgument, "operator is granted for the cluster, not for a table"};
    if (grant.prefix.size() > kSplitKeyBytesMax)
      return {Code::kInvalidArgument, "a prefix has at most " + std::to_string(kSplitKeyBytesMax) + " bytes"};
    const auto same = std::ranges::find(*grants, grant);
    if (change.kind == Kind::GRANT) {
      if (grants->size() >= kGrantsMax)
        return {Code::kInvalidArgument,
                "\"" + change.name + "\" has " + std::to_string(kGrantsMax) + " grants already"};
      if (same == grants->end()) grants->push_back(std::move(grant));
      return {};
    }
    if (same == grants->end())
      return {Code::kNotFound, "\"" + change.name + "\" has no such grant of its own: ebla user list shows them"};
    grants->erase(same);
    return {};
  }

  Status GrantOrRevokeRole(const idl::AccessChange& change) {
    idl::User* user = FindNamed(node_.users, change.name);
    if (user == nullptr) return NoUser(change.name);
    if (change.role == security::kEverybody) return {Code::kInvalidArgument, "every user has the role everybody"};
    if (FindNamed(node_.roles, change.role) == nullptr) return NoRole(change.role);
    const bool has = std::ranges::find(user->roles, change.role) != user->roles.end();
    if (change.kind == Kind::REVOKE_ROLE && !has)
      return {Code::kNotFound, "\"" + change.name + "\" does not have the role \"" + change.role + "\""};
    if (change.kind == Kind::REVOKE_ROLE) {
      std::erase(user->roles, change.role);
    } else if (!has) {
      user->roles.push_back(change.role);
    }
    return {};
  }

  Status SetTableLimits(const idl::AccessChange& change) {
    EBLA_ASSIGN(const int64_t table, TableId(change.table));
    EBLA_TRY(CheckLimits(change.limits));
    if (change.limits.connections != 0)
      return {Code::kInvalidArgument, "connections are a user's, and no table's: a connection is to a server"};
    std::erase_if(node_.tables, [&](const idl::TableLimits& limits) { return limits.tableId == table; });
    if (change.limits == idl::Limits()) return {};
    idl::TableLimits limits;
    limits.tableId = table;
    limits.limits = change.limits;
    node_.tables.push_back(limits);
    return {};
  }

  idl::AccessNode& node_;
  const Image& image_;
};

// Removes grants of dropped tables, whose ids are never used again.
void ForgetDropped(const Image& image, idl::AccessNode& node) {
  const auto gone = [&](int64_t table) {
    return table != 0 && image.Table(TableId{static_cast<uint64_t>(table)}) == nullptr;
  };
  const auto clean = [&](std::vector<idl::Grant>& grants) {
    std::erase_if(grants, [&](const idl::Grant& grant) { return gone(grant.tableId); });
  };
  for (idl::User& user : node.users) clean(user.grants);
  for (idl::Role& role : node.roles) clean(role.grants);
  std::erase_if(node.tables, [&](const idl::TableLimits& limits) { return gone(limits.tableId); });
}

}  // namespace

Result<idl::AccessNode> ChangeAccess(idl::AccessNode node, const std::vector<idl::AccessChange>& changes,
                                     const Image& image) {
  ForgetDropped(image, node);
  AccessEditor editor(node, image);
  for (const idl::AccessChange& change : changes) EBLA_TRY(editor.Make(change));
  return node;
}

}  // namespace ebla::master
