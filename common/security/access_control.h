// common/security/access_control.h
// This process's knowledge of permissions and limits, and the only place that judges by it.
// Place:      a process has one; the dispatcher puts it beside each caller (caller.h).
// Invariants: 1. Processes of the cluster, trusted callers, and clients with an operator's certificate need no grants.
//             2. A published change takes effect at once, also for existing connections. A login ends when the user's
//                password is changed or the user is dropped.
//             3. While nothing is known, users are told to try again.
//             4. Until the cluster has kGrants (common/base/features.h), every user's certificate may read and write
//                every table, as in older builds, and no login is possible, because these know none.
// Errors:     PERMISSION_DENIED names the user and the grant that it lacks; COME_AGAIN.
// Threads:    any.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/features.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/security/access_list.h"
#include "common/security/audit_log.h"
#include "common/security/identity.h"
#include "common/security/usage_limits.h"

namespace ebla::security {

class AccessControl {
 public:
  AccessControl();
  AccessControl(const AccessControl&) = delete;
  AccessControl& operator=(const AccessControl&) = delete;

  // Before the first call: grants count once the cluster has kGrants. Without this they count.
  void SetFeatures(std::shared_ptr<const Features> features) { features_ = std::move(features); }
  void Publish(std::shared_ptr<const AccessList> list);
  // Null: nothing is known yet.
  std::shared_ptr<const AccessList> list() const;

  // `what`: a key, or a range of keys. `table_name`: for the refusal's message, if known.
  template <class What>
  Status Check(const Identity& caller, idl::Permission::type permission, int64_t table, const What& what,
               std::string_view table_name = {}) const {
    if (!NeedsGrants(caller)) return {};
    const AccessList* list = Now();
    if (list == nullptr) return Unknown();
    if (!IsStill(*list, caller)) return NoLonger(caller);
    if (list->Allows(caller.name, permission, table, what)) return {};
    return WithoutGrant(caller, {permission, false, table, table_name});
  }
  // Whether the caller's login is still valid.
  Status CheckLogin(const Identity& caller) const;
  // Any grant of the table will do.
  Status CheckAny(const Identity& caller, int64_t table, std::string_view table_name = {}) const;
  bool IsOperator(const Identity& caller) const;
  // The audit log for refused reads and writes of data. Before the first call; null: none. It outlives this.
  void SetAudit(AuditLog* audit) { audit_ = audit; }
  UsageLimits& usage() const { return usage_; }
  // COME_AGAIN while grants do not count, because a login has no rights without grants.
  Status MayLogIn() const;
  // Calls refused for lack of a grant, since the start.
  uint64_t refusals() const { return refusals_.load(std::memory_order_relaxed); }

 private:
  static bool NeedsGrants(const Identity& caller) { return caller.kind <= Identity::Kind::kUser; }
  // Whether the caller showed a certificate, or logged in by a password that is still valid.
  static bool IsStill(const AccessList& list, const Identity& caller);
  static Status Unknown();
  Status NoLonger(const Identity& caller) const;
  struct Wanted {
    idl::Permission::type permission;
    bool any;                     // a grant of write would do, too
    int64_t table;                // 0: every table; of `any`, a table that there is not
    std::string_view table_name;  // empty: unknown
  };
  Status WithoutGrant(const Identity& caller, const Wanted& wanted) const;
  // The table or keys that a refusal names, and the least that an operator does so that the caller may.
  static std::string DescribeTarget(const Wanted& wanted);
  std::string Advice(const Identity& caller, const Wanted& wanted) const;
  // Counts and logs it.
  Status Deny(const Identity& caller, const Wanted& wanted) const;
  // Good until the thread asks again.
  const AccessList* Now() const;

  std::shared_ptr<const Features> features_;  // the process's; null: grants count
  mutable Mutex mutex_;
  std::shared_ptr<const AccessList> list_ EBLA_GUARDED_BY(mutex_);
  AuditLog* audit_ = nullptr;
  mutable UsageLimits usage_;                              // counts what calls take
  mutable HostBudget lines_{20, std::chrono::minutes(1)};  // of refusals, in the log
  mutable std::atomic<uint64_t> refusals_{0};
  std::atomic<uint64_t> version_;  // unlike any other of this process
};

}  // namespace ebla::security
