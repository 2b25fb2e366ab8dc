#include "master/balancer/planner/repair.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "common/base/count.h"

namespace ebla::master {
namespace {

using Kind = RepairAction::Kind;

const PlannedReplica* FindReplica(const std::vector<PlannedReplica>& replicas, const ServerName& server) {
  const auto found = std::ranges::find(replicas, server, &PlannedReplica::server);
  return found == replicas.end() ? nullptr : &*found;
}

size_t Count(const std::vector<PlannedReplica>& replicas, ReplicaHealth health) {
  return static_cast<size_t>(
      std::ranges::count_if(replicas, [&](const PlannedReplica& replica) { return replica.health == health; }));
}

// It acknowledges: one that lives and is incomplete votes, and counts for nothing.
bool Good(const PlannedReplica& replica) { return replica.health == ReplicaHealth::kLive && replica.caught_up; }

bool Lasts(const PlannedReplica& replica) {
  return replica.health == ReplicaHealth::kLive || replica.health == ReplicaHealth::kAway;
}

// Whether a majority of the remaining voters is good.
bool CanSpare(const PlannedTablet& tablet, const PlannedReplica& gone) {
  const auto left =
      std::ranges::count_if(tablet.voters, [&](const PlannedReplica& voter) { return &voter != &gone && Good(voter); });
  return static_cast<size_t>(left) > (tablet.voters.size() - 1) / 2;
}

// The voters of a move that has come so far that both vote, or nulls.
struct Pair {
  const PlannedReplica* from = nullptr;
  const PlannedReplica* to = nullptr;
};
Pair Moved(const PlannedTablet& tablet) {
  if (!tablet.move) return {};
  const Pair pair{FindReplica(tablet.voters, tablet.move->from), FindReplica(tablet.voters, tablet.move->to)};
  return pair.from && pair.to ? pair : Pair{};
}

// Voters that are to stay, as far as is known: those lost for good, or failed, are not, nor one whose new place votes.
size_t Lasting(const PlannedTablet& tablet) {
  const auto [from, to] = Moved(tablet);
  const bool replaced = from && Lasts(*to);
  return static_cast<size_t>(std::ranges::count_if(tablet.voters, [&, from = from](const PlannedReplica& voter) {
    return Lasts(voter) && !(replaced && &voter == from);
  }));
}

// Voters that live and are not caught up: what they lack may take long.
size_t Filling(const PlannedTablet& tablet) {
  return static_cast<size_t>(std::ranges::count_if(tablet.voters, [](const PlannedReplica& voter) {
    return voter.health == ReplicaHealth::kLive && !voter.caught_up;
  }));
}

std::string Numbers(const PlannedTablet& tablet) {
  const size_t filling = Filling(tablet);
  return std::to_string(Count(tablet.voters, ReplicaHealth::kLive)) + " of " + std::to_string(tablet.voters.size()) +
         " voters live, " + (filling > 0 ? std::to_string(filling) + " of them not caught up, " : "") +
         std::to_string(Count(tablet.voters, ReplicaHealth::kLost)) + " lost, " +
         std::to_string(Count(tablet.voters, ReplicaHealth::kFailed)) + " failed, " +
         ebla::Count(tablet.learners.size(), "learner") + ", " + std::to_string(tablet.wanted) + " wanted";
}

// Chooses the replica to remove. A lost one is removed before an absent and a live one. Among those, one that is not
// caught up is removed first, then one of a rack with several, then the fullest server's. No value: none can be
// removed.
const PlannedReplica* Surplus(const PlannedTablet& tablet, const ClusterView& cluster) {
  std::map<ServerName, const PlannedServer*> servers;
  for (const PlannedServer& server : cluster.servers) servers[server.name] = &server;
  std::map<std::string, size_t> racks;
  const auto rack_of = [&](const PlannedReplica& replica) {
    const auto server = servers.find(replica.server);
    return server == servers.end() ? std::string() : server->second->rack;
  };
  for (const PlannedReplica& voter : tablet.voters) ++racks[rack_of(voter)];
  const auto rank = [&](const PlannedReplica& voter) {
    const auto server = servers.find(voter.server);
    const std::string rack = rack_of(voter);
    return std::tuple(voter.health, !voter.caught_up, rack.empty() ? 1 : racks.at(rack),
                      server == servers.end() ? 0 : server->second->tablets, voter.server);
  };
  const PlannedReplica* worst = nullptr;
  for (const PlannedReplica& voter : tablet.voters) {
    if (voter.server == tablet.primary) continue;
    if (!worst || rank(voter) > rank(*worst)) worst = &voter;
  }
  return worst && CanSpare(tablet, *worst) ? worst : nullptr;
}

// Whether the old replica of a move may be removed: the new one votes and is caught up, and enough other voters live. A
// live replica stays while another wanted one is missing.
std::optional<RepairAction> EndMove(const PlannedTablet& tablet) {
  const auto [from, to] = Moved(tablet);
  if (!from || !Good(*to)) return std::nullopt;
  if (tablet.primary == from->server) {
    return RepairAction{Kind::kTransferLeadership, tablet.tablet, to->server, "its primary moves: " + Numbers(tablet)};
  }
  const size_t live = Count(tablet.voters, ReplicaHealth::kLive);
  const bool needed = from->health == ReplicaHealth::kLive && live <= tablet.wanted;
  if (needed || !CanSpare(tablet, *from)) return std::nullopt;
  return RepairAction{Kind::kRemoveVoter, tablet.tablet, from->server,
                      "moved to " + to->server + ": " + Numbers(tablet)};
}

// Actions that need no copy.
std::optional<RepairAction> Settle(const PlannedTablet& tablet, const ClusterView& cluster) {
  const auto action = [&](Kind kind, const PlannedReplica& replica, const std::string& why) {
    return RepairAction{kind, tablet.tablet, replica.server, why + ": " + Numbers(tablet)};
  };
  for (const PlannedReplica& learner : tablet.learners) {
    if (learner.health == ReplicaHealth::kLost) return action(Kind::kRemoveLearner, learner, "its server is lost");
    if (learner.health == ReplicaHealth::kFailed) return action(Kind::kRemoveLearner, learner, "it has failed");
    const bool moves =
        tablet.move && tablet.move->to == learner.server && FindReplica(tablet.voters, tablet.move->from);
    // Not before those that are to stay have what it has.
    if (Lasting(tablet) >= tablet.wanted + Filling(tablet) && !moves) {
      return action(Kind::kRemoveLearner, learner, "not wanted any more");
    }
    if (learner.caught_up && learner.health == ReplicaHealth::kLive)
      return action(Kind::kPromote, learner, "caught up");
  }
  // A failed one may be made anew in its own place, once that is dropped.
  const auto failed = std::ranges::find(tablet.voters, ReplicaHealth::kFailed, &PlannedReplica::health);
  if (failed != tablet.voters.end() && failed->server != tablet.primary && CanSpare(tablet, *failed)) {
    return action(Kind::kRemoveVoter, *failed, "it has failed");
  }
  if (auto end = EndMove(tablet)) return end;
  const PlannedReplica* moved = tablet.move ? FindReplica(tablet.voters, tablet.move->to) : nullptr;
  // it was copied in vain only once it is lost
  if (moved && moved->health == ReplicaHealth::kAway) return std::nullopt;
  // A lost voter is removed only once another has taken its place.
  if (tablet.voters.size() <= tablet.wanted) return std::nullopt;
  const PlannedReplica* surplus = Surplus(tablet, cluster);
  // The surplus replica is the moving one, unless another is lost.
  if (!surplus || (Moved(tablet).from && Lasts(*surplus))) return std::nullopt;
  return action(Kind::kRemoveVoter, *surplus, "too many");
}

// The new place of a replica that has not begun to move.
ServerName MovesTo(const PlannedTablet& tablet) {
  if (!tablet.move || !FindReplica(tablet.voters, tablet.move->from)) return {};
  const ServerName& to = tablet.move->to;
  return FindReplica(tablet.voters, to) || FindReplica(tablet.learners, to) ? ServerName() : to;
}

bool TooFew(const PlannedTablet& tablet) { return Lasting(tablet) + tablet.learners.size() < tablet.wanted; }

bool WantsCopy(const PlannedTablet& tablet) { return TooFew(tablet) || !MovesTo(tablet).empty(); }

// A server with room for one more copy.
std::optional<RepairAction> AddLearner(const PlannedTablet& tablet, RepairView& view, const RepairCaps& caps) {
  std::vector<ServerName> excluded;
  for (const auto* replicas : {&tablet.voters, &tablet.learners}) {
    for (const PlannedReplica& replica : *replicas) excluded.push_back(replica.server);
  }
  ClusterView open{.servers = view.cluster.servers};
  for (PlannedServer& server : open.servers) {
    const bool barred = std::ranges::find(tablet.barred, server.name) != tablet.barred.end();
    if (barred || view.copies_to[server.name] >= caps.copies_per_server) server.writes_refused = true;
  }
  const ServerName wanted = MovesTo(tablet);
  const bool room = std::ranges::any_of(
      open.servers, [&](const PlannedServer& server) { return server.name == wanted && server.usable(); });
  // A move whose place has no room waits for it; what lacks a replica besides does not wait with it.
  const bool moves = room || !TooFew(tablet);
  const ServerName place = moves ? (room ? wanted : ServerName()) : PlaceReplica(open, excluded);
  if (place.empty()) return std::nullopt;
  ++view.copies;
  ++view.copies_to[place];
  for (PlannedServer& server : view.cluster.servers) server.tablets += server.name == place ? 1 : 0;
  return RepairAction{Kind::kAddLearner, tablet.tablet, place,
                      (moves ? "moves from " + tablet.move->from + ": " : "under-replicated: ") + Numbers(tablet)};
}

}  // namespace

std::vector<RepairAction> PlanRepair(RepairView view, const RepairCaps& caps) {
  std::erase_if(view.tablets, [](const PlannedTablet& tablet) { return !tablet.settled; });
  std::ranges::sort(view.tablets, {}, [](const PlannedTablet& tablet) {
    return std::tuple(Count(tablet.voters, ReplicaHealth::kLive), tablet.tablet);
  });
  std::vector<RepairAction> actions;
  for (const PlannedTablet& tablet : view.tablets) {
    if (actions.size() >= caps.changes) break;
    std::optional<RepairAction> action = Settle(tablet, view.cluster);
    if (!action && WantsCopy(tablet) && view.copies < caps.copies) action = AddLearner(tablet, view, caps);
    if (action) actions.push_back(std::move(*action));
  }
  return actions;
}

}  // namespace ebla::master
