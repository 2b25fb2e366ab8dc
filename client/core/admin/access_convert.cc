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

idl::Limits ToIdl(const Limits& limits) {
  idl::Limits out;
  out.operationsPerSecond = limits.operations_per_second;
  out.bytesPerSecond = limits.bytes_per_second;
  out.connections = limits.connections;
  out.inFlight = limits.in_flight;
  return out;
}

Limits FromIdl(const idl::Limits& limits) {
  return {limits.operationsPerSecond, limits.bytesPerSecond, limits.connections, limits.inFlight};
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
    using Kind = AccessChange::Kind;
    if (change.kind == Kind::kSetLimits || change.kind == Kind::kSetTableLimits) out.__set_limits(ToIdl(change.limits));
    if (!change.secret.empty()) {
      EBLA_ASSIGN(idl::Secret secret, security::ParseSecret(change.secret));
      out.__set_secret(secret);
    }
    if (change.password.empty()) continue;
    EBLA_ASSIGN(idl::Secret secret, security::MakeSecret(change.password));
    out.__set_secret(secret);
  }
  return request;
}

AccessInfo FromIdl(const idl::ListAccessReply& reply) {
  AccessInfo info;
  for (const idl::User& user : reply.access.users) {
    info.users.push_back({.name = user.name,
                          .has_password = user.__isset.secret,
                          .secret = user.secret.storedKey.empty() ? "" : security::FormatSecret(user.secret),
                          .grants = FromIdl(user.grants, reply.tables),
                          .roles = user.roles,
                          .limits = FromIdl(user.limits)});
  }
  for (const idl::Role& role : reply.access.roles) {
    info.roles.push_back({role.name, FromIdl(role.grants, reply.tables)});
  }
  info.every_user = FromIdl(reply.access.everyUser);
  for (const idl::TableLimits& table : reply.access.tables) {
    if (const auto name = reply.tables.find(table.tableId); name != reply.tables.end())
      info.tables[name->second] = FromIdl(table.limits);
  }
  return info;
}

}  // namespace ebla::client
