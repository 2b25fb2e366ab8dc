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

// A learner is nobody's last copy: it need not be waited for as long as a voter.
constexpr Duration kLearnerPatience = std::chrono::seconds(30);

// From servers that take no writes, at a time; one that was not transferred is tried again after kSheddingRetryAfter.
constexpr size_t kSheddingMovesMax = 256;
constexpr size_t kStuckLeadsMax = 1'000;  // looked at of one server
constexpr Duration kSheddingRetryAfter = std::chrono::seconds(5);

// Of damage, and of who is whole: two heartbeats. What is decided by older news could cost a majority.
constexpr Duration kDamageNewsFresh = std::chrono::seconds(2);

// Steps come in with reports, of which there may be many at once.
constexpr Duration kWakeAfter = std::chrono::milliseconds(50);
// Who waits for a place for longer than that is looked at each second, as all are.
constexpr Duration kBegunFor = std::chrono::seconds(30);

// The old replica goes, or the new one will never be.
bool MoveEnds(const RepairAction& action, const idl::MoveIntent& move) {
  using Kind = RepairAction::Kind;
  return (action.kind == Kind::kRemoveVoter && action.server == move.fromServer) ||
         (action.kind == Kind::kRemoveLearner && action.server == move.toServer);
}

}  // namespace

ReplicationManager::ReplicationManager(const Context& context, TabletReconciler& reconciler,
                                       std::function<bool()> may_act)
    : context_(context), reconciler_(reconciler), may_act_(std::move(may_act)) {}

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

// What has been begun and what drains, without the rest of the catalog: that has the next second.
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
    static constexpr const char* kWhat[] = {"gets a learner on", "promotes", "removes voter", "removes learner"};
    if (action.kind == RepairAction::Kind::kTransferLeadership) {
      if (!TriedLately(action.tablet)) TransferLeadership({action.tablet, action.server, action.reason});
      continue;
    }
    if (again && action.kind == RepairAction::Kind::kAddLearner && !moved.contains(action.tablet)) continue;
    if (std::optional<BatchItem> item = ItemOf(action)) {
      VLOG(1) << "tablet " << action.tablet << " " << kWhat[static_cast<int>(action.kind)] << " " << action.server
              << ", " << action.reason;
      items.push_back(std::move(*item));
      begun_[action.tablet] = context_.executor.Now();
      if (action.kind == RepairAction::Kind::kAddLearner) to_copy_[action.tablet] = action.server;
    }
  }
  if (!items.empty()) LOG(INFO) << "changing the membership of " << items.size() << " tablets";
  reconciler_.ChangeMembers(std::move(items));
}

// Those that came to nothing: the old replica is none any more, or the server that was to have the new one is gone for
// good or takes nothing now. What drains is given another place by Drain().
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
    if (left || (!arrived && TakesNothing(view.cluster, tablet.move->to))) over.push_back(tablet.tablet);
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

