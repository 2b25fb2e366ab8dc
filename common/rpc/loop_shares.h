// common/rpc/loop_shares.h
// Shares one loop among the users whose connections it serves: within a phase of a turn, each has so much of its time
// while there are others. What is more waits for the next, behind those who have had nothing yet. So whoever sends little
// waits for a phase, and not for all that another has sent. Internal to common/rpc.
// Place:      server_connection.h asks it before each call that it hands on.
// Threads:    its loop's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "common/base/executor.h"

namespace ebla::rpc {

class LoopShares {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr Duration kShare = std::chrono::microseconds(100);

  struct User {
    size_t flow = 0;
    size_t connections = 0;
    uint64_t phase = 0;  // in which it spent
    Duration spent{};
  };

  // Good until each Join has been followed by its Leave.
  User* Join(size_t flow) {
    User& user = users_[flow];
    user.flow = flow;
    ++user.connections;
    return &user;
  }
  void Leave(User* user) {
    if (--user->connections == 0) users_.erase(user->flow);
  }
  // Else nobody need be measured.
  bool several() const { return users_.size() > 1; }
  // `phase`: EventLoop::phase().
  static bool HasSome(const User& user, uint64_t phase) { return user.phase != phase || user.spent < kShare; }
  static void Spend(User& user, Duration time, uint64_t phase) {
    if (user.phase != phase) user.spent = {};
    user.phase = phase;
    user.spent += time;
  }

 private:
  std::unordered_map<size_t, User> users_;
};

}  // namespace ebla::rpc
