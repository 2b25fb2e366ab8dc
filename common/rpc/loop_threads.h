// common/rpc/loop_threads.h
// Runs several event loops on as many threads as pay: each on its own, unless the threads take the processors from each
// other and wake up for little; then together, until that keeps one thread busy and there are processors to spare
// (thread_load.h). A loop moves from thread to thread between two of its turns, and nothing that lives on it notices.
// Place:      made by main over the loops that serve clients. Loops that must not wait for others' turns (shards, the
//             flusher) have threads of their own, by EventLoop::Start().
// Invariants: 1. A loop is run by one thread at a time, whose effects are visible to the next.
//             2. A thread that runs several takes them in turn. It sleeps when all of them would, and wakes for each.
//             3. A thread without a loop sleeps until it is given one. A thread that stalls within a turn, or waited
//                for a disk lately, joins no other, and none joins it.
// Threads:    Start and Stop from one, which is none of these; active() from any.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/mutex.h"
#include "common/rpc/thread_load.h"

namespace ebla::rpc {

class EventLoop;

class LoopThreads {
 public:
  struct Options {
    std::function<ThreadChange(const ThreadLoad&)> policy = &Advise;
    Duration window = std::chrono::milliseconds(100);  // in which a thread's load is measured
    Duration settle = std::chrono::milliseconds(200);  // between one change and the next
    Duration calm = std::chrono::seconds(5);           // without a wait for a disk or a lock, before a thread may join
    // From a join to the next spread. It doubles where threads joined again within `regret` of a spread, else it
    // halves.
    Duration hold_min = std::chrono::milliseconds(200);
    Duration hold_max = std::chrono::seconds(5);
    Duration regret = std::chrono::seconds(1);
  };

  // Loops that have not been started, and outlive this.
  explicit LoopThreads(std::vector<EventLoop*> loops);
  LoopThreads(std::vector<EventLoop*> loops, Options options);
  ~LoopThreads();  // Stop()
  LoopThreads(const LoopThreads&) = delete;
  LoopThreads& operator=(const LoopThreads&) = delete;

  void Start();
  // Finishes the running turns, joins the threads and stops the loops. Idempotent.
  void Stop();

  // How many threads run the loops at present.
  size_t active() const;

 private:
  class Runner;
  using Clock = ThreadMeter::Clock;

  // By a runner between its turns.
  void Change(Runner& runner, const ThreadLoad& load);
  void Spread(Runner& runner, Clock::time_point now) EBLA_REQUIRES(mutex_);
  void Join(Runner& runner, double running, Clock::time_point now) EBLA_REQUIRES(mutex_);

  const std::vector<EventLoop*> loops_;
  const Options options_;
  const std::optional<std::vector<int>> poll_fds_;  // the loops'; none: they share no threads

  mutable Mutex mutex_;                           // before a loop's own
  std::vector<std::unique_ptr<Runner>> runners_;  // one for each loop that shares threads
  Clock::time_point next_change_ EBLA_GUARDED_BY(mutex_);
  Clock::time_point next_spread_ EBLA_GUARDED_BY(mutex_);
  std::optional<Clock::time_point> last_spread_ EBLA_GUARDED_BY(mutex_);  // none: it was judged
  Duration hold_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::rpc
