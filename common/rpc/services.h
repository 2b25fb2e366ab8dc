// common/rpc/services.h
// The methods of each service as the IDL lists them, and their permitted callers. The dispatcher registers them from
// here. Internal to common/rpc.
// Threads: constants.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "common/security/identity.h"
#include "common/security/usage_limits.h"
#include "idl/ControlService.h"
#include "idl/LoginService.h"
#include "idl/MasterService.h"
#include "idl/ReplicationService.h"
#include "idl/TabletService.h"
#include "idl/methods.h"

namespace ebla::rpc {

// A method's name on the wire and the generated interface's member.
template <class Service, class Request, class Reply>
struct ServiceMethod {
  const char* name;
  void (Service::*call)(std::function<void(const Reply&)>, const Request&);
};
template <class Service, class Request, class Reply>
ServiceMethod(const char*, void (Service::*)(std::function<void(const Reply&)>, const Request&))
    -> ServiceMethod<Service, Request, Reply>;

// The server that a request names as its sender; empty: none.
template <class Request>
std::string SpeakerOf(const Request& request) {
  if constexpr (requires { request.header.fromServer; }) return request.header.fromServer;
  if constexpr (requires {
                  request.incarnation;
                  request.server;
                })
    return request.server;
  return {};
}

// A request's object, for the audit log: "table=carts server=ts-1".
class SubjectText {
 public:
  void Add(const char* name, const std::string& value);
  void Add(const idl::AccessChange& change);
  std::string Take();

 private:
  std::string text_;
  size_t left_out_ = 0;
};

template <class Request>
std::string SubjectOf(const Request& request) {
  SubjectText subject;
  if constexpr (requires { request.name; }) subject.Add("name", request.name);
  if constexpr (requires { request.table; }) subject.Add("table", request.table);
  if constexpr (requires { request.server; }) subject.Add("server", request.server);
  if constexpr (requires { request.header.tableId; }) subject.Add("table", std::to_string(request.header.tableId));
  if constexpr (requires { request.tabletId; }) subject.Add("tablet", std::to_string(request.tabletId));
  if constexpr (requires { request.key; }) subject.Add("key", request.key);
  if constexpr (requires { request.id.size(); }) subject.Add("id", request.id);
  if constexpr (requires { request.changes; }) {
    for (const idl::AccessChange& change : request.changes) subject.Add(change);
  }
  if constexpr (requires { request.draining; }) {
    if (request.__isset.draining) subject.Add("draining", request.draining ? "true" : "false");
    if (request.__isset.maintenance) subject.Add("maintenance", request.maintenance ? "true" : "false");
    if (request.acceptClock) subject.Add("accept_clock", "true");
  }
  if constexpr (std::is_same_v<Request, idl::BalanceRequest>) {
    if (request.__isset.enabled) subject.Add("enabled", request.enabled ? "true" : "false");
    if (request.now) subject.Add("now", "true");
  }
  return subject.Take();
}

// Whether it asks what is so, or what would be: an operator's that changes nothing.
template <class Request>
bool OnlyLooks(const Request& request) {
  if constexpr (std::is_same_v<Request, idl::BalanceRequest>) return !request.__isset.enabled && !request.now;
  if constexpr (std::is_same_v<Request, idl::RecoverTabletRequest>) return !request.acceptDataLoss;
  if constexpr (std::is_same_v<Request, idl::AdoptRequest>) return !request.confirm;
  return false;
}

// A data call's cost against the limits of its user and table.
template <class Request>
security::CallCost CostOf(const Request& request, size_t bytes) {
  security::CallCost cost{.bytes = static_cast<int64_t>(bytes)};
  if constexpr (requires { request.writes.size(); }) cost.operations = std::ssize(request.writes);
  if constexpr (requires { request.keys.size(); }) cost.operations = std::ssize(request.keys);
  return cost;
}

enum class AuditKind { kNone, kData, kAdmin };

// `rest`: for methods that are not named, so that a new one is not open by mistake.
struct Access {
  using Kind = security::Identity::Kind;
  Kind Of(std::string_view method) const {
    return Names(for_users, method) || Names(for_admins, method) ? Kind::kUser
           : method == for_servers                               ? Kind::kServer
                                                                 : rest;
  }
  AuditKind AuditOf(std::string_view method) const {
    if (Names(data, method)) return AuditKind::kData;
    const bool changes = Names(for_admins, method) || (Of(method) == Kind::kOperator && !Names(quiet, method));
    return changes ? AuditKind::kAdmin : AuditKind::kNone;
  }
  // Whether it writes records, or orders something.
  bool Changes(std::string_view method) const {
    return Names(writes, method) || (AuditOf(method) == AuditKind::kAdmin && !Names(looks, method));
  }
  static bool Names(const std::vector<std::string_view>& methods, std::string_view method) {
    return std::ranges::find(methods, method) != methods.end();
  }

