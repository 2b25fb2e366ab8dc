// common/coordination/access_watcher.h
// Keeps a process's AccessControl equal to the coordinator's /access, and follows each change as soon as the
// coordinator announces it.
// Place:      every master and tablet server holds one.
// Invariants: 1. While the coordinator is away, the last known state stays in force.
//             2. A node that cannot be read changes nothing, and the log shows why.
// Threads:    made and destroyed on the executor, or while it does not run.
#pragma once

#include "common/base/callback_guard.h"
#include "common/base/executor.h"
#include "common/coordination/coordinator.h"
#include "common/security/access_control.h"

namespace ebla::coordination {

class AccessWatcher {
 public:
  // All outlive this.
  AccessWatcher(Coordinator& coordinator, Executor& executor, security::AccessControl& access);
  ~AccessWatcher();
  AccessWatcher(const AccessWatcher&) = delete;
  AccessWatcher& operator=(const AccessWatcher&) = delete;

 private:
  void Read();
  void ReadSoon();
  void OnRead(uint64_t reading, const Result<Node>& node);

  Coordinator& coordinator_;
  Executor& executor_;
  security::AccessControl& access_;
  uint64_t reading_ = 0;  // tells the watch of the latest read from earlier ones
  TimerId timer_;
  uint64_t listener_ = 0;
  CallbackGuard if_alive_;
};

}  // namespace ebla::coordination
