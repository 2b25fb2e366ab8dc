// master/balancer/elastic.h
// Makes the cluster follow its load: every few seconds it shows the planner (balancer/planner/planner.h) the present view, and
// carries out what comes back, by the same procedures as an operator's splits, moves and transfers.
// Place:      reign.h makes one for each term, and hands it the means; service.h tells operators what it does and why.
// How:        What is under way stands in the catalog as intents, and goes on under the next master. What has lasted,
//             and what was done lately, is remembered here alone: a new master begins with nothing, and so does nothing
//             that this one would not have done later.
// When:       Not in safe mode, nor before every server that lives has reported, nor before the switch is read.
//             Switched off, it goes on planning and does nothing.
// Invariants: Servers that drain are emptied by replica_keeper.h, in every mode; who leads what on a full disk is
//             handed over by relief.h.
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
#include "master/procedures/tablet_steward.h"

namespace ebla::master {

// Of a view's text in one answer: some 40,000 tablets.
inline constexpr size_t kViewPageBytes = size_t{12} << 20;

class Elastic {
 public:
  using Done = coordination::Callback<Status>;
  // What it asks of the reign. Each answers when it is over.
  struct Hands {
    std::function<Status()> ready;  // OK, or why nothing is planned at present
    std::function<void(TabletId, const std::string& key, const std::string& reason, Done)> split;
    std::function<void(const Neighbours&, const std::string& reason, Done)> merge;
    std::function<void(TabletId, const ServerName& to, Done)> transfer;
    std::function<void(const WantedMove&, Done)> move;
    Autoscaler::Hands servers;
  };
  struct Deed {
    Action action;
    MonotonicTime began;
    MonotonicTime ended;  // zero: under way
    Status status;
  };

  Elastic(const Context& context, TabletSteward& steward, coordination::Coordinator& coordinator,
          coordination::Leading term, Hands hands);
  ~Elastic();

  void Start();
  // Makes a pass at once. UNAVAILABLE: why none can be made.
  Status Pass();
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
  const std::map<uint64_t, Deed>& under_way() const { return under_way_; }
  const std::deque<Deed>& done() const { return done_; }  // the newest first
  // The present view with what is remembered and the planner's options, as text: its first page, or (with the id of one
  // that is kept) the page from an offset on.
  Result<ViewPages::Page> ViewPage(int64_t id, int64_t offset);
  const PlannerCounts& counts() const { return counts_; }

 private:
  void Later();
  ClusterView View() const;
  PlannerOptions Options() const;
  bool Doing(const Action& action) const;
  void Count(MonotonicTime began);
  void Begin(const Action& action);
  void CarryOut(const Action& action, Done done);
  void End(uint64_t deed, Status status);

  const Context context_;
  TabletSteward& steward_;
  const Hands hands_;
  PlannerSwitch switch_;
  Autoscaler autoscaler_;
  TimerId timer_;
  TabletPasts pasts_;
  PlannerMemory memory_;
  Plan plan_;
  std::optional<MonotonicTime> passed_;
  Status waits_for_;
  uint64_t next_deed_ = 1;
  std::map<uint64_t, Deed> under_way_;
  std::deque<Deed> done_;
  PlannerCounts counts_;
  ViewPages views_{kViewPageBytes};
  Guard guard_;
};

// What is remembered after a pass whose actions were not carried out: what has lasted goes on lasting, and nothing was
//                                                                     done.
PlannerMemory WithoutActions(const PlannerMemory& before, const Plan& plan, MonotonicTime now, Duration gap_max);

}  // namespace ebla::master
