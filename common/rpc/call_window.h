// common/rpc/call_window.h
// Limits a user's calls under way on each loop of a server while processors are short and another user is light. Each
// call under way takes processors from the light user on every thread that serves it, and precedes the light user's
// calls in each queue. So beside a light user the window follows the process's use of its processors, as TCP's window
// follows losses: it is halved if the use is too high, and grows a little if not. A wide open window is no limit,
// because calls under way are throughput. While it is tight, and a call of a light user is under way, busy users leave
// processors to it.
// Place:      server.cc makes one for its loops; server_loop.h asks it.
// Threads:    any, but a Caller is its loop's.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>

#include "common/base/executor.h"
#include "common/base/mutex.h"

namespace ebla::rpc {

class CallWindow {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr size_t kLeast = 3, kTight = 64, kMost = 1024;
  // Calls count for so long. A call that waits (for replicas, or a session's position) does not delay calls behind it,
  // which may be for other tablets.
  static constexpr Duration kRound = std::chrono::milliseconds(10);
  static constexpr Duration kYieldMax = std::chrono::milliseconds(2);  // at most, for a call from its begin
  // So much of the processors may be idle, times the square root of their number, before the window closes. Then the
  // chance of a new call to find one free stays the same (S. Halfin, W. Whitt: Heavy-Traffic Limits for Queues with
  // Many Exponential Servers, 1981).
  static constexpr double kIdle = 0.4;

  // The state of one user on one loop.
  struct Caller {
    int64_t round = -1;    // in which it began calls last
    size_t under_way = 0;  // of those that it began in that
    size_t most = 0;       // at a time
    bool modest = false;   // it asked for little in the round before, and does so in this one
  };
  // The result of Begin(), for End().
  struct Begun {
    int64_t round = -1;
    bool modest = false;
  };

  // A user with fewer than `least` calls at a time on every loop is light. No user is limited to fewer.
  explicit CallWindow(size_t least);
  // `used`: the processors' time that this process has taken; of so many.
  CallWindow(size_t least, std::function<Duration()> used, size_t processors);

  // A user has one connection more, or one less.
  void Join(size_t flow);
  void Leave(size_t flow);
  // Otherwise no calls need be counted.
  bool several() const { return several_.load(std::memory_order_relaxed); }

  // Whether one more call may begin.
  bool HasRoom(size_t flow, const Caller& caller, Time now) const {
    return caller.under_way < calls_.load(std::memory_order_relaxed) || caller.round != RoundOf(now) ||
           !Limits(flow, now);
  }
  // Whether the window limits this user.
  bool Limits(size_t flow, Time now) const {
    return calls_.load(std::memory_order_relaxed) < kMost && several() && HasModestBeside(flow, now);
  }
  Begun Begin(size_t flow, Caller& caller, Time now);
  // A caller may be told of a call that another began, where a connection's user has changed; null: it has gone.
  void End(Caller* caller, Begun call);
  // So many more wait to begin.
  void NoteWaiting(Caller& caller, size_t calls) const;
  // Whether a light user's call is under way while processors are short. A light user itself does not give way.
  bool Yields(size_t flow, const Caller& caller, Time now) const {
    return !caller.modest && modest_calls_.load(std::memory_order_relaxed) > 0 &&
           calls_.load(std::memory_order_relaxed) <= kTight &&
           now.time_since_epoch() - modest_begun_.load(std::memory_order_relaxed) < kYieldMax && Limits(flow, now);
  }

 private:
  // A light user, and the time of its last call.
  struct Modest {
    std::atomic<size_t> flow{0};
    std::atomic<int64_t> round{-2};
  };

  static int64_t RoundOf(Time now) { return now.time_since_epoch() / kRound; }
  bool HasModestBeside(size_t flow, Time now) const {
    for (const Modest& other : modest_)
      if (other.flow.load(std::memory_order_relaxed) != flow &&
          other.round.load(std::memory_order_relaxed) + 1 >= RoundOf(now))
        return true;
    return false;
  }
  void NoteModest(size_t flow, int64_t round) EBLA_REQUIRES(mutex_);
  void Adjust(Time now) EBLA_REQUIRES(mutex_);

  const size_t least_;
  const std::function<Duration()> used_;
  const double processors_;
  const double busy_;  // the part of them from which they are short
  std::atomic<bool> several_{false};
  std::atomic<size_t> calls_{kMost};
  std::atomic<int64_t> modest_calls_{0};  // under way, of light users
  std::atomic<Duration> modest_begun_{};  // the last of them
  std::array<Modest, 2> modest_;          // the last two users, so that one of them is not the caller

  Mutex mutex_;
  std::unordered_map<size_t, size_t> connections_ EBLA_GUARDED_BY(mutex_);  // of each flow
  int64_t round_ EBLA_GUARDED_BY(mutex_) = 0;                               // for which calls_ was set last
  Time adjusted_ EBLA_GUARDED_BY(mutex_);
  Duration used_before_ EBLA_GUARDED_BY(mutex_){};
};

}  // namespace ebla::rpc
