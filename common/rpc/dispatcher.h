// common/rpc/dispatcher.h
// From the bytes of one Thrift message to a handler and back: finds the method by its name, decodes the request, calls
// the handler (a generated ...CobSvIf) and encodes its reply. It knows no socket, because both the server and the
// simulated network use it. Callers in the same process have their requests as structs, and get the replies so.
// Place:      common/rpc/services.h lists each service's methods; message.h reads and writes messages.
// Contract:   1. `reply` is called exactly once for each Dispatch, at any later time and on any thread, also inside
//                Dispatch: with the reply's bytes, or with INVALID_ARGUMENT when the message was no well-formed call
//                (the server then closes the connection).
//             2. An unknown method, and a handler that lets go of its callback without calling it, are answered with
//                a TApplicationException.
//             3. Hostile bytes cost at most what kMessage... in message.h allow; nothing is thrown out of here.
//             4. A method that its caller may not call is answered PERMISSION_DENIED, and its handler never knows:
//                services.h has the callers of each method. A server that claims another name than its certificate's is
//                refused likewise. Handlers check a user's grants of a table (security/caller.h).
//             5. A call for data that is over its user's or its table's limits (security/usage_limits.h) is answered
//                OVERLOADED, and its handler never knows.
//             6. Administration is written to the audit log with its outcome; so is each login that failed, and, where
//                the log wants it, data. Refusals have 20 lines a minute for each address.
// Handlers:   answer each call once, from any thread. The request they are given is valid only until they return.
// Threads:    Register before the first Dispatch; Dispatch from any thread.
#pragma once

#include <any>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/status.h"
#include "common/rpc/message.h"
#include "common/security/access_control.h"
#include "common/security/audit_log.h"
#include "common/security/caller.h"
#include "common/security/host_budget.h"
#include "common/security/identity.h"

namespace ebla::idl {
class WriteRequest;
class LoginServiceCobSvIf;
class TabletServiceCobSvIf;
class MasterServiceCobSvIf;
class ControlServiceCobSvIf;
class ReplicationServiceCobSvIf;
}  // namespace ebla::idl

namespace ebla::rpc {

class PendingCall;
enum class AuditKind;

class Dispatcher {
 public:
  // The reply's message bytes (no frame header), valid only during the call.
  using Reply = std::move_only_function<void(Result<std::string_view>)>;

  // The inputs for judging calls; all of them outlive the dispatcher, and null is allowed.
  struct Options {
    const security::AccessControl* access = nullptr;  // with it, logins are served
    security::AuditLog* audit = nullptr;
  };
  Dispatcher();
  explicit Dispatcher(Options options);
  ~Dispatcher();

  // A method name that another service has taken already is a broken invariant.
  void Register(std::shared_ptr<idl::TabletServiceCobSvIf> handler);
  void Register(std::shared_ptr<idl::MasterServiceCobSvIf> handler);
  void Register(std::shared_ptr<idl::ControlServiceCobSvIf> handler);
  void Register(std::shared_ptr<idl::ReplicationServiceCobSvIf> handler);

  // `message` need only live during the call. Its caller is trusted.
  void Dispatch(std::string_view message, Reply reply) const;
  // The same with structs, as LocalCalls (channel.h) has them; `reply` is called as above. Only while it
  // TakesStructs(): limits count bytes.
  using StructReply = std::move_only_function<void(Result<std::shared_ptr<void>>)>;
  void Dispatch(std::string_view method, const std::any& request, StructReply reply) const;
  bool TakesStructs() const { return options_.access == nullptr || !options_.access->usage().any(); }
  // The same for a server that has read the head already, and knows the caller.
  void Dispatch(const MessageHead& head, std::string_view message, security::Session& caller, Reply reply) const;
  // Before the first call. Writes, and what admins and operators order, are answered with this error.
  void RefuseChanges(Status why) { no_changes_ = std::move(why); }
  // Before the first call.
  void SetAudit(security::AuditLog* audit) { options_.audit = audit; }
  // Calls refused for lack of permission, since the start.
  uint64_t refusals() const {
    const uint64_t for_grants = options_.access == nullptr ? 0 : options_.access->refusals();
    return refusals_.load(std::memory_order_relaxed) + for_grants;
  }
  // Calls over a user's or a table's limits, since the start.
  uint64_t limited() const { return options_.access == nullptr ? 0 : options_.access->usage().refusals(); }

 private:
  struct Method {
    security::Identity::Kind whose = security::Identity::Kind::kServer;
    bool for_people = false;  // and for no process of the cluster
    bool for_servers_too = false;
    // Decodes the call's body and hands it to the handler.
    std::function<void(const MessageHead& head, std::string_view message, security::Session& caller, Reply reply)> call;
    // The same with the struct.
    std::function<void(const std::any& request, security::Session& caller, StructReply reply)> call_with_struct;
    std::function<void(const MessageHead& head, const Status& why, Reply reply)> refuse;
  };
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };

  template <class Service>
  void RegisterAll(std::shared_ptr<Service> handler);
  bool Audits(AuditKind kind, const security::Session& session) const;
  Status CheckSpeaker(const security::Session& session, std::string_view method, const std::string& speaker) const;
  Status CheckWrite(const security::Session& session, std::string_view method, const idl::WriteRequest& request) const;
  Status CheckLimits(security::Session& session, int64_t table, const security::CallCost& cost,
                     PendingCall& call) const;
  void Audit(security::AuditEvent refusal) const;
  // Counts, logs and audits it.
  Status Refuse(const security::Session& caller, std::string_view method, const std::string& why) const;

  Options options_;
  Status no_changes_;  // OK: changes are served
  std::unordered_map<std::string, Method, NameHash, std::equal_to<>> methods_;
  mutable std::atomic<uint64_t> refusals_{0};
  mutable security::HostBudget lines_{20, std::chrono::minutes(1)};  // of refusals, in the logs
};

}  // namespace ebla::rpc
