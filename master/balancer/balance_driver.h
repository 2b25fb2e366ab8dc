// master/balancer/balance_driver.h
// Makes the cluster follow its load: every few seconds it gives the planner (balancer/planner/planner.h) the present
// view, and carries out its actions by the same procedures as an operator's splits, moves and transfers.
// Place:      leader_term.h makes one for each term, with callbacks for the actions; service.h shows operators its work
//             and its reasons.
// How:        The catalog holds actions under way as intents, and the next master continues them. Lasting conditions
//             and recent actions are remembered here alone. A new master begins without them, and so does nothing that
//             this one would not have done later.
// When:       Not in safe mode, nor before every server that lives has reported, nor before the switch is read,
//             nor while the coordinator is silent. Switched off, it continues to plan and does nothing.
// Invariants: Servers that drain are emptied by replication_manager.h, in every mode; leadership on a full disk is
//             transferred by leadership_shedding.h.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "master/balancer/autoscaler.h"
#include "master/balancer/planner/planner.h"
#include "master/balancer/planner_counts.h"
#include "master/balancer/planner_switch.h"
#include "master/cluster/cluster_view.h"
#include "master/cluster/view_pages.h"
#include "master/procedures/context.h"
#include "master/procedures/merge_tablets.h"
#include "master/procedures/move_tablet.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

// The bytes of a view's text in one answer: some 40,000 tablets.
inline constexpr size_t kViewPageBytes = size_t{12} << 20;

class BalanceDriver {
 public:
  using Done = coordination::Callback<Status>;
  // The driver's callbacks to the leader term. Each answers when it is over.
  struct ActionExecutor {
    std::function<Status()> ready;  // OK, or why nothing is planned at present
    std::function<void(TabletId, const std::string& key, const std::string& reason, Done)> split;
    std::function<void(const Neighbours&, const std::string& reason, Done)> merge;
    std::function<void(TabletId, const ServerName& to, Done)> transfer;
    std::function<void(const WantedMove&, Done)> move;
    Autoscaler::ActionExecutor servers;
  };
  struct ActionRecord {
    Action action;
    MonotonicTime began;
    MonotonicTime ended;  // zero: under way
    Status status;
  };

  BalanceDriver(const Context& context, TabletReconciler& reconciler, coordination::Coordinator& coordinator,
                coordination::Leading term, ActionExecutor action_executor);
  ~BalanceDriver();

  void Start();
  // Makes a pass at once. UNAVAILABLE: why none can be made.
  Status RunPass();
  PlannerSwitch& power() { return switch_; }
  // None: not known yet.
  std::optional<bool> on() const { return switch_.on(); }
  // An operator has placed the tablet: load does not move it before `until`.
  void Hold(TabletId tablet, MonotonicTime until) { pasts_.Hold(tablet, until); }
  void NoteMerged(TabletId tablet) { pasts_.NoteMerged(tablet, context_.executor.Now()); }

  // ---- for those who ask ----
  std::optional<MonotonicTime> passed() const { return passed_; }  // when the latest pass was made
  const Status& waits_for() const { return waits_for_; }           // why the latest was not; OK: it was
  const Plan& plan() const { return plan_; }                       // of the latest pass
  const std::map<uint64_t, ActionRecord>& under_way() const { return under_way_; }
  const std::deque<ActionRecord>& done() const { return done_; }  // the newest first
  // The present view with what is remembered and the planner's options, as text: its first page, or (with the id of one
  // that is kept) the page from an offset on.
  Result<ViewPages::Page> ViewPage(int64_t id, int64_t offset);
  const PlannerCounts& counts() const { return counts_; }

 private:
  void Later();
  ClusterView View() const;
  PlannerOptions Options() const;
  bool IsUnderWay(const Action& action) const;
  void Count(MonotonicTime began);
  void Begin(const Action& action);
  void CarryOut(const Action& action, Done done);
  void End(uint64_t id, Status status);

  const Context context_;
  TabletReconciler& reconciler_;
  const ActionExecutor action_executor_;
  PlannerSwitch switch_;
  Autoscaler autoscaler_;
  TimerId timer_;
  TabletPasts pasts_;
  PlannerMemory memory_;
  Plan plan_;
  std::optional<MonotonicTime> passed_;
  Status waits_for_;
  uint64_t next_action_ = 1;
  std::map<uint64_t, ActionRecord> under_way_;
  std::deque<ActionRecord> done_;
  PlannerCounts counts_;
  ViewPages views_{kViewPageBytes};
  CallbackGuard if_alive_;
};

// The memory after a pass whose actions were not carried out: conditions keep lasting, and nothing was done.
PlannerMemory WithoutActions(const PlannerMemory& before, const Plan& plan, MonotonicTime now, Duration gap_max);

}  // namespace ebla::master
