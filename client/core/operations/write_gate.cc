#include "client/core/operations/write_gate.h"

#include <optional>
#include <utility>

#include "client/core/calls/once.h"

namespace ebla::client {

void WriteGate::Begin(Duration timeout, Enter enter) {
  std::optional<WriteWindow::Ticket> ticket;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.empty()) ticket = window_.Begin(network_.executor().Random());
    if (!ticket && waiting_.size() < kWritesWaitingMax) {
      const uint64_t id = next_id_++;
      const TimerId timer = network_.executor().After(timeout, [this, id] { Expired(id); });
      waiting_.push_back({id, std::move(enter), timer});
      return;
    }
  }
  if (ticket) return enter(*ticket);
  enter(Error(Code::kOverloaded, "65536 writes of this client wait already: wait for some of them"));
}

void WriteGate::Finish(const WriteWindow::Ticket& ticket) {
  std::optional<WriteWindow::Ticket> next;
  Waiter waiter;
  {
    std::lock_guard lock(mutex_);
    window_.Finish(ticket);
    if (waiting_.empty()) return;
    next = window_.Begin(network_.executor().Random());
    if (!next) return;
    waiter = std::move(waiting_.front());
    waiting_.pop_front();
  }
  network_.executor().Cancel(waiter.timer);
  // As a task of its own: a row of writes whose time is over would else end within each other.
  network_.executor().Post([enter = std::move(waiter.enter), ticket = *next]() mutable { enter(ticket); });
}

void WriteGate::Expired(uint64_t id) {
  Enter enter;
  {
    std::lock_guard lock(mutex_);
    for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
      if (it->id != id) continue;
      enter = std::move(it->enter);
      waiting_.erase(it);
      break;
    }
  }
  if (enter) {
    enter(Error(Code::kDeadlineExceeded, "it waited in the client: too many earlier writes have no answer yet"));
  }
}

void WriteGate::Close() {
  std::deque<Waiter> waiting;
  {
    std::lock_guard lock(mutex_);
    waiting.swap(waiting_);
  }
  for (Waiter& waiter : waiting) waiter.enter(Error(ClosedStatus()));
}

}  // namespace ebla::client
