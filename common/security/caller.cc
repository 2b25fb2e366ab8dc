#include "common/security/caller.h"

#include <utility>

namespace ebla::security {

const CallerScope*& CallerScope::Innermost() {
  static constinit thread_local const CallerScope* innermost = nullptr;
  return innermost;
}

CallerScope::CallerScope(Session& session, const AccessControl* access)
    : session_(session), access_(access), outer_(std::exchange(Innermost(), this)) {}

CallerScope::~CallerScope() { Innermost() = outer_; }

Caller CallerScope::Now() {
  const CallerScope* now = Innermost();
  return now == nullptr ? Caller{} : Caller{now->session_.identity, now->access_};
}

size_t CallerScope::Flow() {
  const CallerScope* now = Innermost();
  return now == nullptr ? 0 : now->session_.identity.flow();
}

Session* CallerScope::SessionNow() {
  const CallerScope* now = Innermost();
  return now == nullptr ? nullptr : &now->session_;
}

}  // namespace ebla::security
