// common/rpc/event_loop.h
// An Executor: tasks, timers and (for the rpc and http code) sockets, over one libevent base. It has a thread of its
// own, or shares some with other loops (loop_threads.h).
// Shards, flushers and other threads that own state use it too, without sockets.
// Place:      made by main, handed to hosts as Executor&; server.h and pipelined_channel.h put sockets on it.
// Invariants: 1. Everything runs on the thread that runs the loop just then, in sequence: tasks in the order posted by
//             a thread, timers in order of time.
//             2. One turn = due timers, the tasks posted so far, ready sockets, then the turn-end hooks, in which
//                connections write all that the turn produced in one system call.
//             3. Post() costs a lock and a push; the eventfd is written only when the loop may be asleep.
// Lending:    A loop that lends its turns need not be woken for what is brief: the thread of another loop that posts it
//             runs it at its own turn's end, while this one's sleeps. Timers, sockets and all else are its thread's,
//             which waits for the end of a turn that is lent. A lending loop is destroyed after all loops that may
//             borrow were stopped.
// Threads:    Post, After, Cancel, Now, Random and InThread from any thread; base() and AtTurnEnd on the loop only, or
//             while no thread runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/executor.h"
#include "common/base/mutex.h"
#include "common/base/turn_end.h"
#include "common/rpc/scheduling.h"
#include "common/rpc/timer_heap.h"

struct event;
struct event_base;

namespace ebla::rpc {

class EventLoop final : public Executor, public TurnEnd {
 public:
  enum class Turns : uint8_t { kOwn, kLent };

  // `name` becomes the thread's (15 bytes are kept). Tasks posted before Start() wait for it. Turns are lent where the
  // system tells enough for it (see PollFds).
  explicit EventLoop(std::string name, Turns turns = Turns::kOwn);
  ~EventLoop() override;  // Stop()
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void Start(const Scheduling& scheduling = {});
  // Finishes the running turn, joins the thread and destroys unrun what is queued. Not from the loop itself. A loop
  // that shares threads is stopped by those. Idempotent.
  void Stop();

  MonotonicTime Now() const override;
  int64_t TimeOfDayMs() const override;
  uint64_t Random() override;
  void Post(Task task) override;
  void PostBrief(Task task) override;
  TimerId After(Duration delay, Task task) override;
  void Cancel(TimerId timer) override;
  bool InThread() const override;

  // The loop that this thread runs just now; null: none.
  static EventLoop* Current();

  const std::string& name() const { return name_; }

  // ---- for common/rpc and common/http ----

  using TurnEndHook = ebla::TurnEndHook;
  void AtTurnEnd(TurnEndHook* hook) override;
  // Before the hook ends, should it be scheduled still.
  void Withdraw(TurnEndHook* hook);

  // A number for the present phase of a turn: a turn has one for timers and tasks, and one for sockets.
  uint64_t phase() const { return phase_; }
  event_base* base() { return base_; }

  // ---- for whoever runs the loop: RunTurn, MaySleep and Poll, again and again ----

  // Due timers and posted tasks. False: the loop is to stop.
  bool RunTurn();
  // Nothing is left to do: Poll may wait. From now until Poll, a task or a timer shows on its descriptor.
  bool MaySleep();
  // Ready sockets; `wait` for the first.
  void Poll(bool wait);
  // Like Poll, if its descriptor is not readable and no callback waits.
  void Awake();
  // Callbacks that libevent has put off (its resolver's), which show on no descriptor.
  bool HasCallbacks() const;
  // A descriptor for each loop, readable when Poll has something to do, except for libevent's own timers. None: the
  // system does not tell.
  static std::optional<std::vector<int>> PollFds(const std::vector<EventLoop*>& loops);
  // Every loop is polled so often, for any state of its descriptor.
  static constexpr std::chrono::milliseconds kPollAllEvery{1000};
  // Until the descriptor is readable, or for so long.
  static void SleepOn(int poll_fd);

 private:
  // Called at another loop's turn end, when this loop is scheduled to be run there.
  class Borrowing final : public TurnEndHook {
   public:
    explicit Borrowing(EventLoop& lender) : lender_(lender) {}
    void OnTurnEnd() override { lender_.RunBorrowed(); }

   private:
    EventLoop& lender_;
  };

  void Run();
  void RunLending();
  void RunBorrowed();
  bool TakeBriefTasks();
  void TakeTasks();
  void RunTasks();
  void RunDueTimers();
  void RunTurnEnd();
  void Wake();
  void ArmWakeup(MonotonicTime when);

  const std::string name_;
  event_base* const base_;
  int wake_fd_ = -1;
  int timer_fd_ = -1;
  event* wake_event_ = nullptr;
  event* timer_event_ = nullptr;
  int poll_fd_ = -1;  // -1: no turn is lent
  Borrowing borrowing_{*this};
  std::thread thread_;

  // In a loop that lends its turns, held by the thread that runs it. Only its own thread waits for it.
  Mutex turn_;

  // State of the thread that runs the loop.
  std::vector<TurnEndHook*> hooks_;
  uint64_t phase_ = 1;
  std::vector<Task> running_;
  MonotonicTime armed_ = MonotonicTime::Max();  // the last time that timer_fd_ was set to

  Mutex mutex_;
  std::vector<Task> queue_ EBLA_GUARDED_BY(mutex_);
  TimerHeap<Task> timers_ EBLA_GUARDED_BY(mutex_);
  bool all_brief_ EBLA_GUARDED_BY(mutex_) = true;  // what is in queue_
  bool awake_ EBLA_GUARDED_BY(mutex_) = true;      // its thread will look at queue_ and timers_ before it sleeps
  const EventLoop* promised_by_ EBLA_GUARDED_BY(mutex_) = nullptr;  // whose thread will run it at its turn's end
  bool stopping_ EBLA_GUARDED_BY(mutex_) = false;
};

}  // namespace ebla::rpc
