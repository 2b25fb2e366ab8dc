// common/base/turn_end.h
// The port to the end of an executor's turn: work that is done once for all that the turn has brought.
// Place:      common/rpc/event_loop.h implements it, after a turn's tasks and sockets. PostedTurnEnd serves executors
//             without turns, the simulator's and the tests' among them.
// Invariants: 1. A hook runs once, however often it was scheduled before it runs.
//             2. A hook that is scheduled while the turn ends runs after the hooks that wait already, so that these can
//                come in between.
// Threads:    the executor's.
#pragma once

#include <utility>

#include "common/base/executor.h"

namespace ebla {

// Outlives the turn, or is withdrawn.
class TurnEndHook {
 public:
  virtual void OnTurnEnd() = 0;

 protected:
  ~TurnEndHook() = default;

 private:
  friend class TurnEnd;
  bool scheduled_ = false;
};

class TurnEnd {
 public:
  // Runs the hook when this turn ends: what it has at hand is done, and nothing has waited.
  virtual void AtTurnEnd(TurnEndHook* hook) = 0;

 protected:
  ~TurnEnd() = default;
  // Returns what was noted before.
  static bool NoteScheduled(TurnEndHook& hook, bool scheduled) { return std::exchange(hook.scheduled_, scheduled); }
};

// The turn ends with a task, after those that were posted by now.
class PostedTurnEnd final : public TurnEnd {
 public:
  explicit PostedTurnEnd(Executor& executor) : executor_(executor) {}
  void AtTurnEnd(TurnEndHook* hook) override {
    if (NoteScheduled(*hook, true)) return;
    executor_.Post([hook] {
      NoteScheduled(*hook, false);
      hook->OnTurnEnd();
    });
  }

 private:
  Executor& executor_;
};

}  // namespace ebla
