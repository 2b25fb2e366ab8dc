// common/coordination/rounds.h
// The base of classes that watch the coordinator and act on its state in rounds: a round reads, then acts. Whatever may
// have changed the picture (a watch, a failed call, the session) begins a new one, and answers to an older round are
// ignored.
// Place:   election.cc and registration.cc derive their Impl from it: `Impl` has Round() and OnSession(SessionState).
// Threads: everything on the coordinator's executor. An Impl is owned by a shared_ptr; calls in flight hold it weakly.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "common/base/executor.h"
#include "common/coordination/coordinator.h"

namespace ebla::coordination {

template <class Impl>
class Rounds : public std::enable_shared_from_this<Impl> {
 public:
  void Start() {
    listener_ = coordinator_.Listen([impl = this->weak_from_this()](SessionState state) {
      if (const auto self = impl.lock(); self != nullptr && !self->stopped_) self->OnSession(state);
    });
  }
  // Nothing of it runs any more.
  void Stop() {
    stopped_ = true;
    coordinator_.Forget(listener_);
  }

 protected:
  ~Rounds() = default;

  // Answers to calls made so far are ignored from now on.
  void EndRound() { ++round_; }
  // Wraps an answer's handler: ignored when its round is over.
  template <class Handler>
  auto InRound(Handler handler) {
    return [impl = this->weak_from_this(), round = round_, handler = std::move(handler)](auto result) mutable {
      const auto self = impl.lock();
      if (self != nullptr && self->InPresentRound(round)) handler(std::move(result));
    };
  }
  // A watch, or a timer's task, that begins a new round unless another began meanwhile.
  Coordinator::Watch NewRoundWhenWoken() {
    return [impl = this->weak_from_this(), round = round_] {
      const auto self = impl.lock();
      if (self != nullptr && self->InPresentRound(round)) self->Round();
    };
  }
  void NewRoundAfter(Duration delay) {
    executor_.After(delay, [wake = NewRoundWhenWoken()]() mutable { wake(); });
  }
  bool stopped() const { return stopped_; }

  Coordinator& coordinator_;
  Executor& executor_;

 private:
  friend Impl;  // who alone may be made of it
  Rounds(Coordinator& coordinator, Executor& executor) : coordinator_(coordinator), executor_(executor) {}

  bool InPresentRound(uint64_t round) const { return !stopped_ && round_ == round; }

  uint64_t listener_ = 0;
  uint64_t round_ = 0;
  bool stopped_ = false;
};

}  // namespace ebla::coordination
