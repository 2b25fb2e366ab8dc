// master/balancer/planner/repair.h
// Decides the next change of membership for tablets whose members are not the wanted ones, one replica at a time: a
// learner for a missing replica or a move, its promotion once it is caught up, the removal of a surplus or lost
// replica.
// Pure: the same view gives the same answer, with its reasons.
// Place:      replication_manager.h makes the view every second and has the reconciler carry the answer out.
// Invariants: 1. One change per tablet, and only while its primary leads the catalog's epoch and that epoch's Barrier
//                is committed (PROTOCOL 27).
//             2. A replica is added before another is removed, unless that one has failed, because it counts for
//                nothing. The primary is not removed (if it moves, it transfers first). No live replica is removed
//                while another wanted one is away or lost, nor if no majority of the rest would be live and caught up.
//             3. A learner is only added where no old replica of the tablet can be left.
//             4. Tablets with the fewest live replicas are repaired first; copies under way stay within their caps.
// Threads:    functions of their arguments.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "master/balancer/planner/placement.h"

namespace ebla::master {

enum class ReplicaHealth {
  kLive,
  kAway,    // its server does not live; it may come back
  kLost,    // away for so long that it is to be replaced
  kFailed,  // its server lives, and it obeys nothing but a drop
};

struct PlannedReplica {
  ServerName server;
  ReplicaHealth health = ReplicaHealth::kLive;
  bool caught_up = false;  // has, by its primary's report, nearly the whole log
};

// A replica that is to move (MoveIntent in the catalog). It becomes learner, voter, and primary if the old replica is
// primary, and only then the old replica is removed.
struct PlannedMove {
  ServerName from;
  ServerName to;
};

struct PlannedTablet {
  TabletId tablet;
  size_t wanted = 1;     // replicas
  bool settled = false;  // may be changed now
  ServerName primary;
  std::vector<PlannedReplica> voters;
  std::vector<PlannedReplica> learners;
  std::optional<PlannedMove> move;
  // The servers that have, or may have, a replica that the catalog does not give them. It is dropped first, because
  // after a recovery by hand its history may differ, and a learner with a log would get the rest of it, not a copy.
  std::vector<ServerName> barred;
};

struct RepairCaps {
  size_t copies = 64;            // learners, in all
  size_t copies_per_server = 4;  // to one server
  size_t changes = 256;          // of one answer
};

struct RepairView {
  ClusterView cluster;
  std::vector<PlannedTablet> tablets;  // those not known to be whole; others may be left out
  size_t copies = 0;                   // learners there are now, in all
  std::map<ServerName, size_t> copies_to;
};

struct RepairAction {
  enum class Kind { kAddLearner, kPromote, kRemoveVoter, kRemoveLearner, kTransferLeadership };
  Kind kind = Kind::kAddLearner;
  TabletId tablet;
  ServerName server;
  std::string reason;  // in numbers, for people
};

std::vector<RepairAction> PlanRepair(RepairView view, const RepairCaps& caps);

}  // namespace ebla::master
