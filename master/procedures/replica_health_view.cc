#include "master/procedures/replica_health_view.h"

#include <algorithm>

#include "master/catalog/table_rules.h"
#include "master/cluster/options.h"
#include "master/procedures/caught_up.h"

namespace ebla::master {
namespace {

// Reports of damage and of whole replicas count for two heartbeats, because a decision by older reports could cost a
// majority.
constexpr Duration kDamageNewsFresh = std::chrono::seconds(2);

}  // namespace

void ReplicaHealthView::AddUnlessWhole(const TabletEntry& tablet, RepairView& view) const {
  const TableEntry* table = context_.image().LivingTable(tablet);
  if (!table || tablet.creating()) return;
  const size_t wanted = ReplicasOf(table->node.schema);
  if (!NeedsNothing(tablet, wanted)) view.tablets.push_back(Plan(tablet, wanted));
}

bool ReplicaHealthView::NeedsNothing(const TabletEntry& tablet, size_t wanted) const {
  const idl::TabletInfo& info = tablet.node.info;
  return info.voters.size() == wanted && info.learners.empty() && !tablet.node.__isset.move && !LeadIsDamaged(tablet) &&
         std::ranges::all_of(info.voters, [&](const ServerName& voter) {
           return HealthOf(tablet, voter, false) == ReplicaHealth::kLive;
         });
}

PlannedTablet ReplicaHealthView::Plan(const TabletEntry& tablet, size_t wanted) const {
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

// Servers that have not reported, whose contents are unknown.
std::vector<ServerName> ReplicaHealthView::Barred(const TabletEntry& tablet) const {
  std::vector<ServerName> barred;
  for (const auto& [name, server] : context_.servers.all()) {
    if (!server.live || tablet.HeldBy(name)) continue;
    const Report* report = server.CurrentReport();
    if (!report || report->Find(tablet.id())) barred.push_back(name);
  }
  return barred;
}

bool ReplicaHealthView::TakesNothing(const ClusterView& cluster, const ServerName& name) const {
  const Server* server = context_.servers.Find(name);
  if (!server || (!server->live && AwayFor(*server) >= kLearnerPatience)) return true;
  const auto planned = std::ranges::find(cluster.servers, name, &PlannedServer::name);
  return planned != cluster.servers.end() && planned->live && !planned->usable();
}

bool ReplicaHealthView::Failed(const TabletEntry& tablet, const ServerName& name) const {
  const idl::TabletLoad* load = context_.servers.LoadOf(name, tablet.id());
  return load && load->failed;
}

// The replica's load in a recent report of its server; null: there is none. A server that died is live until its
// session ends.
const idl::TabletLoad* ReplicaHealthView::FreshLoadOf(const TabletEntry& tablet, const ServerName& server) const {
  const Report* report = context_.servers.ReportOf(server);
  const bool fresh = report && context_.executor.Now() - report->received <= kDamageNewsFresh;
  return fresh ? report->Find(tablet.id()) : nullptr;
}

// The primary is damaged, and there are other voters, which may be whole.
bool ReplicaHealthView::LeadIsDamaged(const TabletEntry& tablet) const {
  const idl::TabletInfo& info = tablet.node.info;
  const idl::TabletLoad* load = info.voters.size() > 1 ? FreshLoadOf(tablet, info.primary) : nullptr;
  return load && load->damaged;
}

bool ReplicaHealthView::IsWholeAt(const TabletEntry& tablet, const ServerName& voter) const {
  const idl::TabletLoad* load = FreshLoadOf(tablet, voter);
  return load && !load->failed && !load->incomplete && !load->damaged;
}

// Its files are damaged, and it may go now: no other is missing, the primary is whole, and it is the first of those
// that wait for this. So no two of a tablet go at once, however many disks are damaged, and the last that has a record
// does not.
bool ReplicaHealthView::GivenUp(const TabletEntry& tablet, const ServerName& name, bool learner) const {
  const idl::TabletLoad* load = FreshLoadOf(tablet, name);
  if (!load || !load->damaged) return false;
  if (learner) return true;
  const idl::TabletInfo& info = tablet.node.info;
  if (load->lost) {
    // Nothing that it has counts, so its removal costs no copy, if a majority of the remaining voters can commit.
    const auto whole =
        std::ranges::count_if(info.voters, [&](const ServerName& voter) { return IsWholeAt(tablet, voter); });
    return IsWholeAt(tablet, info.primary) && static_cast<size_t>(whole) > (info.voters.size() - 1) / 2;
  }
  const TableEntry* table = context_.image().LivingTable(tablet);
  const size_t wanted = table ? std::max<size_t>(2, ReplicasOf(table->node.schema)) : 0;
  if (!table || info.voters.size() < wanted || !IsWholeAt(tablet, info.primary)) return false;
  bool first = true;
  for (const ServerName& voter : info.voters) {
    if (voter == name) {
      first = false;
      continue;
    }
    const idl::TabletLoad* other = FreshLoadOf(tablet, voter);
    if (!other || other->failed || other->incomplete || (first && other->damaged)) return false;
  }
  return true;
}

ReplicaHealth ReplicaHealthView::HealthOf(const TabletEntry& tablet, const ServerName& name, bool learner) const {
  const Server* server = context_.servers.Find(name);
  if (!server) return ReplicaHealth::kLost;
  if (server->live) {
    const bool goes = Failed(tablet, name) || GivenUp(tablet, name, learner);
    return goes ? ReplicaHealth::kFailed : ReplicaHealth::kLive;
  }
  // A learner is never the last copy, so its removal need not wait as long as a voter's.
  const Duration patience = learner ? kLearnerPatience : context_.options.replace_after;
  return AwayFor(*server) >= patience ? ReplicaHealth::kLost : ReplicaHealth::kAway;
}

}  // namespace ebla::master
