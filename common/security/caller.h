// common/security/caller.h
// The caller of the handler that runs now, and its permissions.
// Place:   the dispatcher sets it; a handler that needs it asks at its entry, before it passes the call on, and may
//          keep a copy for as long as the process serves.
// Threads: each has its own. Outside of a handler the caller is trusted, because it is the process itself.
#pragma once

#include <optional>
#include <string>

#include "common/security/access_control.h"
#include "common/security/identity.h"
#include "common/security/scram.h"

namespace ebla::security {

// One connection's caller, and its login while that is under way. The connection's thread's.
struct Session {
  Identity identity;
  std::string peer;  // host:port; empty: none
  bool may_log_in = false;
  std::optional<ScramServer> login;
  UsageLimits::Member usage;
};

struct Caller {
  Identity identity;
  const AccessControl* access = nullptr;  // null: no grants are checked

  template <class What>
  Status May(idl::Permission::type permission, int64_t table, const What& what, std::string_view name = {}) const {
    return access == nullptr ? Status() : access->Check(identity, permission, table, what, name);
  }
  Status MayAny(int64_t table, std::string_view name = {}) const {
    return access == nullptr ? Status() : access->CheckAny(identity, table, name);
  }
};

class CallerScope {
 public:
  // Both outlive the scope.
  CallerScope(Session& session, const AccessControl* access);
  ~CallerScope();
  CallerScope(const CallerScope&) = delete;
  CallerScope& operator=(const CallerScope&) = delete;

  static Caller Now();
  // The same without a copy, for the handler that is called now.
  template <class What>
  static Status May(idl::Permission::type permission, int64_t table, const What& what) {
    const CallerScope* now = Innermost();
    if (now == nullptr || now->access_ == nullptr) return {};
    return now->access_->Check(now->session_.identity, permission, table, what);
  }
  // A number for the user that calls, where users share something; 0 outside of a handler.
  static size_t Flow();
  // Null outside of a handler.
  static Session* SessionNow();

 private:
  static const CallerScope*& Innermost();

  Session& session_;
  const AccessControl* const access_;
  const CallerScope* const outer_;
};

}  // namespace ebla::security
