// client/core/operations/write_admission.h
// Admits writes in order of arrival while the servers' dedup window has room; further writes wait here, bounded in
// number and by their own deadlines.
// Threads: any; callbacks run without the lock: within Begin where there is room, else on the network's
// executor.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "client/core/operations/write_sequencer.h"
#include "client/core/routing/network.h"
#include "common/base/mutex.h"

namespace ebla::client {

inline constexpr size_t kWritesWaitingMax = 65'536;

class WriteAdmission {
 public:
  // With a ticket, or with why there is none: DEADLINE_EXCEEDED after `timeout`, OVERLOADED when too many wait.
  using OnAdmitted = std::move_only_function<void(Result<WriteSequencer::Ticket>)>;

  explicit WriteAdmission(Network& network) : network_(network) {}

  void Begin(Duration timeout, OnAdmitted on_admitted);
  // Its write has its final answer.
  void Finish(const WriteSequencer::Ticket& ticket);
  Sequence FirstIncomplete(const WriteSequencer::Ticket& ticket) const {
    MutexLock lock(mutex_);
    return sequencer_.FirstIncomplete(ticket);
  }
  // Refuses a waiting write.
  void Close();

 private:
  struct Waiter {
    uint64_t id = 0;
    OnAdmitted on_admitted;
    TimerId timer;
  };
  void Expired(uint64_t id);

  Network& network_;
  mutable Mutex mutex_;
  WriteSequencer sequencer_ EBLA_GUARDED_BY(mutex_);
  std::deque<Waiter> waiting_ EBLA_GUARDED_BY(mutex_);
  uint64_t next_id_ EBLA_GUARDED_BY(mutex_) = 1;
};

}  // namespace ebla::client
