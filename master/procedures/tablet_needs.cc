#include "master/procedures/tablet_needs.h"

#include <algorithm>

#include "common/base/number_limits.h"
#include "master/catalog/rules.h"
#include "master/catalog/table_rules.h"
#include "master/cluster/options.h"

namespace ebla::master {
namespace {

bool Released(const TabletEntry& tablet, const idl::TabletLoad& load) {
  return load.releasedEpoch == tablet.node.info.epoch && IsIn(load.releasedTo, tablet.node.info.voters);
}

// Somebody has what it was to become: the catalog was restored from before that was decided.
bool MergedSince(const Servers& servers, const TabletEntry& tablet) {
  return tablet.merging() && std::ranges::any_of(servers.all(), [&](const auto& item) {
           const Report* report = item.second.CurrentReport();
           return report && report->Find(tablet.into());
         });
}

}  // namespace

// A promise far above the catalog's epoch may be that of a primary which the catalog has forgotten. Until all have said
// what they know it is not outbid: that would depose one that serves.
Need TabletNeeds::Of(const TabletEntry& tablet, const TabletKnowledge& known) const {
  const Need need = ByReports(tablet, known);
  const bool outbids = need == Need::kFence && FenceFloor(tablet, known) > tablet.epoch().Next();
  return outbids && !AllReported() ? Need::kWait : need;
}

// But not for ever: one may live that does not reach this master.
bool TabletNeeds::AllReported() const {
  const MonotonicTime now = context_.executor.Now();
  return std::ranges::all_of(context_.servers.all(), [&](const auto& item) {
    const Server& server = item.second;
    return !server.live || server.CurrentReport() || now - server.changed >= context_.options.report_patience;
  });
}

Need TabletNeeds::ByReports(const TabletEntry& tablet, const TabletKnowledge& known) const {
  if (!context_.image().LivingTable(tablet) || context_.stale_catalog.Ahead(tablet.id()) ||
      MergedSince(context_.servers, tablet))
    return Need::kNothing;
  if (tablet.creating()) return OfCreating(tablet, known);
  const Server* primary = context_.servers.Find(tablet.node.info.primary);
  if (primary && primary->live) return OfServing(tablet, known, *primary);
  // With one voter its data is there and nowhere else.
  return MajorityLives(tablet) ? Need::kFence : Need::kNothing;
}

Need TabletNeeds::OfCreating(const TabletEntry& tablet, const TabletKnowledge& known) const {
  const idl::TabletInfo& info = tablet.node.info;
  if (!MajorityLives(tablet)) return Need::kNothing;
  const bool refused = known.refused && known.epoch == tablet.epoch();
  // A fence that came to nothing binds its followers, though not the primary.
  const bool outbid = FenceFloor(tablet, known) > tablet.epoch();
  return refused || outbid || !context_.servers.IsLive(info.primary) ? Need::kFence : Need::kConfigure;
}

Need TabletNeeds::OfServing(const TabletEntry& tablet, const TabletKnowledge& known, const Server& primary) const {
  if (PrimarySilent(tablet, known)) return Need::kFence;
  const bool same_life = known.incarnation == primary.incarnation() || !rules::LedEpochIsOfOneStart();
  const bool noted = known.epoch == tablet.epoch() && same_life;
  if (noted && !known.led && !known.refused) return Need::kConfigure;  // this master's compare-and-set: say it again
  const Report* report = primary.CurrentReport();
  if (!report) return Need::kNothing;  // its first heartbeat will tell
  const idl::TabletLoad* load = report->Find(tablet.id());
  const Epoch led{load && load->leading ? static_cast<uint64_t>(load->epoch) : 0};
  if (load && led == tablet.epoch()) {
    return static_cast<uint64_t>(load->refusedForEpoch) > led.value ? Need::kFence : Need::kNothing;
  }
  // The report may be older than what was obeyed.
  if (noted && known.led && report->received < known.since + context_.options.report_lag) return Need::kNothing;
  // Between a change of membership and its Configure a master died.
  if (led && led < tablet.epoch() && !(noted && known.refused)) {
    if (load->barrierCommitted || !rules::ChangeWaitsForBarrier()) return Need::kConfigure;
    // Adopted alone: those whom its Barrier waits for are voters no more.
    return tablet.node.info.voters.size() == 1 ? Need::kFence : Need::kNothing;
  }
  // Between its release and the compare-and-set a master died, or could not reach the coordinator.
  if (load && Released(tablet, *load) && context_.servers.IsLive(load->releasedTo)) return Need::kComplete;
  return Need::kFence;
}

// A majority of the followers follow this very primary, in this epoch or in one of its that it has been told to leave,
// and hear nothing from it. Or this master does not, and has to.
bool TabletNeeds::PrimarySilent(const TabletEntry& tablet, const TabletKnowledge& known) const {
  if (known.fenced_from == tablet.epoch()) return true;
  const idl::TabletInfo& info = tablet.node.info;
  const MonotonicTime now = context_.executor.Now();
  size_t silent = 0;
  for (const ServerName& voter : info.voters) {
    if (voter == info.primary) continue;
    const Report* report = context_.servers.ReportOf(voter);
    if (!report || now - report->received > context_.options.report_fresh) continue;
    if (known.epoch == tablet.epoch() && report->received < known.since) continue;
    const idl::TabletLoad* load = report->Find(tablet.id());
    if (load && load->primarySilent && load->epoch <= info.epoch && load->primary == info.primary) ++silent;
  }
  const size_t followers = info.voters.size() - 1;
  return followers > 0 && silent > followers / 2;
}

size_t TabletNeeds::LiveVoters(const TabletEntry& tablet) const {
  return static_cast<size_t>(std::ranges::count_if(
      tablet.node.info.voters, [&](const ServerName& voter) { return context_.servers.IsLive(voter); }));
}

Epoch TabletNeeds::FenceFloor(const TabletEntry& tablet, const TabletKnowledge& known) const {
  Epoch floor;
  // What is further beyond the catalog's than anybody comes was promised to nobody.
  const auto hear = [&](Epoch promised) {
    if (!limits::IsLeap(tablet.epoch(), promised, limits::kReportedEpochLeapMax)) floor = std::max(floor, promised);
  };
  hear(known.fence_floor);
  for (const auto* servers : {&tablet.node.info.voters, &tablet.node.info.learners}) {
    for (const ServerName& name : *servers) {
      const Server* server = context_.servers.Find(name);
      const idl::TabletLoad* load = server && server->report ? server->report->Find(tablet.id()) : nullptr;
      if (!load) continue;
      for (const int64_t promised : {load->promisedEpoch, load->refusedForEpoch})
        hear(Epoch{static_cast<uint64_t>(promised)});
    }
  }
  return floor;
}

const idl::TabletLoad* TabletNeeds::LeaderLoad(const TabletEntry& tablet) const {
  const Report* report = context_.servers.ReportOf(tablet.node.info.primary);
  if (!report || context_.executor.Now() - report->received > context_.options.report_fresh) return nullptr;
  const idl::TabletLoad* load = report->Find(tablet.id());
  const bool leads = load && load->leading && load->epoch == tablet.node.info.epoch &&
                     (load->barrierCommitted || !rules::ChangeWaitsForBarrier()) &&
                     load->refusedForEpoch <= load->epoch;
  return leads && MajorityLives(tablet) ? load : nullptr;
}

LackingTablets TabletNeeds::CountLacking() const {
  LackingTablets lacking;
  for (const auto& [id, tablet] : context_.image().tablets()) {
    const TableEntry* table = context_.image().LivingTable(tablet);
    if (!table) continue;
    lacking.times_emptied += tablet.node.timesEmptied;
    if (!MajorityLives(tablet)) {
      ++lacking.majority;
    } else if (!LeaderLoad(tablet)) {
      ++lacking.primary;
    } else if (LiveVoters(tablet) < ReplicasOf(table->node.schema)) {
      ++lacking.replicas;
    }
  }
  return lacking;
}

}  // namespace ebla::master
