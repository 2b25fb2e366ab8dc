// Verbs on users and their permissions: user create, drop, password, list; role create, drop, give, take; grant,
// revoke.
#include "common/base/split_text.h"
#include "common/security/scram.h"
#include "tools/ebla/verbs/arguments.h"

namespace ebla::shell {

namespace {

using Kind = AccessChange::Kind;

const char* NameOf(Permission permission) {
  constexpr const char* kNames[] = {"", "read", "write", "admin", "operator"};
  return kNames[static_cast<int>(permission)];
}

Result<std::vector<Permission>> ParsePermissions(const std::string& text) {
  std::vector<Permission> permissions;
  for (const std::string& name : SplitText(text, ',', EmptyParts::kKeep)) {
    bool known = false;
    for (const Permission one : {Permission::kRead, Permission::kWrite, Permission::kAdmin, Permission::kOperator}) {
      if (name != NameOf(one)) continue;
      permissions.push_back(one);
      known = true;
    }
    if (!known)
      return Error(Code::kInvalidArgument,
                   "\"" + EscapeBytes(name) + "\" is no permission: there are read, write, admin and operator");
  }
  return permissions;
}

// "write of carts, keys from "eu/"", for people.
std::string Describe(const Grant& grant) {
  std::string text = NameOf(grant.permission);
  if (grant.permission != Permission::kOperator) text += grant.table.empty() ? " of every table" : " of " + grant.table;
  if (!grant.prefix.empty()) text += ", keys that begin with \"" + EscapeBytes(grant.prefix) + "\"";
  return text;
}

std::string Describe(const std::vector<Grant>& grants) {
  std::string text;
  for (const Grant& grant : grants) text += (text.empty() ? "" : "; ") + Describe(grant);
  return text.empty() ? "-" : text;
}

Json ToJson(const std::vector<Grant>& grants) {
  Json all = Json::Array();
  for (const Grant& grant : grants) {
    all.push_back({{"permission", NameOf(grant.permission)},
                   {"table", grant.table.empty() ? Json() : Json(grant.table)},
                   {"prefix", EscapeBytes(grant.prefix)}});
  }
  return all;
}

Status Change(Context& context, std::vector<AccessChange> changes, const std::string& said, Json value) {
  EBLA_ASSIGN(const Client client, context.connect());
  EBLA_TRY(client.ChangeAccess(std::move(changes)));
  context.out.Ok(said, std::move(value));
  return {};
}

struct Password {
  std::string name, file;
};

void AddUserVerbs(Verbs& verbs) {
  auto created = std::make_shared<Password>();
  verbs
      .Add("user create", "Creates a user, who needs grants before it may do anything",
           "user create ada --new-password-file ada.password",
           [created](Context& context) -> Status {
             AccessChange change{.kind = Kind::kCreateUser, .name = created->name};
             if (!created->file.empty()) {
               EBLA_ASSIGN(change.password, security::ReadPassword(created->file));
             }
             return Change(context, {change}, "user " + created->name + ": ebla grant gives it permissions",
                           {{"user", created->name}, {"password", !created->file.empty()}});
           })
      .Argument("USER", TakeText(created->name))
      .Option("--new-password-file", "FILE", TakeText(created->file),
              "The file's first line is the password. Without it, the user needs a certificate to connect");

  auto dropped = std::make_shared<std::string>();
  verbs
      .Add("user drop", "Drops a user, with all its grants", "user drop ada",
           [dropped](Context& context) {
             return Change(context, {{.kind = Kind::kDropUser, .name = *dropped}}, "user " + *dropped + " is dropped",
                           {{"user", *dropped}});
           })
      .Argument("USER", TakeText(*dropped));

  auto set = std::make_shared<Password>();
  verbs
      .Add("user password", "Gives a user another password, or none",
           "user password ada --new-password-file ada.password",
           [set](Context& context) -> Status {
             AccessChange change{.kind = Kind::kSetPassword, .name = set->name};
             if (!set->file.empty()) {
               EBLA_ASSIGN(change.password, security::ReadPassword(set->file));
             }
             return Change(context, {change}, set->file.empty() ? "it has no password" : "it has that password",
                           {{"user", set->name}, {"password", !set->file.empty()}});
           })
      .Argument("USER", TakeText(set->name))
      .Option("--new-password-file", "FILE", TakeText(set->file),
              "The file's first line is the password. Without it, the user has no password");
}

void AddUserList(Verbs& verbs) {
  verbs.Add("user list", "Shows users and roles with their grants", "user list", [](Context& context) -> Status {
    EBLA_ASSIGN(const Client client, context.connect());
    EBLA_ASSIGN(const AccessInfo access, client.ListAccess());
    if (context.out.json) {
      Json users = Json::Array(), roles = Json::Array();
      for (const UserInfo& user : access.users) {
        Json names = Json::Array();
        for (const std::string& role : user.roles) names.push_back(role);
        users.push_back(
            {{"name", user.name}, {"password", user.has_password}, {"roles", names}, {"grants", ToJson(user.grants)}});
      }
      for (const RoleInfo& role : access.roles) roles.push_back({{"name", role.name}, {"grants", ToJson(role.grants)}});
      context.out.Value({{"users", users}, {"roles", roles}});
      return {};
    }
    std::vector<std::vector<std::string>> rows{{"KIND", "NAME", "PASSWORD", "ROLES", "GRANTS"}};
    for (const UserInfo& user : access.users) {
      std::string roles;
      for (const std::string& role : user.roles) roles += (roles.empty() ? "" : ", ") + role;
      rows.push_back(
          {"user", user.name, user.has_password ? "yes" : "no", roles.empty() ? "-" : roles, Describe(user.grants)});
    }
    for (const RoleInfo& role : access.roles) rows.push_back({"role", role.name, "", "", Describe(role.grants)});
    context.out.Listed(rows, "there are no users yet: ebla user create creates one");
    return {};
  });
}

void AddRoleVerbs(Verbs& verbs) {
  const auto add = [&](const std::string& verb, Kind kind, const std::string& help, const std::string& said) {
    auto name = std::make_shared<std::string>();
    verbs
        .Add("role " + verb, help, "role " + verb + " buyers",
             [=](Context& context) {
               return Change(context, {{.kind = kind, .name = *name}}, "role " + *name + said, {{"role", *name}});
             })
        .Argument("ROLE", TakeText(*name));
  };
  add("create", Kind::kCreateRole, "Creates a role: a set of grants that several users share", " is there");
  add("drop", Kind::kDropRole, "Drops a role, and takes it from its users", " is gone");
  const auto give = [&](const std::string& verb, Kind kind, const std::string& help, const std::string& said) {
    struct Names {
      std::string role, user;
    };
    auto names = std::make_shared<Names>();
    verbs
        .Add("role " + verb, help, "role " + verb + " buyers ada",
             [=](Context& context) {
               return Change(context, {{.kind = kind, .name = names->user, .role = names->role}}, names->user + said,
                             {{"role", names->role}, {"user", names->user}});
             })
        .Argument("ROLE", TakeText(names->role))
        .Argument("USER", TakeText(names->user));
  };
  give("give", Kind::kGrantRole, "Gives a role to a user", " has the role");
  give("take", Kind::kRevokeRole, "Takes a role from a user", " does not have the role");
}

void AddGrantVerb(Verbs& verbs, const std::string& verb, Kind kind, const std::string& help, const std::string& said) {
  struct Arguments {
    std::string permissions, name, table, prefix;
    bool all_tables = false;
  };
  auto arguments = std::make_shared<Arguments>();
  verbs
      .Add(verb, help, verb + " read,write ada --table carts --prefix eu/",
           [=](Context& context) -> Status {
             EBLA_ASSIGN(const auto permissions, ParsePermissions(arguments->permissions));
             const bool cluster = permissions == std::vector{Permission::kOperator};
             if (!cluster && arguments->table.empty() != arguments->all_tables)
               return {Code::kInvalidArgument, "say either --table TABLE or --all-tables"};
             std::vector<AccessChange> changes;
             std::vector<Grant> grants;
             for (const Permission permission : permissions) {
               grants.push_back({permission, arguments->table, arguments->prefix});
               changes.push_back({.kind = kind, .name = arguments->name, .grant = grants.back()});
             }
             return Change(context, std::move(changes), arguments->name + said,
                           {{"name", arguments->name}, {"grants", ToJson(grants)}});
           })
      .Argument("PERMISSIONS", TakeText(arguments->permissions))
      .Argument("WHO", TakeText(arguments->name))
      .Option("--table", "TABLE", TakeText(arguments->table),
              "Grants for this table. They end with the table, even if another gets its name")
      .Option("--prefix", "KEY", TakeBytes(arguments->prefix),
              "Grants read and write only for keys that begin with this")
      .Flag("--all-tables", arguments->all_tables, "Grants for every table, and for every table created later");
}

}  // namespace

void AddAccessVerbs(Verbs& verbs) {
  AddUserVerbs(verbs);
  AddUserList(verbs);
  AddRoleVerbs(verbs);
  AddGrantVerb(verbs, "grant", Kind::kGrant,
               "Lets a user, a role or everybody read, write, admin (a table) or operator (the cluster)",
               ": granted; every server knows within a second");
  AddGrantVerb(verbs, "revoke", Kind::kRevoke, "Revokes grants", ": revoked; every server knows within a second");
}

}  // namespace ebla::shell
