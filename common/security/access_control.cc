#include "common/security/access_control.h"

#include <glog/logging.h>

#include <chrono>
#include <utility>

#include "common/security/caller.h"

namespace ebla::security {
namespace {

std::atomic<uint64_t> versions{1};

}  // namespace

AccessControl::AccessControl() : version_(versions.fetch_add(1)) {}

void AccessControl::Publish(std::shared_ptr<const AccessList> list) {
  usage_.Publish(list);
  MutexLock lock(mutex_);
  list_ = std::move(list);
  version_.store(versions.fetch_add(1), std::memory_order_release);
}

std::shared_ptr<const AccessList> AccessControl::list() const {
  MutexLock lock(mutex_);
  return list_;
}

const AccessList* AccessControl::Now() const {
  static thread_local struct {
    uint64_t version = 0;
    std::shared_ptr<const AccessList> list;
  } kept;
  // Read before the list: one published in between is fetched by the next call.
  const uint64_t version = version_.load(std::memory_order_acquire);
  if (kept.version != version) {
    kept.list = list();
    kept.version = version;
  }
  return kept.list.get();
}

Status AccessControl::Unknown() {
  return {Code::kComeAgain,
          "this server does not know yet which users have which grants: it has not read them from the coordinator"};
}

bool AccessControl::IsStill(const AccessList& list, const Identity& caller) {
  if (caller.proof.empty()) return true;
  const idl::Secret* secret = list.SecretOf(caller.name);
  return secret != nullptr && secret->storedKey == caller.proof;
}

Status AccessControl::CheckLogin(const Identity& caller) const {
  if (caller.proof.empty()) return {};
  const AccessList* list = Now();
  return list == nullptr || IsStill(*list, caller) ? Status() : NoLonger(caller);
}

Status AccessControl::NoLonger(const Identity& caller) const {
  refusals_.fetch_add(1, std::memory_order_relaxed);
  return {Code::kPermissionDenied, "user \"" + caller.name +
                                       "\" has another password since this connection logged in, "
                                       "or is no user any more: connect again"};
}

Status AccessControl::WithoutGrant(const Identity& caller, const Wanted& wanted) const {
  if (features_ != nullptr && features_->cluster() == 0) return Unknown();
  const bool data = wanted.permission == idl::Permission::READ || wanted.permission == idl::Permission::WRITE;
  const bool as_before = features_ != nullptr && !features_->Has(kGrants);
  if (as_before && data && caller.kind == Identity::Kind::kUser) return {};
  return Deny(caller, wanted);
}

std::string AccessControl::DescribeTarget(const Wanted& wanted) {
  if (wanted.permission == idl::Permission::OPERATOR) return "";
  const std::string name = "\"" + std::string(wanted.table_name) + "\"";
  if (wanted.table != 0)
    return " of table " + (wanted.table_name.empty() ? std::to_string(wanted.table) : name) + ", or of these keys";
  return (wanted.any ? " of table " + name : " of every table") +
         (wanted.table_name.empty() ? "" : ", and there is no table " + name);
}

std::string AccessControl::Advice(const Identity& caller, const Wanted& wanted) const {
  if (caller.name.empty()) return ": connect with a certificate, or log in";
  if (wanted.any && wanted.table == 0) return ": an operator lists the tables by `ebla table list`";
  const AccessList* list = Now();
  const bool missing = list != nullptr && list->Find(caller.name) == nullptr;
  const std::string table(wanted.table_name.empty() ? kTableNamePlaceholder : wanted.table_name);
  const auto command = [&](std::string_view permission) {
    const bool cluster = wanted.permission == idl::Permission::OPERATOR;
    return "`" + (missing ? "ebla user create " + caller.name + " && " : std::string()) + "ebla grant " +
           std::string(permission) + " " + caller.name +
           (cluster             ? ""
            : wanted.table == 0 ? " --all-tables"
                                : " --table " + table) +
           "`";
  };
  return ": an operator gives one by " + command(PermissionName(wanted.permission)) +
         (wanted.any ? ", or for writes by " + command(PermissionName(idl::Permission::WRITE)) : "");
}

Status AccessControl::Deny(const Identity& caller, const Wanted& wanted) const {
  const auto [permission, any, table, table_name] = wanted;
  refusals_.fetch_add(1, std::memory_order_relaxed);
  Status refusal{Code::kPermissionDenied, "user \"" + caller.name + "\" lacks a grant of " +
                                              PermissionName(permission) + (any ? " or write" : "") +
                                              DescribeTarget(wanted) + Advice(caller, wanted)};
  const Session* session = CallerScope::SessionNow();
  const std::string peer = session == nullptr ? std::string() : session->peer;
  const MonotonicTime now{std::chrono::steady_clock::now().time_since_epoch()};
  LOG_IF(WARNING, lines_.Spend(peer, now).granted) << "refused: " << refusal.message();
  // The log has admins' actions, and with --audit_data each call, in any case.
  const bool of_data = permission == idl::Permission::READ || permission == idl::Permission::WRITE;
  if (audit_ != nullptr && of_data && !audit_->wants_data())
    audit_->Record({caller, peer, PermissionName(permission), "table=" + std::to_string(table), refusal});
  return refusal;
}

Status AccessControl::CheckAny(const Identity& caller, int64_t table, std::string_view table_name) const {
  if (!NeedsGrants(caller)) return {};
  const AccessList* list = Now();
  if (list == nullptr) return Unknown();
  if (!IsStill(*list, caller)) return NoLonger(caller);
  if (list->AllowsAny(caller.name, table)) return {};
  return WithoutGrant(caller, {idl::Permission::READ, true, table, table_name});
}

Status AccessControl::MayLogIn() const {
  if (features_ == nullptr || features_->Has(kGrants)) return {};
  return {Code::kComeAgain, "logins wait " + UntilFeature(kGrants)};
}

bool AccessControl::IsOperator(const Identity& caller) const {
  if (caller.kind == Identity::Kind::kOperator || caller.kind == Identity::Kind::kTrusted) return true;
  if (caller.kind != Identity::Kind::kUser) return false;
  const AccessList* list = Now();
  return list != nullptr && IsStill(*list, caller) &&
         list->Allows(caller.name, idl::Permission::OPERATOR, 0, KeyRange::All());
}

}  // namespace ebla::security
