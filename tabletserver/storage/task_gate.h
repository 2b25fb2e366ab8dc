// tabletserver/storage/task_gate.h
// Lets tasks on an executor outlive their owner: each runs inside Enter(), or not at all once the gate is closed.
// Place:   the owner shares one with its tasks, and closes it as it ends.
// Threads: any. Tasks inside one gate run one at a time.
#pragma once

#include "common/base/mutex.h"

namespace ebla::tabletserver {

class TaskGate {
 public:
  // False, without running it: closed.
  template <class Body>
  bool Enter(const Body& body) {
    MutexLock lock(mutex_);
    if (closed_) return false;
    body();
    return true;
  }
  // Waits for the task inside.
  void Close() {
    MutexLock lock(mutex_);
    closed_ = true;
  }

 private:
  Mutex mutex_;
  bool closed_ EBLA_GUARDED_BY(mutex_) = false;
};

}  // namespace ebla::tabletserver
