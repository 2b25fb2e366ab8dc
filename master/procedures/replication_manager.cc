#include "master/procedures/replication_manager.h"

#include <glog/logging.h>

#include <algorithm>
#include <iterator>
#include <ranges>

#include "master/catalog/table_rules.h"
#include "master/cluster/options.h"
#include "master/procedures/caught_up.h"
#include "master/procedures/move_tablet.h"

namespace ebla::master {
namespace {

// From servers that take no writes, at a time; one that was not transferred is tried again after kSheddingRetryAfter.
constexpr size_t kSheddingMovesMax = 256;
constexpr size_t kStuckLeadsMax = 1'000;  // looked at of one server
constexpr Duration kSheddingRetryAfter = std::chrono::seconds(5);

// Steps come in with reports, of which there may be many at once.
constexpr Duration kWakeAfter = std::chrono::milliseconds(50);
// A tablet that waits for a place for longer is looked at each second, like all.
constexpr Duration kBegunFor = std::chrono::seconds(30);

const char* Verb(RepairAction::Kind kind) {
  switch (kind) {
    case RepairAction::Kind::kAddLearner: return "gets a learner on";
    case RepairAction::Kind::kPromote: return "promotes";
    case RepairAction::Kind::kRemoveVoter: return "removes voter";
    case RepairAction::Kind::kRemoveLearner: return "removes learner";
    case RepairAction::Kind::kTransferLeadership: return "transfers leadership to";
  }
  return "";
}

// The action removes the old replica, or the new one will never exist.
bool MoveEnds(const RepairAction& action, const idl::MoveIntent& move) {
  using Kind = RepairAction::Kind;
  return (action.kind == Kind::kRemoveVoter && action.server == move.fromServer) ||
         (action.kind == Kind::kRemoveLearner && action.server == move.toServer);
}

}  // namespace

ReplicationManager::ReplicationManager(const Context& context, TabletReconciler& reconciler,
                                       std::function<bool()> may_act)
    : context_(context), reconciler_(reconciler), health_(context, reconciler), may_act_(std::move(may_act)) {}

ReplicationManager::~ReplicationManager() { context_.executor.Cancel(timer_); }

void ReplicationManager::Later() {
  timer_ = context_.executor.After(context_.options.repair_every, if_alive_([this] {
                                     Work();
                                     Later();
                                   }));
}

void ReplicationManager::Wake() {
  drain_again_ = true;
  WakeSoon();
}

void ReplicationManager::WakeSoon() {
  if (std::exchange(woken_, true)) return;
  context_.executor.After(kWakeAfter, if_alive_([this] {
                            woken_ = false;
                            LookAgain();
                          }));
}

void ReplicationManager::Reported(const ServerName& server) {
  const auto led = [&](TabletId id) {
    const TabletEntry* tablet = context_.image().Tablet(id);
    return tablet && tablet->node.info.primary == server;
  };
  if (std::ranges::any_of(begun_ | std::views::keys, led) || std::ranges::any_of(context_.image().changing(), led))
    WakeSoon();
}

void ReplicationManager::Changed(const std::vector<TabletId>& tablets) {
  if (std::ranges::any_of(tablets, [this](TabletId tablet) { return Begun(tablet); })) Wake();
}

// Looks at begun repairs and draining servers only; the rest of the catalog waits for the next second.
void ReplicationManager::LookAgain() {
  if (!may_act_()) return;
  RepairView view = ViewBegun();
  if (std::exchange(drain_again_, false)) Drain(view.cluster);
  Repair(std::move(view), /*again=*/true);
}

void ReplicationManager::Work() {
  RepairView view = View();
  copies_ = view.copies;
  moves_ = static_cast<size_t>(
      std::ranges::count_if(view.tablets, [](const PlannedTablet& tablet) { return tablet.move.has_value(); }));
  repairs_ = view.tablets.size() - moves_;
  if (!may_act_()) return;
  const MonotonicTime now = context_.executor.Now();
  std::erase_if(transferred_, [&](const auto& item) { return now - item.second >= kSheddingRetryAfter; });
  EndMoves(view);
  Drain(view.cluster);
  ShedLeadership(view.cluster);
  Repair(std::move(view), /*again=*/false);
}

// `again`: what lacks replicas waits until it is looked at among all that do (invariant 4 of repair.h), but for what is
// moved.
void ReplicationManager::Repair(RepairView view, bool again) {
  RelieveDamaged(view);
  std::vector<BatchItem> items;
  std::set<TabletId> moved;
  for (const PlannedTablet& tablet : view.tablets) {
    if (tablet.move) moved.insert(tablet.tablet);
  }
  for (const RepairAction& action : PlanRepair(std::move(view), context_.options.repair)) {
    if (action.kind == RepairAction::Kind::kTransferLeadership) {
      if (!TriedLately(action.tablet)) TransferLeadership({action.tablet, action.server, action.reason});
      continue;
    }
    if (again && action.kind == RepairAction::Kind::kAddLearner && !moved.contains(action.tablet)) continue;
    if (std::optional<BatchItem> item = ItemOf(action)) {
      VLOG(1) << "tablet " << action.tablet << " " << Verb(action.kind) << " " << action.server << ", "
              << action.reason;
      items.push_back(std::move(*item));
      begun_[action.tablet] = context_.executor.Now();
      if (action.kind == RepairAction::Kind::kAddLearner) to_copy_[action.tablet] = action.server;
    }
  }
  if (!items.empty()) LOG(INFO) << "changing the membership of " << items.size() << " tablets";
  reconciler_.ChangeMembers(std::move(items));
}

// Ends moves without an effect: the old replica is no voter any more, or the new server is gone for good or receives no
// replicas now. Drain() gives the replicas of draining servers another place.
void ReplicationManager::EndMoves(const RepairView& view) {
  std::vector<TabletId> over;
  for (const PlannedTablet& tablet : view.tablets) {
    if (!tablet.move) continue;
    const auto is = [&](const ServerName& server) {
      return [&server](const PlannedReplica& replica) { return replica.server == server; };
    };
    const bool left = std::ranges::none_of(tablet.voters, is(tablet.move->from));
    const bool arrived = std::ranges::any_of(tablet.voters, is(tablet.move->to)) ||
                         std::ranges::any_of(tablet.learners, is(tablet.move->to));
    if (left || (!arrived && health_.TakesNothing(view.cluster, tablet.move->to))) over.push_back(tablet.tablet);
  }
  if (over.empty()) return;
  context_.catalog.Commit([over](const Image& image) { return CancelMoves(image, over); },
                          [](const Status& status) {
                            LOG_IF(WARNING, !status.ok())
                                << "the catalog still holds moves that have ended: " << status;
                          });
}

void ReplicationManager::Drain(const ClusterView& cluster) {
  std::erase_if(held_up_, [&](const auto& item) {
    return std::ranges::none_of(cluster.servers,
                                [&](const PlannedServer& s) { return s.name == item.first && s.draining; });
  });
  if (moving_) return;
  std::vector<WantedMove> wanted;
  for (const PlannedServer& server : cluster.servers) {
    if (!server.draining) continue;
    DrainStep step = PlanDrainStep(context_.image(), cluster, server.name, [this](const TabletEntry& tablet) {
      return reconciler_.SettledLoad(tablet) != nullptr;
    });
    held_up_[server.name] = std::move(step.held_up);
    for (WantedMove& move : step.moves)
      move.origin = {idl::AskedBy::DRAIN, "server " + server.name + " drains", context_.executor.TimeOfDayMs()};
    std::ranges::move(step.moves, std::back_inserter(wanted));
  }
  if (wanted.empty()) return;
  moving_ = true;
  LOG(INFO) << wanted.size() << " replicas are to be moved from draining servers";
  context_.catalog.Commit(
      [wanted](const Image& image) { return PutMoves(image, wanted); }, if_alive_([this, wanted](Status status) {
        moving_ = false;
        LOG_IF(WARNING, !status.ok()) << "replicas cannot be moved from draining servers: " << status;
        const bool some = std::ranges::any_of(
            wanted, [this](const WantedMove& move) { return context_.image().changing().contains(move.tablet); });
        if (some) WakeSoon();
      }));
}

std::string ReplicationManager::WhyNotDrained(const ServerName& server) const {
  const auto found = held_up_.find(server);
  return found == held_up_.end() ? "" : found->second;
}

void ReplicationManager::TransferLeadership(const LeadMove& move) {
  LOG(INFO) << "tablet " << move.tablet << " is transferred to " << move.to << ": " << move.reason;
  begun_[move.tablet] = context_.executor.Now();
  transferred_[move.tablet] = context_.executor.Now();
  reconciler_.Transfer(move.tablet, move.to, [tablet = move.tablet](const Status& status) {
    LOG_IF(WARNING, !status.ok()) << "tablet " << tablet << " was not transferred: " << status;
  });
}

// Among the voters that are whole and level, chooses the server with fewest primaries. If there is none, the primary
// stays and serves what it can.
void ReplicationManager::RelieveDamaged(RepairView& view) {
  std::erase_if(view.tablets, [&](const PlannedTablet& planned) {
    const TabletEntry* tablet = planned.settled ? context_.image().Tablet(planned.tablet) : nullptr;
    if (!tablet || !health_.LeadIsDamaged(*tablet)) return false;
    PlannedServer* best = nullptr;
    for (const PlannedReplica& voter : planned.voters) {
      const auto server = std::ranges::find(view.cluster.servers, voter.server, &PlannedServer::name);
      if (voter.server == planned.primary || !voter.caught_up || server == view.cluster.servers.end()) continue;
      if (!health_.IsWholeAt(*tablet, voter.server) || server->writes_refused) continue;
      if (!best || server->primaries < best->primaries) best = &*server;
    }
    if (!best) return false;
    if (TriedLately(planned.tablet)) return true;
    ++best->primaries;
    TransferLeadership({planned.tablet, best->name, "files of " + planned.primary + " are damaged"});
    return true;
  });
}

void ReplicationManager::ShedLeadership(const ClusterView& cluster) {
  std::vector<StuckLead> stuck;
  for (const PlannedServer& server : cluster.servers) {
    if (server.live && server.writes_refused) std::ranges::move(FindStuckLeads(server.name), std::back_inserter(stuck));
  }
  if (stuck.empty()) return;
  for (const LeadMove& move : PlanLeadershipShedding(cluster, stuck, kSheddingMovesMax)) TransferLeadership(move);
}

bool ReplicationManager::TriedLately(TabletId tablet) const {
  const auto tried = transferred_.find(tablet);
  return tried != transferred_.end() && context_.executor.Now() - tried->second < kSheddingRetryAfter;
}

std::vector<StuckLead> ReplicationManager::FindStuckLeads(const ServerName& server) const {
  std::vector<StuckLead> stuck;
  for (const TabletId id : context_.image().LedBy(server)) {
    if (TriedLately(id)) continue;
    const TabletEntry& tablet = *context_.image().Tablet(id);
    const idl::TabletLoad* load = reconciler_.SettledLoad(tablet);
    if (!load) continue;
    StuckLead lead{id, server, {}};
    for (const ServerName& voter : tablet.node.info.voters) {
      if (CaughtUp(*load, voter)) lead.caught_up.push_back(voter);
    }
    if (!lead.caught_up.empty()) stuck.push_back(std::move(lead));
    if (stuck.size() == kStuckLeadsMax) break;
  }
  return stuck;
}

RepairView ReplicationManager::View() {
  RepairView view;
  view.cluster = ViewCluster(context_.image(), context_.servers);
  CountCopies(view);
  for (const auto& [id, tablet] : context_.image().tablets()) health_.AddUnlessWhole(tablet, view);
  std::set<TabletId> open;
  for (const PlannedTablet& tablet : view.tablets) open.insert(tablet.tablet);
  const MonotonicTime now = context_.executor.Now();
  std::erase_if(begun_, [&](const auto& item) { return !open.contains(item.first) || now - item.second > kBegunFor; });
  return view;
}

RepairView ReplicationManager::ViewBegun() {
  RepairView view;
  view.cluster = ViewCluster(context_.image(), context_.servers);
  CountCopies(view);
  std::set<TabletId> ids = context_.image().changing();
  for (const auto& [id, when] : begun_) ids.insert(id);
  for (const TabletId id : ids) {
    const TabletEntry* tablet = context_.image().Tablet(id);
    const size_t before = view.tablets.size();
    if (tablet) health_.AddUnlessWhole(*tablet, view);
    if (view.tablets.size() == before) begun_.erase(id);
  }
  return view;
}

void ReplicationManager::CountCopies(RepairView& view) {
  const auto count = [&view](const ServerName& learner) {
    ++view.copies;
    ++view.copies_to[learner];
  };
  for (const TabletId id : context_.image().changing()) {
    for (const ServerName& learner : context_.image().Tablet(id)->node.info.learners) count(learner);
  }
  // Replicas on their way into the catalog count for a server's room, too.
  std::erase_if(to_copy_, [this](const auto& item) {
    const TabletEntry* tablet = context_.image().Tablet(item.first);
    return !tablet || IsIn(item.second, tablet->node.info.learners) || !reconciler_.Busy(item.first);
  });
  for (const auto& [tablet, learner] : to_copy_) count(learner);
}

std::optional<BatchItem> ReplicationManager::ItemOf(const RepairAction& action) const {
  const TabletEntry* tablet = context_.image().Tablet(action.tablet);
  if (!tablet) return std::nullopt;
  BatchItem item;
  item.tablet = action.tablet;
  item.mandate.title = Title::kMember;
  item.version = tablet->version;
  item.next = tablet->node;
  idl::TabletInfo& info = item.next->info;
  using Kind = RepairAction::Kind;
  if (action.kind != Kind::kAddLearner) {
    std::erase(info.learners, action.server);
    std::erase(info.voters, action.server);
  }
  // The remaining replicas may have lost their records since their reports, so the master asks them again until they
  // serve by themselves.
  const TableEntry* table = context_.image().LivingTable(*tablet);
  if (action.kind == Kind::kRemoveVoter && table && IsInMemory(table->node.schema))
    info.learners.push_back(action.server);
  if (item.next->__isset.move && MoveEnds(action, item.next->move)) item.next->__isset.move = false;
  if (action.kind == Kind::kAddLearner) info.learners.push_back(action.server);
  if (action.kind == Kind::kPromote) info.voters.push_back(action.server);
  return item;
}

}  // namespace ebla::master
