// master/procedures/replication_manager.h
// Keeps every tablet at the number of replicas that its table wants: every second it shows the planner (repair.h) the
// tablets that are not whole, and hands the reconciler the changes of membership that come back. What it has begun does
// not wait for the next second: a report of who leads it, or the end of its last step, has it looked at, and nothing
// else, at once. Each is one compare-and-set to the next epoch, led by the same primary (docs/design/membership.md).
// Replicas that were removed are dropped when their server reports them (drop_orphans.h). What a server leads that
// takes no writes is transferred to others (leadership_shedding.h). Replicas whose files are damaged are made anew: one
// that leads transfers that to a whole one first, and nothing else is done with its tablet meanwhile; then one of a
// tablet goes at a time, and only while all others are there and its primary is whole, from which the next one is
// copied. Replicas that an operator or the planner (balance_driver.h) moves go the same way, by the intents in the
// catalog; for a server that drains it writes them itself.
// How:        Nothing is remembered between seconds but since when servers are away (servers.h): learners stand in the
//             catalog, and how level they are in the primaries' reports. A successor goes on with what it finds. Which
//             tablets it has begun something for it notes only so as to look at them sooner.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "master/balancer/planner/leadership_shedding.h"
#include "master/balancer/planner/repair.h"
#include "master/procedures/context.h"
#include "master/procedures/replica_health_view.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

class ReplicationManager {
 public:
  // `may_act`: false while nothing is to be repaired (safe mode). All outlive this.
  ReplicationManager(const Context& context, TabletReconciler& reconciler, std::function<bool()> may_act);
  ~ReplicationManager();

  void Start() { Later(); }
  // Something that it waits for may have come: looks at what it has begun, and at what drains, in a moment.
  void Wake();
  // The server has reported: Wake(), if it leads any of that.
  void Reported(const ServerName& server);
  // The reconciler is done with these: Wake(), if any is of that.
  void Changed(const std::vector<TabletId>& tablets);
  // What holds up the draining of the server; empty: nothing.
  std::string WhyNotDrained(const ServerName& server) const;
  // Learners in the catalog.
  size_t copies() const { return copies_; }
  // As of the latest look: tablets that are moved, and others that are not whole.
  size_t moves() const { return moves_; }
  size_t repairs() const { return repairs_; }

 private:
  void Later();
  void Work();
  void WakeSoon();  // leaves what drains to others
  void LookAgain();
  bool Begun(TabletId tablet) const { return begun_.contains(tablet) || context_.image().changing().contains(tablet); }
  void Repair(RepairView view, bool again);
  void Drain(const ClusterView& cluster);
  void EndMoves(const RepairView& view);
  void ShedLeadership(const ClusterView& cluster);
  std::vector<StuckLead> FindStuckLeads(const ServerName& server) const;
  void TransferLeadership(const LeadMove& move);
  void RelieveDamaged(RepairView& view);
  bool TriedLately(TabletId tablet) const;
  RepairView View();
  RepairView ViewBegun();
  void CountCopies(RepairView& view);
  std::optional<BatchItem> ItemOf(const RepairAction& action) const;

  const Context context_;
  TabletReconciler& reconciler_;
  const ReplicaHealthView health_;
  const std::function<bool()> may_act_;
  TimerId timer_;
  size_t copies_ = 0;
  size_t moves_ = 0;
  size_t repairs_ = 0;
  bool moving_ = false;  // intents of moves are being written
  bool woken_ = false;
  // learners that the reconciler was told of, and that may not stand in the catalog yet
  std::map<TabletId, ServerName> to_copy_;
  // The reconciler was told, then, to change their members or who leads them, and they were not whole when last seen.
  std::map<TabletId, MonotonicTime> begun_;
  bool drain_again_ = false;
  std::map<ServerName, std::string> held_up_;      // why nothing more of a draining server can be moved
  std::map<TabletId, MonotonicTime> transferred_;  // when, or when it was tried
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
