// common/rpc/call_window.h
// How many calls of one user each loop of a server has under way, where processors are short and another user asks for
// little: what was handed on takes processors from that other on every thread that deals with it, and stands before it in
// each of their queues. So beside such a user, the window goes by how much this process uses of the processors that it may
// run on, as TCP's goes by losses: half of it where that is too much, a little more where it is not. Wide open it is none:
// calls under way are throughput. While it is tight, and a call of such a user is under way, busy ones leave processors
// to it.
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
  // Calls count for so long: one that waits for something (replicas, a session's position) does not hold back those
  // behind it, which may be for other tablets.
  static constexpr Duration kRound = std::chrono::milliseconds(10);
  static constexpr Duration kGivenWay = std::chrono::milliseconds(2);  // at most, for a call from its begin
  // So much of the processors may be idle, times the square root of their number, before the window closes: the chance
  // that whoever comes finds one free stays the same (S. Halfin, W. Whitt: Heavy-Traffic Limits for Queues with Many
  // Exponential Servers, 1981).
  static constexpr double kIdle = 0.4;

  // Of one user on one loop.
  struct Caller {
    int64_t round = -1;    // in which it began calls last
    size_t under_way = 0;  // of those that it began in that
    size_t most = 0;       // at a time
    bool modest = false;   // it asked for little in the round before, and does so in this one
  };
  // What Begin() tells, for End().
  struct Begun {
    int64_t round = -1;
    bool modest = false;
  };

  // Whoever never wants `least` calls at a time on a loop asks for little. Nobody is held to fewer.
  explicit CallWindow(size_t least);
  // `used`: the processors' time that this process has taken; of so many.
  CallWindow(size_t least, std::function<Duration()> used, size_t processors);

  // A user has a connection more, or one less.
  void Join(size_t flow);
  void Leave(size_t flow);
  // Else nobody need be counted.
  bool several() const { return several_.load(std::memory_order_relaxed); }

  // One more may begin.
  bool HasRoom(size_t flow, const Caller& caller, Time now) const {
    return caller.under_way < calls_.load(std::memory_order_relaxed) || caller.round != RoundOf(now) ||
           !Limits(flow, now);
  }
  // There is a window for this one.
  bool Limits(size_t flow, Time now) const {
    return calls_.load(std::memory_order_relaxed) < kMost && several() && HasModestBeside(flow, now);
  }
  Begun Begin(size_t flow, Caller& caller, Time now);
  // A caller may be told of a call that another began, where a connection's user has changed; null: it has gone.
  void End(Caller* caller, Begun call);
  // So many more wait to begin.
  void NoteWaiting(Caller& caller, size_t calls) const;
  // Somebody who asks for little waits for a call, and processors are short. Who asks for little gives way to nobody.
  bool GivesWay(size_t flow, const Caller& caller, Time now) const {
    return !caller.modest && modest_calls_.load(std::memory_order_relaxed) > 0 &&
           calls_.load(std::memory_order_relaxed) <= kTight &&
           now.time_since_epoch() - modest_begun_.load(std::memory_order_relaxed) < kGivenWay && Limits(flow, now);
  }

 private:
  // A user who asks for little, and when it last did.
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
  std::atomic<int64_t> modest_calls_{0};  // under way, of those who ask for little
  std::atomic<Duration> modest_begun_{};  // the last of them
  std::array<Modest, 2> modest_;          // the last one, and the last other: one of them is not who asks

  Mutex mutex_;
  std::unordered_map<size_t, size_t> connections_ EBLA_GUARDED_BY(mutex_);  // of each flow
  int64_t round_ EBLA_GUARDED_BY(mutex_) = 0;                               // for which calls_ was set last
  Time adjusted_ EBLA_GUARDED_BY(mutex_);
  Duration used_before_ EBLA_GUARDED_BY(mutex_){};
};

}  // namespace ebla::rpc
