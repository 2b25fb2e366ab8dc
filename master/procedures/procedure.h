// master/procedures/procedure.h
// A procedure is work on the cluster that takes many steps and survives its master. Each step looks at the catalog's
// image, does the next missing thing, and is harmless when done twice. So no state of a procedure needs storing,
// because a successor starts it again from the catalog alone. The runner repeats steps with backoff until the procedure
// is done.
// Place:      create_table.h, split_tablet.h and further classes of this folder derive from it; leader/ starts and
//             resumes them.
// Invariants: 1. At most one procedure of a name runs; at most kStepsMax steps are under way, the rest wait their turn.
//             2. A waiter is called exactly once: when the procedure ends, when its deadline passes, or when the runner
//                is destroyed (UNKNOWN_OUTCOME, because the next master continues).
// Tests:      master/host/master_steps_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/callback_guard.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/coordination/coordinator.h"

namespace ebla::master {

// The outcome of a step.
struct Progress {
  enum class Kind {
    kDone,   // over; status is the outcome
    kAgain,  // got somewhere: the next step at once
    kLater,  // waits for the world or failed: the next step after a while, or when woken; status has the cause
  };
  Kind kind = Kind::kDone;
  Status status;
  std::optional<Duration> pause;  // of kLater: before the next step; none: ever longer

  static Progress Done(Status status = {}) { return {Kind::kDone, std::move(status), {}}; }
  static Progress Again() { return {Kind::kAgain, {}, {}}; }
  static Progress Later(Status why) { return {Kind::kLater, std::move(why), {}}; }
  // Clients wait meanwhile, so the pauses do not grow.
  static Progress Soon(Duration pause, Status why) { return {Kind::kLater, std::move(why), pause}; }
};

// The object of a procedure, for people who list procedures under way.
struct Subject {
  std::string kind;  // one word; empty: it is not listed by itself
  TabletId tablet;   // these as far as they apply
  std::string table;
  ServerName server;
  bool decided = false;  // it cannot be taken back any more
};

// The id under which a subject is listed: "<kind>-<what>".
std::string ProcedureId(const Subject& subject);

class Procedure {
 public:
  virtual ~Procedure() = default;
  // If the catalog holds the procedure as an intent, the list shows the intent instead.
  virtual Subject subject() const { return {}; }
  // Does one step. `done` is called exactly once, at any time on the executor, also inside the call.
  virtual void Step(coordination::Callback<Progress> done) = 0;
  // OnWake while that step is under way: where what it waits for has come by another way, it may end here.
  virtual void OnWake() {}
  // A caller waits for it until then, so it does not give up before.
  void Prolong(MonotonicTime until) { until_ = std::max(until_, until); }

 protected:
  Procedure() = default;
  // The procedure gives up by itself, at the earliest then.
  explicit Procedure(MonotonicTime until) : until_(until) {}
  MonotonicTime until() const { return until_; }

 private:
  MonotonicTime until_;
};

class ProcedureRunner {
 public:
  // The procedure's outcome, or DEADLINE_EXCEEDED with its last reason to wait, while it continues.
  using Waiter = coordination::Callback<Status>;

  explicit ProcedureRunner(Executor& executor) : executor_(executor) {}
  ~ProcedureRunner();

  // Begins the procedure, or does nothing when one of that name runs.
  void Start(const std::string& name, std::unique_ptr<Procedure> procedure);
  bool Running(const std::string& name) const { return runs_.contains(name); }
  // Takes the next step now rather than after the backoff.
  void Wake(const std::string& name);
  // All whose names begin so.
  void WakeAll(const std::string& prefix);
  // A procedure that does not run is over, so its waiter gets OK at once. A procedure begun for a less patient caller
  // continues.
  void Await(const std::string& name, Duration patience, Waiter waiter);
  size_t size() const { return runs_.size(); }
  // Each running procedure, in order of name, with its start under this master and its last reason to wait (OK if
  // none).
  struct Standing {
    const std::string& name;
    Subject subject;
    MonotonicTime began;
    const Status& waits_for;
  };
  void ForEach(const std::function<void(const Standing&)>& visit) const;

 private:
  static constexpr size_t kStepsMax = 64;
  struct Waiting {
    TimerId timer;
    Waiter waiter;
  };
  struct Run {
    std::unique_ptr<Procedure> procedure;
    bool queued = false;
    bool stepping = false;
    bool woken = false;  // while stepping
    int failures = 0;    // in a row
    TimerId timer;
    MonotonicTime began;
    Status waits_for;
    std::map<uint64_t, Waiting> waiters;
  };

  void Queue(const std::string& name);
  void Pump();
  void OnStep(const std::string& name, Progress progress);
  void End(const std::string& name, Status status);
  void ExpireWaiter(const std::string& name, uint64_t id);

  Executor& executor_;
  std::map<std::string, Run> runs_;
  std::deque<std::string> queue_;
  size_t stepping_ = 0;
  uint64_t next_waiter_ = 1;
  CallbackGuard if_alive_;
};

// How long to wait after `failures` in a row: doubling from 20 ms to 2 s, with a quarter of jitter.
Duration BackoffDelay(int failures, Executor& executor);

}  // namespace ebla::master
