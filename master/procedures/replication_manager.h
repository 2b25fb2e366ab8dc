// master/procedures/replication_manager.h
// Keeps every tablet at its table's number of replicas. Every second it shows the planner (repair.h) the tablets that
// lack replicas, and passes the resulting changes of membership to the reconciler. A tablet with a change under way
// does not wait for the next second: a report of its primary, or the end of its last step, makes the manager look at it
// alone at once. Each change is one compare-and-set to the next epoch, with the same primary
// (docs/design/membership.md).
// Removed replicas are dropped when their server reports them (drop_orphans.h). Primaries on a server that takes no
// writes are transferred to other servers (leadership_shedding.h). Replicas with damaged files are replaced. A damaged
// primary first transfers the tablet to a whole replica, and nothing else is done with the tablet meanwhile. Then one
// replica of a tablet at a time is replaced, and only while all further replicas are there and the primary is whole,
// because the new replica is copied from it. Replicas that an operator or the planner (balance_driver.h) moves take the
// same path, by the intents in the catalog; for a draining server the manager writes the intents itself.
// How:        The manager keeps no state between seconds except how long servers have been away (servers.h). The
//             catalog holds the learners, and the primaries' reports show how level they are. A successor continues
//             with what it finds. The manager notes tablets with a change under way only to look at them sooner.
// Tests:      master/host/master_replicas_test.cc, master/host/master_damage_test.cc
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
  // The reason why the draining of the server stops; empty: none.
  std::string WhyNotDrained(const ServerName& server) const;
  // Learners in the catalog.
  size_t copies() const { return copies_; }
  // By the latest look: tablets that are moved, and further ones that are not whole.
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
  // Tablets whose members or primary the reconciler was then told to change, and that were not whole when last seen.
  std::map<TabletId, MonotonicTime> begun_;
  bool drain_again_ = false;
  std::map<ServerName, std::string> held_up_;      // why nothing more of a draining server can be moved
  std::map<TabletId, MonotonicTime> transferred_;  // when, or when it was tried
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
