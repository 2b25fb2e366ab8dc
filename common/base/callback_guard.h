// common/base/callback_guard.h
// Makes callbacks that do nothing once the object that made them is destroyed, so that calls in flight when a master
// loses leadership have no effect.
// Use:     a last member `CallbackGuard if_alive_;` and if_alive_([this](Result<Node> node) { ... }) wherever a
//          callback is wanted.
// Threads: one executor; calls and destruction on it.
#pragma once

#include <memory>
#include <utility>

namespace ebla {

class CallbackGuard {
 public:
  CallbackGuard() = default;
  CallbackGuard(const CallbackGuard&) = delete;
  CallbackGuard& operator=(const CallbackGuard&) = delete;

  template <class F>
  auto operator()(F callback) const {
    return [alive = std::weak_ptr<char>(alive_), callback = std::move(callback)](auto&&... arguments) mutable {
      if (!alive.expired()) callback(std::forward<decltype(arguments)>(arguments)...);
    };
  }

 private:
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // shared only so that callbacks can watch it
};

}  // namespace ebla
