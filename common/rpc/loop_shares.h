// common/rpc/loop_shares.h
// Shares one loop among the users whose connections it serves: within a phase of a turn, each has so much of its time
// while there are others, for reading, handling and sending alike. What is more waits for the next, behind those who have
// had nothing yet. So whoever sends little waits for a phase, and not for all that another has sent. Internal to
// common/rpc.
// Place:      server_connection.h asks it before it reads, hands on a call, or sends.
// Threads:    its loop's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>

#include "common/base/executor.h"

namespace ebla::rpc {

class ServerConnection;

class LoopShares {
 public:
  using Clock = std::chrono::steady_clock;
  // Long ones cost less: there are fewer turns, and more is sent at a time. So they are short only for so long as
  // somebody waits for them, one who has been served beside others just now.
  static constexpr Duration kShare = std::chrono::microseconds(100), kShortShare = std::chrono::microseconds(25);
  static constexpr Duration kContest = std::chrono::milliseconds(10);

  struct User {
    explicit User(size_t its_flow) : flow(its_flow) {}
    const size_t flow;
    size_t connections = 0;
    uint64_t phase = 0;  // in which it spent
    Duration spent{};
    std::deque<std::weak_ptr<ServerConnection>> waiting;  // for time of a later phase
    bool listed = false;                                  // among those with some waiting
  };

  // One call of Leave() for each.
  std::shared_ptr<User> Join(size_t flow) {
    std::shared_ptr<User>& user = users_[flow];
    if (user == nullptr) user = std::make_shared<User>(flow);
    ++user->connections;
    return user;
  }
  void Leave(User& user) {
    if (--user.connections == 0) users_.erase(user.flow);
  }
  // Else nobody need be measured.
  bool several() const { return users_.size() > 1; }
  // `phase`: EventLoop::phase().
  bool HasTime(const User& user, uint64_t phase) const {
    return !several() || user.phase != phase || user.spent < (since_ < contested_until_ ? kShortShare : kShare);
  }
  // The time since Begin(), or the last call of this.
  void Spend(User& user, uint64_t phase, Clock::time_point now = Clock::now()) {
    if (user.phase != phase) user.spent = {};
    user.phase = phase;
    user.spent += now - std::exchange(since_, now);
    if (std::exchange(last_, user.flow) != user.flow) contested_until_ = now + kContest;
  }
  // Where nobody need be measured, nobody is.
  void Begin() {
    if (several()) Begin(Clock::now());
  }
  void Begin(Clock::time_point now) { since_ = now; }

 private:
  std::unordered_map<size_t, std::shared_ptr<User>> users_;
  Clock::time_point since_, contested_until_;
  size_t last_ = 0;  // whose flow was served last
};

}  // namespace ebla::rpc
