#include "master/procedures/recover_tablet.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/base/count.h"
#include "common/rpc/idl_convert.h"
#include "master/catalog/table_rules.h"
#include "master/procedures/caught_up.h"

namespace ebla::master {
namespace {

Version LastOf(const idl::TabletLoad& load) {
  return {Epoch{static_cast<uint64_t>(load.lastEpoch)}, Lsn{static_cast<uint64_t>(load.lastLsn)}};
}

// The last split of the tablet that the catalog knows. Children of one parent are drawn in the order of its log.
struct SplitSeen {
  TabletId child;  // none: it never was
  Version at;      // in the parent's log, or of a later split; none: no report shows it applied

  bool IsIn(const idl::TabletLoad& load) const {
    if (!child || (load.__isset.lastSplit && load.lastSplit.childId >= static_cast<int64_t>(child.value))) return true;
    // Logs that have an entry of an epoch, or of a later one, have what was committed before it.
    return at && LastOf(load) >= at;
  }
};

SplitSeen LastSplit(const Context& context, TabletId tablet) {
  SplitSeen split;
  const std::set<TabletId>& children = context.image().ChildrenOf(tablet);
  if (children.empty()) return split;
  split.child = *children.rbegin();
  for (const auto& [name, server] : context.servers.all()) {
    const idl::TabletLoad* load = server.report ? server.report->Find(tablet) : nullptr;
    if (!load || !load->__isset.lastSplit || load->lastSplit.childId < static_cast<int64_t>(split.child.value))
      continue;
    const Version at = rpc::FromIdl(load->lastSplit.position);
    if (!split.at || at < split.at) split.at = at;
  }
  return split;
}

// Between looks at a merge that is to be ended first.
constexpr Duration kMergeLooks = std::chrono::milliseconds(100);

HolderSeen Look(const Context& context, const TabletEntry& entry, const SplitSeen& split, const ServerName& name,
                bool voter) {
  const TabletId tablet = entry.id();
  HolderSeen seen{.server = name, .voter = voter};
  const Server* server = context.servers.Find(name);
  if (!server) return seen;
  seen.live = server->live.has_value();
  const Report* report = seen.live ? server->CurrentReport() : server->report ? &*server->report : nullptr;
  if (!report) return seen;
  seen.reported = true;
  const idl::TabletLoad* load = report->Find(tablet);
  if (!load && entry.merge_unfinished() && HasBoth(*report, entry.node.merged)) {  // it makes it of them
    seen.last = rpc::FromIdl(entry.node.merged.position);
    seen.applied = seen.last.lsn;
    seen.known = seen.splits = true;
    for (const int64_t part : {entry.node.merged.left.tabletId, entry.node.merged.right.tabletId}) {
      seen.lost |= report->Find(TabletId{static_cast<uint64_t>(part)})->lost;
    }
    seen.may_have_lost_writes = seen.lost;
  }
  if (!load) return seen;
  seen.known = true;
  seen.last = LastOf(*load);
  seen.applied = Lsn{static_cast<uint64_t>(load->appliedLsn)};
  seen.incomplete = load->incomplete;
  seen.may_have_lost_writes = load->forgetful;
  seen.lost = load->lost;
  seen.failed = load->failed;
  seen.splits = seen.incomplete || seen.failed || split.IsIn(*load);  // those are refused for that
  return seen;
}

bool Usable(const HolderSeen& seen) {
  return seen.live && seen.known && !seen.incomplete && !seen.failed && seen.splits;
}

// For a table in memory: a live server that has lost all of the tablet with its process, and can begin it again empty.
const HolderSeen* FindEmptied(const std::vector<HolderSeen>& holders, const ServerName& server) {
  const auto found = std::ranges::find_if(holders, [&](const HolderSeen& seen) {
    return seen.live && seen.known && seen.incomplete && seen.may_have_lost_writes && !seen.failed &&
           (server.empty() || seen.server == server);
  });
  return found == holders.end() ? nullptr : &*found;
}

Status WhyNot(const HolderSeen& seen) {
  if (!seen.live) return Error(Code::kConditionFailed, "server " + seen.server + " is not live");
  if (!seen.known)
    return Error(Code::kConditionFailed, "server " + seen.server + " is live, but no longer has such a replica");
  if (seen.failed)
    return Error(Code::kConditionFailed, "the replica on " + seen.server + " has failed: its server's log says why");
  if (seen.incomplete) {
    return Error(Code::kConditionFailed, "the replica on " + seen.server + " is incomplete: a copy had not arrived");
  }
  return Error(Code::kConditionFailed, "the log of " + seen.server + " ends at " + seen.last.ToString() +
                                           ", before the split that the catalog knows");
}

// The range that a log without the split would serve beside the child, for people.
std::string Overlap(const Context& context, TabletId tablet, const SplitSeen& split) {
  const TabletEntry* child = context.image().Tablet(split.child);
  if (!child) return "";
  return "tablet " + std::to_string(split.child.value) + " was split off tablet " + std::to_string(tablet.value) +
         " at \"" + EscapeBytes(child->node.info.range.startKey) +
         "\": a replica from before that would serve keys of the child, and writes to the child would be lost";
}

std::string Names(const std::vector<HolderSeen>& holders, bool (*which)(const HolderSeen&)) {
  std::string text;
  for (const HolderSeen& seen : holders) {
    if (which(seen)) text += (text.empty() ? "" : ", ") + seen.server;
  }
  return text;
}

// Whether the tablet is still one that a failover can bring back.
Status CheckLost(const Context& context, const TabletEntry& tablet, const std::vector<HolderSeen>& holders) {
  const std::string which = "tablet " + std::to_string(tablet.id().value);
  if (tablet.creating())
    return Error(Code::kConditionFailed,
                 which + " is still being made: where its servers are gone for good, drop the table");
  if (auto stale = context.stale_catalog.Why()) return Error(Code::kConditionFailed, *stale);
  size_t live = 0, sure = 0;
  for (const HolderSeen& seen : holders) {
    if (seen.live && !seen.reported) {
      return Error(Code::kUnavailable, "server " + seen.server + " is live, but has not reported yet what it holds");
    }
    // A replica that is not there may never have been, or be lost: the fence learns which, and decides.
    const bool counts = seen.voter && seen.live && seen.known && !seen.failed && !seen.lost;
    live += counts ? 1 : 0;
    sure += counts && !seen.may_have_lost_writes ? 1 : 0;
  }
  const size_t voters = tablet.node.info.voters.size();
  // If replicas may have lost acknowledged writes, a majority is not enough, unless it is all of them.
  if (sure <= voters / 2 && live < voters) return {};
  return Error(Code::kConditionFailed, std::to_string(live) + " of the " + std::to_string(voters) + " voters of " +
                                           which + " live: the tablet recovers by itself, without losing data");
}

std::string Loss(const std::vector<HolderSeen>& holders, const HolderSeen& chosen) {
  std::string text = "the writes acknowledged after " + chosen.last.ToString() + ", where the log of " + chosen.server +
                     " ends, are lost";
  for (const HolderSeen& seen : holders) {
    if (seen.lost) text += "; the disk of " + seen.server + " lost a part of its log, which may have held more";
    // A live replica with a shorter log than the chosen one is no loss, unless an operator names that shorter log.
    if (!seen.reported || !seen.known || (seen.live && seen.last <= chosen.last)) continue;
    text += "; " + seen.server + " last reported " + seen.last.ToString();
    if (seen.last.lsn > chosen.last.lsn) {
      text += ", " + Count(seen.last.lsn.value - chosen.last.lsn.value, "entry", "entries") + " more";
    }
  }
  return text;
}

}  // namespace

std::string RecoverTabletName(TabletId tablet) { return "recover tablet " + std::to_string(tablet.value); }

RecoverySurvey SurveyRecovery(const Context& context, TabletId id, const ServerName& server) {
  RecoverySurvey survey;
  const TabletEntry* tablet = context.image().Tablet(id);
  if (!tablet || !context.image().LivingTable(*tablet)) {
    survey.refusal = Error(Code::kNotFound, "no tablet " + std::to_string(id.value));
    return survey;
  }
  const idl::TabletInfo& info = tablet->node.info;
  const SplitSeen split = LastSplit(context, id);
  survey.least = split.at;
  for (const ServerName& name : info.voters) survey.holders.push_back(Look(context, *tablet, split, name, true));
  for (const ServerName& name : info.learners) survey.holders.push_back(Look(context, *tablet, split, name, false));
  const TableEntry& table = *context.image().LivingTable(*tablet);
  const bool none_left = IsInMemory(table.node.schema) && std::ranges::none_of(survey.holders, Usable);
  const HolderSeen* chosen = nullptr;
  for (const HolderSeen& seen : survey.holders) {
    if (server.empty() ? Usable(seen) && (!chosen || seen.last > chosen->last) : seen.server == server) chosen = &seen;
  }
  survey.refusal = CheckLost(context, *tablet, survey.holders);
  if (!survey.refusal.ok()) return survey;
  const HolderSeen* const emptied = none_left ? FindEmptied(survey.holders, server) : nullptr;
  if (emptied) {
    survey.choice = emptied->server;
    survey.loss = "all its records are lost: no server that lives has them, as the table is in memory";
  } else if (chosen && Usable(*chosen)) {
    survey.choice = chosen->server;
    survey.loss = Loss(survey.holders, *chosen);
  } else if (chosen) {
    survey.refusal = WhyNot(*chosen);
    if (!chosen->splits) {
      survey.refusal = Error(Code::kConditionFailed, survey.refusal.message() + "; " + Overlap(context, id, split));
    }
  } else if (!server.empty()) {
    survey.refusal = Error(Code::kInvalidArgument, "server " + server + " has no replica of it; choose one of " +
                                                       Names(survey.holders, [](const HolderSeen&) { return true; }));
  } else {
    const bool before =
        std::ranges::any_of(survey.holders, [](const HolderSeen& seen) { return seen.live && !seen.splits; });
    survey.refusal =
        Error(Code::kConditionFailed, "no live replica is complete" +
                                          (before ? " and has the last split" : std::string()) + ": start one of " +
                                          Names(survey.holders, [](const HolderSeen& seen) { return !seen.live; }) +
                                          "; if all are gone for good, the table can only be dropped" +
                                          (before ? ". " + Overlap(context, id, split) : ""));
  }
  return survey;
}

// The catalog gives the tablet to the survivor alone: the named one or, since the recovery began, any one.
bool RecoverTablet::Decided(const TabletEntry& tablet) const {
  const idl::TabletInfo& info = tablet.node.info;
  if (info.voters.size() != 1 || info.voters[0] != info.primary) return false;
  return server_.empty() ? began_ && tablet.epoch() > *began_ : info.primary == server_;
}

bool RecoverTablet::WaitsForAcceptance(const TabletEntry& tablet) const {
  const idl::TabletInfo& info = tablet.node.info;
  const idl::TabletLoad* load = context_.servers.LoadOf(info.primary, tablet.id());
  return info.voters.size() == 1 && load && load->lost && !load->leading;
}

void RecoverTablet::Step(coordination::Callback<Progress> done) {
  const TabletEntry* tablet = context_.image().Tablet(tablet_);
  const bool late = context_.executor.Now() >= until();
  decided_ = decided_ || (tablet && Decided(*tablet));
  if (tablet && decided_ && !WaitsForAcceptance(*tablet)) {  // repair may have gone on since
    if (reconciler_.SettledLoad(*tablet)) return done(Progress::Done());
    reconciler_.Consider(tablet_);
    const Status waits = Error(Code::kUnavailable, "the tablet is given to " + tablet->node.info.primary +
                                                       " alone, which is not its primary yet");
    return done(late ? Progress::Done(waits) : Progress::Later(waits));
  }
  RecoverySurvey survey = SurveyRecovery(context_, tablet_, server_);
  if (!survey.refusal.ok()) {
    const bool wait = survey.refusal.code() == Code::kUnavailable && !late;
    return done(wait ? Progress::Later(survey.refusal) : Progress::Done(survey.refusal));
  }
  if (late) return done(Progress::Done(Error(Code::kUnavailable, "the tablet could not be recovered in time")));
  if (tablet->merge_open()) {  // its log may be part of the merged tablet's
    reconciler_.losses_accepted().insert(tablet->into());
    return done(Progress::Soon(
        kMergeLooks,
        Error(Code::kUnavailable, "its merge to tablet " + std::to_string(tablet->into().value) + " is ended first")));
  }
  const auto chosen = std::ranges::find(survey.holders, *survey.choice, &HolderSeen::server);
  if (!began_) shown_ = chosen->last;
  if (chosen->last < shown_) {
    return done(Progress::Done(Error(Code::kConditionFailed, "the log of " + chosen->server + " ends at " +
                                                                 chosen->last.ToString() + " by now, and the loss of " +
                                                                 "what follows " + shown_.ToString() +
                                                                 " was accepted: look again")));
  }
  began_ = began_.value_or(tablet->epoch());
  LOG(ERROR) << "tablet " << tablet_ << " is recovered by hand from " << *survey.choice
             << (server_.empty() ? ", or whose log turns out to be the longest" : "") << ": " << survey.loss;
  reconciler_.Recover(tablet_, {server_, std::max(survey.least, shown_)},
                      [done = std::move(done)](Status status) mutable {
                        done(status.ok() ? Progress::Done() : Progress::Later(std::move(status)));
                      });
}

}  // namespace ebla::master
