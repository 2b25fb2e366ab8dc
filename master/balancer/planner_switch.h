// master/balancer/planner_switch.h
// Whether the planner acts: kept in the coordinator (/planner), so that it holds for every master.
// Place:      balance_driver.h asks; leader_term.h sets it for the operator.
// Invariants: every change is one Multi that checks the version of this leader's term and of the node.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <optional>

#include "common/base/callback_guard.h"
#include "common/base/executor.h"
#include "common/coordination/coordinator.h"
#include "common/coordination/election.h"

namespace ebla::master {

class PlannerSwitch {
 public:
  PlannerSwitch(coordination::Coordinator& coordinator, Executor& executor, coordination::Leading term)
      : coordinator_(coordinator), executor_(executor), term_(term) {}

  // Reads the node, again and again until that succeeds.
  void Start();
  // None: not read yet.
  std::optional<bool> on() const { return on_; }
  // UNAVAILABLE: not done, or not known; CONDITION_FAILED: this master leads no more, or the node was changed
  //              concurrently.
  void Set(bool on, coordination::Callback<Status> done);

 private:
  void Read(coordination::Callback<Status> done);

  coordination::Coordinator& coordinator_;
  Executor& executor_;
  const coordination::Leading term_;
  std::optional<bool> on_;
  std::optional<int> version_;  // none: there is no node
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
