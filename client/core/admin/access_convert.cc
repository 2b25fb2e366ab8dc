#include "client/core/admin/access_convert.h"

#include "common/security/scram.h"

namespace ebla::client {
namespace {

std::vector<Grant> FromIdl(const std::vector<idl::Grant>& grants, const std::map<int64_t, std::string>& tables) {
  std::vector<Grant> out;
  for (const idl::Grant& grant : grants) {
    const auto named = tables.find(grant.tableId);
    if (grant.tableId != 0 && named == tables.end()) continue;  // its table is gone
    out.push_back({static_cast<Permission>(grant.permission), grant.tableId == 0 ? "" : named->second, grant.prefix});
  }
  return out;
}

}  // namespace

Result<idl::ChangeAccessRequest> ToIdl(const std::vector<AccessChange>& changes) {
  idl::ChangeAccessRequest request;
  for (const AccessChange& change : changes) {
    idl::AccessChange& out = request.changes.emplace_back();
    out.kind = static_cast<idl::AccessChangeKind::type>(change.kind);
    out.name = change.name;
    out.role = change.role;
    out.permission = static_cast<idl::Permission::type>(change.grant.permission);
    out.table = change.grant.table;
    out.prefix = change.grant.prefix;
    if (change.password.empty()) continue;
    EBLA_ASSIGN(idl::Secret secret, security::MakeSecret(change.password));
    out.__set_secret(secret);
  }
  return request;
}

AccessInfo FromIdl(const idl::ListAccessReply& reply) {
  AccessInfo info;
  for (const idl::User& user : reply.access.users) {
    info.users.push_back({user.name, user.__isset.secret, FromIdl(user.grants, reply.tables), user.roles});
  }
  for (const idl::Role& role : reply.access.roles) {
    info.roles.push_back({role.name, FromIdl(role.grants, reply.tables)});
  }
  return info;
}

}  // namespace ebla::client
