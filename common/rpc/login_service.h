// common/rpc/login_service.h
// Logs connections in by name and password. From then on the connection's caller is that user.
// Place:      the dispatcher registers it; caller.h says whose connection it is.
// Invariants: 1. It cannot be told whether a name is known.
//             2. From one address at most ten logins of one name fail a minute, and a hundred of all names, also of
//                those that began before; further logins in that minute are OVERLOADED. So a client that guesses at one
//                name behind an address, such as a gateway's, does not shut out other users there.
//             3. A process of the cluster never becomes a user.
//             4. A login lasts as long as the user's password is unchanged (Identity::proof).
// Errors:     PERMISSION_DENIED wrong user or password; INVALID_ARGUMENT; OVERLOADED; COME_AGAIN.
// Threads:    any: a session's calls come from its connection's.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "common/base/executor.h"
#include "common/security/access_control.h"
#include "common/security/caller.h"
#include "common/security/host_budget.h"
#include "idl/LoginService.h"

namespace ebla::rpc {

class LoginService final : public idl::LoginServiceCobSvIf {
 public:
  using Clock = std::function<MonotonicTime()>;
  // Called for each failed login.
  using OnRefused = std::function<void(const security::Session& session, const std::string& user, const Status& why)>;

  LoginService(const security::AccessControl& access, Clock clock, OnRefused on_refused);
  void login(std::function<void(const idl::LoginReply&)> cob, const idl::LoginRequest& request) override;

 private:
  // Checks at the last message, too, because logins that began side by side are guesses each.
  Status MayFail(const security::Session& session) const;
  void CountFailure(const security::Session& session);
  Result<idl::LoginReply> Step(security::Session& session, const idl::LoginRequest& request);

  const security::AccessControl& access_;
  const Clock clock_;
  const OnRefused on_refused_;
  security::HostBudget failures_;          // of an address
  security::HostBudget failures_of_name_;  // of an address, under one name
};

}  // namespace ebla::rpc
