#include "master/procedures/move_tablet.h"

#include <algorithm>

#include "master/catalog/table_rules.h"

namespace ebla::master {
namespace {

std::vector<ServerName> Holders(const TabletEntry& tablet) {
  std::vector<ServerName> holders = tablet.node.info.voters;
  holders.insert(holders.end(), tablet.node.info.learners.begin(), tablet.node.info.learners.end());
  return holders;
}

PlannedServer* FindServer(ClusterView& cluster, const ServerName& name) {
  const auto found = std::ranges::find(cluster.servers, name, &PlannedServer::name);
  return found == cluster.servers.end() ? nullptr : &*found;
}

std::string NoPlace(const Image& image, const TabletEntry& tablet) {
  const TableEntry* table = image.Table(tablet.table());
  return "tablet " + std::to_string(tablet.id().value) + " of table " + (table ? table->node.schema.name : "?") +
         " has its replicas on " + Joined(Holders(tablet)) +
         ", and no other live server takes one: start another server, end the maintenance or draining of one, or "
         "lower the table's replicas (`ebla table alter`)";
}

}  // namespace

std::string MoveTabletName(const WantedMove& move) { return MovesOfTablet(move.tablet) + move.from + " to " + move.to; }

std::string MovesOfTablet(TabletId tablet) { return "move tablet " + std::to_string(tablet.value) + " from "; }

Status CheckMove(const Image& image, const Servers& servers, const WantedMove& move) {
  const TabletEntry* tablet = image.Tablet(move.tablet);
  if (!tablet || !image.LivingTable(*tablet)) return Error(Code::kNotFound, "the tablet is gone");
  const idl::TabletInfo& info = tablet->node.info;
  const std::string name = "tablet " + std::to_string(move.tablet.value);
  if (tablet->failovers_only()) {
    return Error(Code::kUnavailable,
                 name + (tablet->splitting() ? " is being split: try again" : " is being merged: try again"));
  }
  if (tablet->node.__isset.move) {
    const idl::MoveIntent& open = tablet->node.move;
    if (open.fromServer == move.from && open.toServer == move.to) return {};  // asked for again
    return Error(Code::kConditionFailed, name + " moves already, from " + open.fromServer + " to " + open.toServer +
                                             ": wait for it, or cancel it (`ebla tablet move --cancel`)");
  }
  if (!IsIn(move.from, info.voters)) {
    return Error(Code::kInvalidArgument,
                 "server " + move.from + " has no vote in " + name + "; choose one of " + Joined(info.voters));
  }
  if (IsIn(move.to, info.voters)) {
    return Error(Code::kInvalidArgument, "server " + move.to + " has a replica of " + name +
                                             " already; the others are on " + Joined(info.voters) +
                                             " (`ebla tablet transfer` changes only the primary)");
  }
  const Server* to = servers.Find(move.to);
  if (!to) return NoServer(move.to, Code::kInvalidArgument);
  if (!servers.ForPlanner(move.to, *to).usable()) {
    return Error(
        Code::kInvalidArgument,
        "server " + move.to +
            " takes no replicas at present: it is not live, under maintenance or draining, or its disk is full");
  }
  return {};
}

Change PutMoves(const Image& image, const std::vector<WantedMove>& moves) {
  Change change;
  for (const WantedMove& move : moves) {
    const TabletEntry* tablet = image.Tablet(move.tablet);
    if (!tablet || !image.LivingTable(*tablet) || tablet->creating() || tablet->failovers_only() ||
        tablet->node.__isset.move)
      continue;
    if (!IsIn(move.from, tablet->node.info.voters) || IsIn(move.to, tablet->node.info.voters)) continue;
    idl::TabletNode node = tablet->node;
    idl::MoveIntent intent;
    intent.fromServer = move.from;
    intent.toServer = move.to;
    Put(move.origin, intent);
    node.__set_move(intent);
    change.PutTablet(std::move(node));
    if (change.full()) break;
  }
  return change;
}

Change CancelMoves(const Image& image, const std::vector<TabletId>& tablets) {
  Change change;
  for (const TabletId id : tablets) {
    const TabletEntry* tablet = image.Tablet(id);
    if (!tablet || !tablet->node.__isset.move) continue;
    idl::TabletNode node = tablet->node;
    node.__isset.move = false;
    node.move = {};
    change.PutTablet(std::move(node));
    if (change.full()) break;
  }
  return change;
}

Status CheckCancel(const Image& image, TabletId id) {
  const TabletEntry* tablet = image.Tablet(id);
  if (!tablet || !tablet->node.__isset.move) return Error(Code::kNotFound, "no move of that tablet is under way");
  const idl::MoveIntent& move = tablet->node.move;
  if (!IsIn(move.toServer, tablet->node.info.voters)) return {};
  return Error(Code::kConditionFailed, "the move of tablet " + std::to_string(id.value) +
                                           " can be cancelled no more: the replica on " + move.toServer +
                                           " is copied and votes, and that on " + move.fromServer +
                                           " goes next; move it back afterwards");
}

DrainStep PlanDrainStep(const Image& image, ClusterView cluster, const ServerName& server,
                        const std::function<bool(const TabletEntry&)>& settled) {
  DrainStep step;
  size_t open = 0;
  std::vector<const TabletEntry*> waiting;
  for (const TabletId id : image.HeldBy(server)) {
    const TabletEntry& tablet = *image.Tablet(id);
    if (tablet.node.__isset.move) {
      if (tablet.node.move.fromServer != server) continue;
      ++open;
      // The replica has reached its new place, and cannot leave before another missing one has a place.
      const TableEntry* table = image.LivingTable(tablet);
      const bool missing = table && tablet.node.info.voters.size() <= ReplicasOf(table->node.schema);
      if (missing && IsIn(tablet.node.move.toServer, tablet.node.info.voters) &&
          PlaceReplica(cluster, Holders(tablet)).empty()) {
        step.held_up = NoPlace(image, tablet);
      }
    } else if (IsIn(server, tablet.node.info.voters) && image.LivingTable(tablet) && !tablet.creating()) {
      waiting.push_back(&tablet);
    }
  }
  for (const TabletEntry* tablet : waiting) {
    if (open >= kDrainMovesMax) break;
    const ServerName place = PlaceReplica(cluster, Holders(*tablet));
    if (place.empty()) {
      step.held_up = NoPlace(image, *tablet);
      continue;
    }
    if (!tablet->node.info.learners.empty() || !settled(*tablet)) continue;
    step.moves.push_back({tablet->id(), server, place});
    ++FindServer(cluster, place)->tablets;
    ++open;
  }
  return step;
}

Status CheckDrain(const Image& image, ClusterView cluster, const ServerName& server) {
  PlannedServer* drained = FindServer(cluster, server);
  if (!drained) return NoServer(server);
  drained->draining = true;
  for (const TabletId id : image.HeldBy(server)) {
    const TabletEntry& tablet = *image.Tablet(id);
    const ServerName place = PlaceReplica(cluster, Holders(tablet));
    if (place.empty()) {
      return Error(Code::kConditionFailed, "server " + server + " cannot be drained: " + NoPlace(image, tablet));
    }
    ++FindServer(cluster, place)->tablets;
  }
  int64_t room = 0;
  bool known = true;
  for (const PlannedServer& other : cluster.servers) {
    if (!other.usable()) continue;
    known = known && other.disk_total_bytes > 0;
    room += other.disk_free_bytes;
  }
  if (!known || drained->size_bytes <= room) return {};
  return Error(Code::kConditionFailed,
               "server " + server + " cannot be drained: it has " + std::to_string(drained->size_bytes >> 20) +
                   " MiB, and the other servers have " + std::to_string(room >> 20) + " MiB of disk left");
}

void MoveTablet::Step(coordination::Callback<Progress> done) {
  const TabletEntry* tablet = context_.image().Tablet(move_.tablet);
  if (!tablet || !context_.image().LivingTable(*tablet)) {
    return done(Progress::Done(Error(Code::kNotFound, "the tablet is gone")));
  }
  const idl::TabletInfo& info = tablet->node.info;
  const bool left = !IsIn(move_.from, info.voters);
  if (left && IsIn(move_.to, info.voters)) return done(Progress::Done());
  if (!tablet->node.__isset.move) {
    // The code tells a waiting caller not to ask again, because that would undo the cancelling.
    return done(Progress::Done(Error(Code::kConditionFailed, "the move was ended: cancelled, or server " + move_.to +
                                                                 " takes nothing any more; replicas are on " +
                                                                 Joined(info.voters))));
  }
  const bool votes = IsIn(move_.to, info.voters);
  const std::string what = votes                           ? move_.from + " is to go"
                           : IsIn(move_.to, info.learners) ? move_.to + " is being copied to"
                                                           : "a learner on " + move_.to + " is to be made";
  done(Progress::Later(Error(Code::kUnavailable, what)));
}

}  // namespace ebla::master
