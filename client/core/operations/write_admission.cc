#include "client/core/operations/write_admission.h"

#include <optional>
#include <utility>

#include "client/core/calls/once_callback.h"
#include "common/base/mutex.h"

namespace ebla::client {

void WriteAdmission::Begin(Duration timeout, OnAdmitted on_admitted) {
  std::optional<WriteSequencer::Ticket> ticket;
  {
    MutexLock lock(mutex_);
    if (waiting_.empty()) ticket = sequencer_.Begin(network_.executor().Random());
    if (!ticket && waiting_.size() < kWritesWaitingMax) {
      const uint64_t id = next_id_++;
      const TimerId timer = network_.executor().After(timeout, [this, id] { Expired(id); });
      waiting_.push_back({id, std::move(on_admitted), timer});
      return;
    }
  }
  if (ticket) return on_admitted(*ticket);
  on_admitted(Error(Code::kOverloaded, "65536 writes of this client wait already: wait for some of them"));
}

void WriteAdmission::Finish(const WriteSequencer::Ticket& ticket) {
  std::optional<WriteSequencer::Ticket> next;
  Waiter waiter;
  {
    MutexLock lock(mutex_);
    sequencer_.Finish(ticket);
    if (waiting_.empty()) return;
    next = sequencer_.Begin(network_.executor().Random());
    if (!next) return;
    waiter = std::move(waiting_.front());
    waiting_.pop_front();
  }
  network_.executor().Cancel(waiter.timer);
  // A task of its own, because expired writes in a row would otherwise end within each other.
  network_.executor().Post(
      [on_admitted = std::move(waiter.on_admitted), ticket = *next]() mutable { on_admitted(ticket); });
}

void WriteAdmission::Expired(uint64_t id) {
  OnAdmitted on_admitted;
  {
    MutexLock lock(mutex_);
    for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
      if (it->id != id) continue;
      on_admitted = std::move(it->on_admitted);
      waiting_.erase(it);
      break;
    }
  }
  if (on_admitted) {
    on_admitted(Error(Code::kDeadlineExceeded, "it waited in the client: too many earlier writes have no answer yet"));
  }
}

void WriteAdmission::Close() {
  std::deque<Waiter> waiting;
  {
    MutexLock lock(mutex_);
    waiting.swap(waiting_);
  }
  for (Waiter& waiter : waiting) waiter.on_admitted(Error(ClosedStatus()));
}

}  // namespace ebla::client
