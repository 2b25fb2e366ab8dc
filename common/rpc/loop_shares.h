// common/rpc/loop_shares.h
// Shares one loop among the users whose connections it serves. Within a phase of a turn, each of several users has a
// share of its time, for reading, handling and sending alike. Further work waits for the next phase, behind users
// without a share yet. So a light user waits for a phase, not for all requests of a busy one, and for few of its calls
// on other threads (call_window.h). Internal to common/rpc.
// Place:      server_connection.h asks it before it reads, hands on a call, or sends.
// Threads:    its loop's.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>

#include "common/base/executor.h"
#include "common/rpc/call_window.h"

namespace ebla::rpc {

class ServerConnection;

class LoopShares {
 public:
  using Clock = std::chrono::steady_clock;
  // Long ones cost less: there are fewer turns, and more is sent at a time. So they are short only while a user waits
  // who was recently served beside others.
  static constexpr Duration kShare = std::chrono::microseconds(100), kShortShare = std::chrono::microseconds(25);
  static constexpr Duration kContest = std::chrono::milliseconds(10);
  // While a user gives way to another's call, it has one short share of each of these.
  static constexpr Duration kSlot = std::chrono::microseconds(100);

  using Queue = std::deque<std::weak_ptr<ServerConnection>>;
  struct User {
    explicit User(size_t its_flow) : flow(its_flow) {}
    const size_t flow;
    size_t connections = 0;
    uint64_t phase = 0;  // in which it spent
    Duration spent{};
    int64_t slot = 0;  // of time, in which it spent
    Duration slot_spent{};
    CallWindow::Caller calls;
    bool counted = false;                   // its calls are: it is neither a process nor an operator
    Queue waiting;                          // with requests, for time of a later phase, or a call's end
    Queue sending;                          // with replies, for time
    bool listed = false;                    // among those with some of either
    bool resting = false, pausing = false;  // a timer will list it, at the end of a round or of a slot
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
  // Otherwise no user need be measured.
  bool several() const { return users_.size() > 1; }
  // `phase`: EventLoop::phase().
  bool HasTime(const User& user, uint64_t phase) const {
    return !several() || user.phase != phase || user.spent < (now_ < contested_until_ ? kShortShare : kShare);
  }
  bool HasTimeInSlot(const User& user) const { return SpentInSlot(user) < kShortShare; }
  // The time since Begin(), or the last call of this.
  void Spend(User& user, uint64_t phase, Clock::time_point now = Clock::now()) {
    if (user.phase != phase) user.spent = {};
    user.phase = phase;
    const Duration spent = now - std::exchange(now_, now);
    user.spent += spent;
    user.slot_spent = SpentInSlot(user) + spent;
    user.slot = SlotOf(now);
    if (std::exchange(last_, user.flow) != user.flow) contested_until_ = now + kContest;
  }
  void Begin(Clock::time_point now = Clock::now()) { now_ = now; }
  // The time of the last Begin() or Spend().
  Clock::time_point now() const { return now_; }

 private:
  // Overshoot in a slot is subtracted from the next ones, at most four.
  Duration SpentInSlot(const User& user) const {
    return std::max(Duration{}, std::min(user.slot_spent, kSlot) - kShortShare * (SlotOf(now_) - user.slot));
  }
  static int64_t SlotOf(Clock::time_point now) { return now.time_since_epoch() / kSlot; }

  std::unordered_map<size_t, std::shared_ptr<User>> users_;
  Clock::time_point now_, contested_until_;
  size_t last_ = 0;  // whose flow was served last
};

}  // namespace ebla::rpc
