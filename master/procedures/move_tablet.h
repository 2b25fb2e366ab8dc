// master/procedures/move_tablet.h
// Moves of replicas: of one that an operator moves, or of all on a draining server. The tablet's znode holds the wish
// (MoveIntent), and replication_manager.h carries it out as it repairs, one step of membership at a time (repair.h), so
// that a successor continues it. The wish is removed together with the old replica.
// Place:      tablet_admin.h writes an operator's, replication_manager.h those of draining servers; MoveTablet waits
//             for the end.
// Invariants: 1. One move per tablet, from a voter to a server without a replica of it.
//             2. A draining server has at most kDrainMovesMax moves under way.
// Tests:      master/host/master_move_test.cc
// Threads:    functions of their arguments; MoveTablet on the master's executor.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "master/balancer/planner/placement.h"
#include "master/catalog/catalog.h"
#include "master/procedures/context.h"
#include "master/procedures/procedure.h"
#include "master/procedures/request_origin.h"

namespace ebla::master {

inline constexpr size_t kDrainMovesMax = 16;

struct WantedMove {
  TabletId tablet;
  ServerName from;
  ServerName to;
  RequestOrigin origin = {};
};

std::string MoveTabletName(const WantedMove& move);
// With which the name of every move of the tablet begins.
std::string MovesOfTablet(TabletId tablet);

// OK; NOT_FOUND no such tablet; INVALID_ARGUMENT `from` has no vote in it, or `to` has, or is no server, or takes
// nothing; CONDITION_FAILED another move is under way.
Status CheckMove(const Image& image, const Servers& servers, const WantedMove& move);

// The catalog's changes: moves begin where they still can; moves that stand there end, whatever of them was done stays
// for the replication manager to put right.
Change PutMoves(const Image& image, const std::vector<WantedMove>& moves);
Change CancelMoves(const Image& image, const std::vector<TabletId>& tablets);

// Whether the tablet's move may still be cancelled and undone. NOT_FOUND: there is none; CONDITION_FAILED: the new
// replica is a voter already, and the old one is being removed.
Status CheckCancel(const Image& image, TabletId tablet);

// The next move from a draining server, and the tablet that cannot be moved, with the reason; empty: none.
struct DrainStep {
  std::vector<WantedMove> moves;
  std::string held_up;
};
DrainStep PlanDrainStep(const Image& image, ClusterView cluster, const ServerName& server,
                        const std::function<bool(const TabletEntry&)>& settled);

// Whether the other servers can take all that this one has: CONDITION_FAILED naming the first tablet that has no place,
// or the room that lacks.
Status CheckDrain(const Image& image, ClusterView cluster, const ServerName& server);

// Waits until an operator's move is over. A master's death ends the waiting, not the move.
class MoveTablet final : public Procedure {
 public:
  MoveTablet(const Context& context, WantedMove move) : context_(context), move_(std::move(move)) {}
  void Step(coordination::Callback<Progress> done) override;

 private:
  const Context context_;
  const WantedMove move_;
};

}  // namespace ebla::master
