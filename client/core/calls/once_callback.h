// client/core/calls/once_callback.h
// A callback that runs exactly once: when called, or with UNAVAILABLE if its owner is destroyed before it calls (the
// client is closed with the operation under way).
// Threads: belongs to the operation's owner.
#pragma once

#include <functional>
#include <utility>

#include "common/base/status.h"

namespace ebla::client {

inline Status ClosedStatus() { return {Code::kUnavailable, "the client was closed while the operation was under way"}; }

// T is Status or a Result.
template <class T>
class OnceCallback {
 public:
  using Function = std::move_only_function<void(T)>;

  explicit OnceCallback(Function function) : function_(std::move(function)) {}
  OnceCallback(OnceCallback&& other) noexcept : function_(std::exchange(other.function_, nullptr)) {}
  // The target must have nothing left to run.
  OnceCallback& operator=(OnceCallback&& other) noexcept {
    function_ = std::exchange(other.function_, nullptr);
    return *this;
  }
  ~OnceCallback() {
    if (function_) operator()(T(Error(ClosedStatus())));
  }

  explicit operator bool() const { return static_cast<bool>(function_); }
  // The function is gone before it runs: what it captures dies with this call.
  void operator()(T value) {
    Function function = std::exchange(function_, nullptr);
    if (function) function(std::move(value));
  }

 private:
  Function function_;
};

}  // namespace ebla::client
