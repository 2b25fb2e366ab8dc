#include "master/procedures/tablet_needs.h"

#include <algorithm>

#include "common/base/number_limits.h"
#include "master/catalog/rules.h"
#include "master/catalog/table_rules.h"
#include "master/cluster/options.h"

namespace ebla::master {
namespace {

// After this time the master gives up a target that does not come level. The primary serves meanwhile, but for pauses.
constexpr Duration kTransferPatience = std::chrono::seconds(5);

// A server has the merged tablet, so the catalog was restored from before the merge was decided.
bool MergedSince(const Servers& servers, const TabletEntry& tablet) {
  return tablet.merging() && !tablet.merges_ahead() && std::ranges::any_of(servers.all(), [&](const auto& item) {
           const Report* report = item.second.CurrentReport();
           return report && report->Find(tablet.into());
         });
}

}  // namespace

// A promise far above the catalog's epoch may be that of a primary which the catalog has forgotten. Until all have said
// what they know it is not outbid: that would depose one that serves.
Need TabletNeeds::Of(const TabletEntry& tablet, const TabletKnowledge& known) const {
  // Its log may be part of the merged tablet's already, so first merge_tablets.h decides what becomes of the two.
  if (tablet.merge_open() && rules::MergeIsDecidedFirst()) return Need::kNothing;
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
  if (const TransferStage stage = StageOf(tablet, known); stage != TransferStage::kOver)
    return OfTransfer(tablet, known, stage);
  const Server* primary = context_.servers.Find(tablet.node.info.primary);
  if (primary && primary->live) return OfServing(tablet, known, *primary);
  // With one voter its data is there and nowhere else.
  return MajorityLives(tablet) ? Need::kFence : Need::kNothing;
}

Need TabletNeeds::OfCreating(const TabletEntry& tablet, const TabletKnowledge& known) const {
  const idl::TabletInfo& info = tablet.node.info;
  if (!MajorityLives(tablet)) return Need::kNothing;
  const bool refused = known.refused && known.epoch == tablet.epoch();
  // A fence without a result binds its followers, though not the primary.
  const bool outbid = FenceFloor(tablet, known) > tablet.epoch();
  return refused || outbid || !context_.servers.IsLive(info.primary) ? Need::kFence : Need::kConfigure;
}

// A promise of the target's epoch shows that the target was told of it, or that a fence is in the way.
TransferStage TabletNeeds::StageOf(const TabletEntry& tablet, const TabletKnowledge& known) const {
  if (!tablet.by_transfer() || known.epoch == tablet.epoch()) return TransferStage::kOver;
  const PrimaryAt previous = tablet.previous();
  const bool promised = std::ranges::any_of(tablet.node.info.voters, [&](const ServerName& voter) {
    const idl::TabletLoad* load = context_.servers.LoadOf(voter, tablet.id());
    return load && load->promisedEpoch >= tablet.node.info.epoch;
  });
  if (promised || !context_.servers.IsLive(previous.server)) return TransferStage::kOver;
  if (!context_.servers.ReportOf(previous.server)) return TransferStage::kUnknown;
  const idl::TabletLoad* load = context_.servers.LoadOf(previous.server, tablet.id());
  const auto epoch = static_cast<int64_t>(previous.epoch.value);
  if (load && load->leading && load->epoch == epoch) return TransferStage::kOpen;
  const bool released = load && load->releasedEpoch == epoch && load->releasedTo == tablet.node.info.primary;
  return released ? TransferStage::kReleased : TransferStage::kOver;
}

PrimaryAt TabletNeeds::PrimaryOf(const TabletEntry& tablet, const TabletKnowledge& known) const {
  const TransferStage stage = StageOf(tablet, known);
  return stage == TransferStage::kUnknown || stage == TransferStage::kOpen ? tablet.previous() : tablet.named();
}

// The previous primary leads the tablet until it releases it, and no server is told of the target's epoch.
Need TabletNeeds::OfTransfer(const TabletEntry& tablet, const TabletKnowledge& known, TransferStage stage) const {
  if (PrimarySilent(tablet, known)) return Need::kFence;
  const bool target_lives = context_.servers.IsLive(tablet.node.info.primary);
  if (stage == TransferStage::kUnknown) return Need::kNothing;  // its first heartbeat will tell
  if (stage == TransferStage::kReleased) {
    if (!rules::TakenBackByWhoLeads()) return Need::kTakeBack;
    return target_lives ? Need::kTransfer : Need::kFence;
  }
  const PrimaryAt previous = tablet.previous();
  // An old report does not show that the previous primary still leads, and that it can be told of a later epoch.
  const Report& report = *context_.servers.ReportOf(previous.server);
  if (context_.executor.Now() - report.received > context_.options.report_fresh) return Need::kNothing;
  const idl::TabletLoad& load = *report.Find(tablet.id());
  if (static_cast<uint64_t>(load.refusedForEpoch) > previous.epoch.value) return Need::kFence;
  if (!MajorityLives(tablet)) return Need::kNothing;
  const bool late =
      known.released_for == tablet.epoch() && context_.executor.Now() - known.asked_since >= kTransferPatience;
  return target_lives && !late ? Need::kTransfer : Need::kTakeBack;
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
  // Thawed ahead of the catalog, which merge_tablets.h takes there.
  if (tablet.merges_ahead() && led == tablet.thaw_epoch() && led > tablet.epoch()) return Need::kNothing;
  if (load && led == tablet.epoch()) {
    return static_cast<uint64_t>(load->refusedForEpoch) > led.value ? Need::kFence : Need::kNothing;
  }
  // The report may be older than what was obeyed.
  if (noted && known.led && report->received < known.since + context_.options.report_lag) return Need::kNothing;
  // Between a change of membership and its Configure a master died. A transfer's target that leads an older epoch is
  // fenced: its log lacks what the previous primary committed.
  if (led && led < tablet.epoch() && !tablet.by_transfer() && !(noted && known.refused)) {
    if (load->barrierCommitted || !rules::ChangeWaitsForBarrier()) return Need::kConfigure;
    // Adopted with one voter, because the voters for which its Barrier waits are no voters any more.
    return tablet.node.info.voters.size() == 1 ? Need::kFence : Need::kNothing;
  }
  return Need::kFence;
}

// A majority of the followers follow this very primary, in this epoch or in one of its that it has been told to leave,
// and hear nothing from it. Or this master does not, and has to.
bool TabletNeeds::PrimarySilent(const TabletEntry& tablet, const TabletKnowledge& known) const {
  if (known.fenced_from == tablet.epoch()) return true;
  const idl::TabletInfo& info = tablet.node.info;
  const ServerName primary = FollowedOf(tablet, known);
  const MonotonicTime now = context_.executor.Now();
  size_t silent = 0;
  for (const ServerName& voter : info.voters) {
    if (voter == primary) continue;
    const Report* report = context_.servers.ReportOf(voter);
    if (!report || now - report->received > context_.options.report_fresh) continue;
    if (known.epoch == tablet.epoch() && report->received < known.since) continue;
    const idl::TabletLoad* load = report->Find(tablet.id());
    if (load && load->primarySilent && load->epoch <= info.epoch && load->primary == primary) ++silent;
  }
  const size_t followers = info.voters.size() - 1;
  return followers > 0 && silent > followers / 2;
}

// A fence raises the promise of a voter alone. Only an order, or a message of the target, raises its epoch.
ServerName TabletNeeds::FollowedOf(const TabletEntry& tablet, const TabletKnowledge& known) const {
  const idl::TabletInfo& info = tablet.node.info;
  if (!tablet.by_transfer() || known.epoch == tablet.epoch()) return info.primary;
  const bool told = std::ranges::any_of(info.voters, [&](const ServerName& voter) {
    const idl::TabletLoad* load = context_.servers.LoadOf(voter, tablet.id());
    return load && load->epoch >= info.epoch;
  });
  return told ? info.primary : tablet.previous().server;
}

size_t TabletNeeds::LiveVoters(const TabletEntry& tablet) const {
  return static_cast<size_t>(std::ranges::count_if(
      tablet.node.info.voters, [&](const ServerName& voter) { return context_.servers.IsLive(voter); }));
}

Epoch TabletNeeds::FenceFloor(const TabletEntry& tablet, const TabletKnowledge& known) const {
  // A server that has merged the tablet away makes it anew above the merged tablet's first epoch.
  Epoch floor = tablet.merges_ahead() ? tablet.into_epoch() : Epoch();
  // No real master reaches an epoch so far beyond the catalog's, so the promise does not count.
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

const idl::TabletLoad* TabletNeeds::LeaderLoad(const TabletEntry& tablet, const PrimaryAt& primary) const {
  const Report* report = context_.servers.ReportOf(primary.server);
  if (!report || context_.executor.Now() - report->received > context_.options.report_fresh) return nullptr;
  const idl::TabletLoad* load = report->Find(tablet.id());
  const bool leads = load && load->leading && static_cast<uint64_t>(load->epoch) == primary.epoch.value &&
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
    } else if (!LeaderLoad(tablet, PrimaryOf(tablet, {}))) {
      ++lacking.primary;
    } else if (LiveVoters(tablet) < ReplicasOf(table->node.schema)) {
      ++lacking.replicas;
    }
  }
  return lacking;
}

}  // namespace ebla::master