  // A server's certificate is as good as an operator's.
  bool IsForServersToo(std::string_view method) const { return Names(for_servers_too, method); }

  // No process of the cluster reads records, or orders what admins do: its certificate is not good for that.
  bool IsForPeople(std::string_view method) const {
    return Names(for_admins, method) || (Names(data, method) && !Names(for_delivery, method));
  }

  Kind rest;
  std::vector<std::string_view> for_users = {};
  std::vector<std::string_view> for_admins = {};  // users with a grant of the table: their handlers ask for it
  std::vector<std::string_view> quiet = {};       // an operator's that change nothing
  std::vector<std::string_view> data = {};
  std::vector<std::string_view> writes = {};
  std::vector<std::string_view> looks = {};         // an operator's that the audit log has, and that change nothing
  std::vector<std::string_view> for_delivery = {};  // of hinted writes, by servers
  std::string_view for_servers = {};
  std::vector<std::string_view> for_servers_too = {};  // an operator's that servers ask of each other
};

// kAll: the methods. kInternal: only Ebla's own processes call them, in the binary protocol alone, because compact
// coders would double the code of each struct.
template <class Service>
struct ServiceMethods;

#define EBLA_SERVICE_METHOD(name, Request, Reply) ServiceMethod{#name, &S::name},
template <>
struct ServiceMethods<idl::LoginServiceCobSvIf> {
  using S = idl::LoginServiceCobSvIf;
  static constexpr bool kInternal = false;
  static constexpr auto kAll = std::tuple{EBLA_ACCESS_METHODS(EBLA_SERVICE_METHOD)};
  static Access RequiredAccess() { return {.rest = Access::Kind::kAnonymous}; }
};
template <>
struct ServiceMethods<idl::TabletServiceCobSvIf> {
  using S = idl::TabletServiceCobSvIf;
  static constexpr bool kInternal = false;
  static constexpr auto kAll = std::tuple{EBLA_TABLET_METHODS(EBLA_SERVICE_METHOD)};
  static Access RequiredAccess() {
    return {.rest = Access::Kind::kOperator,
            .for_users = {"get", "multiGet", "call", "write", "scan", "echo"},
            .quiet = {"listKept", "checksum", "followLog"},
            .data = {"get", "multiGet", "call", "write", "scan"},
            .writes = {"write"},
            .looks = {"snapshot"},
            .for_delivery = {"write"},
            // Numbers, which say no record; else the comparison of replicas would need an operator.
            .for_servers_too = {"checksum"}};
  }
};
template <>
struct ServiceMethods<idl::MasterServiceCobSvIf> {
  using S = idl::MasterServiceCobSvIf;
  static constexpr bool kInternal = false;
  static constexpr auto kAll = std::tuple{EBLA_MASTER_METHODS(EBLA_SERVICE_METHOD)};
  static Access RequiredAccess() {
    return {.rest = Access::Kind::kOperator,
            .for_users = {"listTables", "describeTable", "locate", "listServers", "clusterInfo"},
            .for_admins = {"createTable", "alterTable", "dropTable", "splitTablet", "mergeTablets", "moveTablet",
                           "transferTablet", "compactTable"},
            .quiet = {"listTablets", "listProcedures", "clusterVersion", "listAccess"},
            .looks = {"scrubServers"},
            .for_servers = "heartbeat"};
  }
};
template <>
struct ServiceMethods<idl::ControlServiceCobSvIf> {
  using S = idl::ControlServiceCobSvIf;
  static constexpr bool kInternal = true;
  static constexpr auto kAll = std::tuple{EBLA_CONTROL_METHODS(EBLA_SERVICE_METHOD)};
  static Access RequiredAccess() { return {.rest = Access::Kind::kMaster}; }
};
template <>
struct ServiceMethods<idl::ReplicationServiceCobSvIf> {
  using S = idl::ReplicationServiceCobSvIf;
  static constexpr bool kInternal = true;
  static constexpr auto kAll = std::tuple{EBLA_REPLICATION_METHODS(EBLA_SERVICE_METHOD)};
  static Access RequiredAccess() { return {.rest = Access::Kind::kServer}; }
};
#undef EBLA_SERVICE_METHOD

}  // namespace ebla::rpc