// Of those that are whole and level, the one that leads least. Where there is none the primary stays: it serves what it
// can.
void ReplicationManager::RelieveDamaged(RepairView& view) {
  std::erase_if(view.tablets, [&](const PlannedTablet& planned) {
    const TabletEntry* tablet = planned.settled ? context_.image().Tablet(planned.tablet) : nullptr;
    if (!tablet || !LeadIsDamaged(*tablet)) return false;
    PlannedServer* best = nullptr;
    for (const PlannedReplica& voter : planned.voters) {
      const auto server = std::ranges::find(view.cluster.servers, voter.server, &PlannedServer::name);
      if (voter.server == planned.primary || !voter.caught_up || server == view.cluster.servers.end()) continue;
      if (!IsWhole(*tablet, voter.server) || server->writes_refused) continue;
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
  for (const auto& [id, tablet] : context_.image().tablets()) AddUnlessWhole(tablet, view);
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
    if (tablet) AddUnlessWhole(*tablet, view);
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
  // Those on their way into the catalog take a place, too.
  std::erase_if(to_copy_, [this](const auto& item) {
    const TabletEntry* tablet = context_.image().Tablet(item.first);
    return !tablet || IsIn(item.second, tablet->node.info.learners) || !reconciler_.Busy(item.first);
  });
  for (const auto& [tablet, learner] : to_copy_) count(learner);
}

void ReplicationManager::AddUnlessWhole(const TabletEntry& tablet, RepairView& view) const {
  const TableEntry* table = context_.image().LivingTable(tablet);
  if (!table || tablet.creating()) return;
  const size_t wanted = ReplicasOf(table->node.schema);
  if (!Whole(tablet, wanted)) view.tablets.push_back(Plan(tablet, wanted));
}

bool ReplicationManager::Whole(const TabletEntry& tablet, size_t wanted) const {
  const idl::TabletInfo& info = tablet.node.info;
  return info.voters.size() == wanted && info.learners.empty() && !tablet.node.__isset.move && !LeadIsDamaged(tablet) &&
         std::ranges::all_of(info.voters, [&](const ServerName& voter) {
           return HealthOf(tablet, voter, false) == ReplicaHealth::kLive;
         });
}

PlannedTablet ReplicationManager::Plan(const TabletEntry& tablet, size_t wanted) const {
  const idl::TabletInfo& info = tablet.node.info;
  PlannedTablet planned;
  planned.tablet = tablet.id();
  planned.wanted = wanted;
  planned.primary = info.primary;
  if (tablet.node.__isset.move) planned.move = {tablet.node.move.fromServer, tablet.node.move.toServer};
  const idl::TabletLoad* load = reconciler_.SettledLoad(tablet);
  planned.settled = load != nullptr;
  if (planned.settled) planned.barred = Barred(tablet);
  for (const ServerName& voter : info.voters) {
    const bool caught_up = load && (voter == info.primary || CaughtUp(*load, voter));
    planned.voters.push_back({voter, HealthOf(tablet, voter, false), caught_up});
  }
  for (const ServerName& learner : info.learners) {
    planned.learners.push_back({learner, HealthOf(tablet, learner, true), load && CaughtUp(*load, learner)});
  }
  return planned;
}

// Of who has not reported nobody knows what it holds.
std::vector<ServerName> ReplicationManager::Barred(const TabletEntry& tablet) const {
  std::vector<ServerName> barred;
  for (const auto& [name, server] : context_.servers.all()) {
    if (!server.live || tablet.HeldBy(name)) continue;
    const Report* report = server.CurrentReport();
    if (!report || report->Find(tablet.id())) barred.push_back(name);
  }
  return barred;
}

bool ReplicationManager::TakesNothing(const ClusterView& cluster, const ServerName& name) const {
  const Server* server = context_.servers.Find(name);
  if (!server || (!server->live && AwayFor(*server) >= kLearnerPatience)) return true;
  const auto planned = std::ranges::find(cluster.servers, name, &PlannedServer::name);
  return planned != cluster.servers.end() && planned->live && !planned->usable();
}

bool ReplicationManager::Failed(const TabletEntry& tablet, const ServerName& name) const {
  const Server* server = context_.servers.Find(name);
  const Report* report = server ? server->CurrentReport() : nullptr;
  const idl::TabletLoad* load = report ? report->Find(tablet.id()) : nullptr;
  return load && load->failed;
}

// As its server has just reported it; null: it has not. One that has died is live until its session ends.
const idl::TabletLoad* ReplicationManager::LoadOf(const TabletEntry& tablet, const ServerName& server) const {
  const Server* found = context_.servers.Find(server);
  const Report* report = found && found->live ? found->CurrentReport() : nullptr;
  const bool fresh = report && context_.executor.Now() - report->received <= kDamageNewsFresh;
  return fresh ? report->Find(tablet.id()) : nullptr;
}

// And there are others, who may be whole.
bool ReplicationManager::LeadIsDamaged(const TabletEntry& tablet) const {
  const idl::TabletInfo& info = tablet.node.info;
  const idl::TabletLoad* load = info.voters.size() > 1 ? LoadOf(tablet, info.primary) : nullptr;
  return load && load->damaged;
}

bool ReplicationManager::IsWhole(const TabletEntry& tablet, const ServerName& voter) const {
  const idl::TabletLoad* load = LoadOf(tablet, voter);
  return load && !load->failed && !load->incomplete && !load->damaged;
}

// Its files are damaged, and it may go now: no other is missing, the primary is whole, and it is the first of those that
// wait for this. So no two of a tablet go at once, however many disks are damaged, and the last that has a record does
// not.
bool ReplicationManager::GivenUp(const TabletEntry& tablet, const ServerName& name, bool learner) const {
  const idl::TabletLoad* load = LoadOf(tablet, name);
  if (!load || !load->damaged) return false;
  if (learner) return true;
  const idl::TabletInfo& info = tablet.node.info;
  const TableEntry* table = context_.image().LivingTable(tablet);
  const size_t wanted = table ? std::max<size_t>(2, ReplicasOf(table->node.schema)) : 0;
  if (!table || info.voters.size() < wanted || !IsWhole(tablet, info.primary)) return false;
  bool first = true;
  for (const ServerName& voter : info.voters) {
    if (voter == name) {
      first = false;
      continue;
    }
    const idl::TabletLoad* other = LoadOf(tablet, voter);
    if (!other || other->failed || other->incomplete || (first && other->damaged)) return false;
  }
  return true;
}

ReplicaHealth ReplicationManager::HealthOf(const TabletEntry& tablet, const ServerName& name, bool learner) const {
  const Server* server = context_.servers.Find(name);
  if (!server) return ReplicaHealth::kLost;
  if (server->live) {
    const bool goes = Failed(tablet, name) || GivenUp(tablet, name, learner);
    return goes ? ReplicaHealth::kFailed : ReplicaHealth::kLive;
  }
  const Duration patience = learner ? kLearnerPatience : context_.options.replace_after;
  return AwayFor(*server) >= patience ? ReplicaHealth::kLost : ReplicaHealth::kAway;
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
  // Those that stay may have forgotten meanwhile what they said they have: until they serve by themselves it can be asked.
  const TableEntry* table = context_.image().LivingTable(*tablet);
  if (action.kind == Kind::kRemoveVoter && table && IsInMemory(table->node.schema))
    info.learners.push_back(action.server);
  if (item.next->__isset.move && MoveEnds(action, item.next->move)) item.next->__isset.move = false;
  if (action.kind == Kind::kAddLearner) info.learners.push_back(action.server);
  if (action.kind == Kind::kPromote) info.voters.push_back(action.server);
  return item;
}

}  // namespace ebla::master
