// master/procedures/replica_health_view.h
// How whole the tablets' replicas are, by the catalog and by what servers have reported, and what the planner
// (repair.h) is shown of a tablet that needs something. It remembers nothing.
// Place:      replication_manager.h asks it, and acts.
// Tests:      master/host/master_replicas_test.cc, master/host/master_damage_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <vector>

#include "master/balancer/planner/repair.h"
#include "master/procedures/context.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

class ReplicaHealthView {
 public:
  // All outlive this.
  ReplicaHealthView(const Context& context, const TabletReconciler& reconciler)
      : context_(context), reconciler_(reconciler) {}

  void AddUnlessWhole(const TabletEntry& tablet, RepairView& view) const;
  bool LeadIsDamaged(const TabletEntry& tablet) const;
  bool IsWholeAt(const TabletEntry& tablet, const ServerName& voter) const;
  // The server receives no replica, because it is gone for good, or lives and must not get any.
  bool TakesNothing(const ClusterView& cluster, const ServerName& server) const;

 private:
  bool NeedsNothing(const TabletEntry& tablet, size_t wanted) const;
  PlannedTablet Plan(const TabletEntry& tablet, size_t wanted) const;
  std::vector<ServerName> Barred(const TabletEntry& tablet) const;
  ReplicaHealth HealthOf(const TabletEntry& tablet, const ServerName& server, bool learner) const;
  bool Failed(const TabletEntry& tablet, const ServerName& server) const;
  bool GivenUp(const TabletEntry& tablet, const ServerName& name, bool learner) const;
  const idl::TabletLoad* FreshLoadOf(const TabletEntry& tablet, const ServerName& server) const;
  Duration AwayFor(const Server& server) const { return context_.executor.Now() - server.changed; }

  const Context context_;
  const TabletReconciler& reconciler_;
};

}  // namespace ebla::master
