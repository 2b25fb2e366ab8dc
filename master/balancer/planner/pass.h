// master/balancer/planner/pass.h
// The common state of the rules of one pass: the view, the changing memory, the growing plan, and the number of actions
// under way.
// Place:   made by planner.cc; only the rules include it.
// Threads: thread-compatible; one pass uses one.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "master/balancer/planner/planner.h"

namespace ebla::master {

class Pass {
 public:
  Pass(const ClusterView& view, PlannerMemory memory, const PlannerOptions& options);

  const ClusterView& view;
  const PlannerOptions& options;
  PlannerMemory memory;
  Plan plan;

  MonotonicTime now() const { return view.now; }
  // Null: nothing is remembered of it.
  TabletMemory* Recall(TabletId tablet);
  const TabletMemory* Recall(TabletId tablet) const { return const_cast<Pass*>(this)->Recall(tablet); }
  TabletMemory& Remember(TabletId tablet) { return memory.tablets[tablet]; }

  // The tablet has got an action in this pass.
  bool taken(TabletIndex tablet) const { return taken_[tablet]; }
  void Act(TabletIndex tablet, Action action) {
    taken_[tablet] = true;
    plan.actions.push_back(std::move(action));
  }
  void Take(TabletIndex tablet) { taken_[tablet] = true; }

  // `detail()` makes the text; it is called for as many as are listed.
  template <class Detail>
  void Reject(Rule rule, Cause cause, TabletId tablet, const ServerName& server, Detail&& detail) {
    ++plan.rejections[{rule, cause}];
    if (plan.rejected.size() < options.rejected_max) plan.rejected.push_back({rule, cause, tablet, server, detail()});
  }
  // Why nothing may be done to the tablet now, whatever it is; rejects it then.
  bool Blocked(Rule rule, TabletIndex tablet);

  // It was moved or transferred lately: twice as long a rest each time. RejectResting adds the refusal.
  bool Rests(TabletId tablet) const;
  void RejectResting(Rule rule, TabletId tablet);

  // Copies of replicas under way and planned: no server gives or takes more than its cap.
  bool RoomForCopies() const { return copies_ < options.balance.copies; }
  bool RoomForCopy(ServerIndex server) const {
    return RoomForCopies() && copies_at_[server] < options.balance.copies_per_server;
  }
  void NoteCopy(ServerIndex from, ServerIndex to) {
    ++copies_;
    ++copies_at_[from];
    ++copies_at_[to];
  }
  // Moves one replica of the tablet; there is room. It leads at `to` where it led at `from`.
  void Move(Rule rule, TabletIndex tablet, ServerIndex from, ServerIndex to, std::string reason);
  // Has `to`, one of its voters, lead the tablet.
  void Transfer(Rule rule, TabletIndex tablet, ServerIndex to, std::string reason);

 private:
  void Relocate(ActionKind kind, Rule rule, TabletIndex tablet, ServerIndex from, ServerIndex to, std::string reason);

  size_t copies_ = 0;
  std::vector<size_t> copies_at_;
  std::vector<bool> taken_;
};

}  // namespace ebla::master
