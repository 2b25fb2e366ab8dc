#include "master/procedures/fence_round.h"

#include <glog/logging.h>

#include <algorithm>
#include <tuple>

#include "common/base/number_limits.h"
#include "common/rpc/idl_convert.h"
#include "master/catalog/table_rules.h"
#include "master/procedures/caught_up.h"
#include "master/procedures/lost_splits.h"

namespace ebla::master {
namespace {

// Its store may have failed with any code; what its server reports does not depend on that.
bool ReportedFailed(const Servers& servers, const ServerName& name, TabletId tablet) {
  const idl::TabletLoad* load = servers.LoadOf(name, tablet);
  return load && load->failed;
}

// Among equal logs, prefers neither the previous primary, because there is a reason for the fence, nor a replica with
// damaged files, because it may be unable to apply its log. Otherwise chance decides, the same each time.
std::tuple<bool, bool, size_t> Preference(const Servers& servers, const ServerName& server, const ServerName& before,
                                          TabletId tablet) {
  const idl::TabletLoad* load = servers.LoadOf(server, tablet);
  return {server == before, load && load->damaged,
          std::hash<std::string>{}(server + "/" + std::to_string(tablet.value))};
}

}  // namespace

FenceRound::FenceRound(const Context& context, std::vector<FenceItem> items, Ready ready)
    : context_(context), wanted_(std::move(items)), ready_(std::move(ready)) {}

FenceRound::~FenceRound() { context_.executor.Cancel(timer_); }

void FenceRound::Start() {
  Orders orders;
  for (const FenceItem& wanted : wanted_) {
    Fencing fencing;
    fencing.item.tablet = wanted.tablet;
    if (!Begin(fencing, wanted)) {
      ended_.push_back(std::move(fencing.item));
      continue;
    }
    idl::FenceTablet order;
    order.tabletId = static_cast<int64_t>(wanted.tablet.value);
    order.epoch = static_cast<int64_t>(fencing.item.epoch.value);
    for (const ServerName& server : fencing.asked) orders[server].push_back(WithLeap(order, server));
    fencing_.emplace(wanted.tablet, std::move(fencing));
  }
  deadline_ = context_.executor.Now() + kFencePatience;
  timer_ = context_.executor.After(fencing_.empty() ? Duration{0} : kFencePatience, if_alive_([this] { Emit(); }));
  for (auto& [server, tablets] : orders) {
    context_.tablet_server_client.Fence(
        server, std::move(tablets), if_alive_([this, server](auto results) { OnFenced(server, std::move(results)); }));
  }
}

// An epoch that an operator has raised far is beyond what others have promised, too. No other is looked up.
idl::FenceTablet FenceRound::WithLeap(idl::FenceTablet order, const ServerName& server) const {
  if (!limits::IsLeap(Epoch(), Epoch{static_cast<uint64_t>(order.epoch)})) return order;
  const idl::TabletLoad* load = context_.servers.LoadOf(server, TabletId{static_cast<uint64_t>(order.tabletId)});
  const int64_t promised = load ? load->promisedEpoch : 0;
  if (limits::IsLeap(Epoch{static_cast<uint64_t>(promised)}, Epoch{static_cast<uint64_t>(order.epoch)}))
    order.__set_leapFrom(promised);
  return order;
}

bool FenceRound::Begin(Fencing& fencing, const FenceItem& wanted) {
  const TabletEntry* tablet = context_.image().Tablet(fencing.item.tablet);
  if (!tablet) {
    fencing.item.status = Error(Code::kNotFound, "the tablet is gone");
    return false;
  }
  fencing.item.version = tablet->version;
  fencing.item.epoch = std::max(tablet->epoch(), wanted.floor).Next();
  fencing.item.status = Error(Code::kUnavailable, "no majority of its voters answers");
  const auto lives_not = [&](const ServerName& name) { return !context_.servers.IsLive(name); };
  const TableEntry* const table = context_.image().LivingTable(*tablet);
  fencing.in_memory = table && IsInMemory(table->node.schema);
  fencing.asked = tablet->node.info.voters;
  fencing.recovery = wanted.recovery;
  if (fencing.in_memory) {
    const auto is_lost = [&](const ServerName& name) {
      const Server* server = context_.servers.Find(name);
      return !server || (!server->live && context_.executor.Now() - server->changed >= kLearnerPatience);
    };
    fencing.learners = tablet->node.info.learners;
    std::erase_if(fencing.learners,
                  [&](const auto& name) { return wanted.recovery ? lives_not(name) : is_lost(name); });
    std::ranges::copy(fencing.learners, std::back_inserter(fencing.asked));
  } else if (wanted.recovery) {
    std::ranges::copy(tablet->node.info.learners, std::back_inserter(fencing.asked));
  }
  if (wanted.recovery) std::erase_if(fencing.asked, lives_not);
  fencing.waiting = fencing.asked.size();
  fencing.creating = tablet->creating();
  fencing.suspect = wanted.suspect;
  fencing.before = wanted.before;
  fencing.node = tablet->node;
  TakeReport(fencing);
  return true;
}

// The primary's last report, also if its process is gone.
void FenceRound::TakeReport(Fencing& fencing) const {
  const Server* primary = context_.servers.Find(fencing.node.info.primary);
  const idl::TabletLoad* load = primary && primary->report ? primary->report->Find(fencing.item.tablet) : nullptr;
  if (!load || !load->leading || load->epoch != fencing.node.info.epoch) return;
  for (const idl::ReplicaProgress& peer : load->peers) {
    const Lsn acknowledged{static_cast<uint64_t>(peer.acknowledgedLsn)};
    if (acknowledged) fencing.had[peer.server] = {Epoch{static_cast<uint64_t>(load->epoch)}, acknowledged};
  }
}

void FenceRound::OnFenced(const ServerName& server, Result<std::map<TabletId, idl::FenceResult>> results) {
  bool news = false;
  for (auto& [tablet, fencing] : fencing_) {
    if (!IsIn(server, fencing.asked)) continue;
    --fencing.waiting;
    if (!results) {
      if (fencing.answers.empty()) fencing.item.status = results.error();
    } else if (auto found = results->find(tablet); found != results->end()) {
      TakeAnswer(fencing, server, found->second);
    }
    if (!fencing.decidable && Choose(fencing).primary) fencing.decidable = context_.executor.Now();
    news = news || fencing.decidable || fencing.waiting == 0;
  }
  if (!news) return;
  const bool whole = std::ranges::all_of(fencing_, [](const auto& item) { return item.second.waiting == 0; });
  context_.executor.Cancel(timer_);
  timer_ = context_.executor.After(whole ? Duration{0} : kFenceGrace, if_alive_([this] { Emit(); }));
}

void FenceRound::TakeAnswer(Fencing& fencing, const ServerName& server, const idl::FenceResult& result) const {
  if (Status status = CheckNumbers(server, result); !status.ok()) {
    fencing.item.status = std::move(status);
    return;
  }
  if (result.status.code != idl::Code::OK) return TakeRefusal(fencing, server, result);
  for (const auto& [other, position] : result.vouched) {
    if (position.epoch != fencing.node.info.epoch) continue;
    Version& had = fencing.had[other];
    had = std::max(had, rpc::FromIdl(position));
  }
  FenceAnswer answer;
  answer.server = server;
  answer.last = rpc::FromIdl(result.lastAppended);
  answer.known = result.known;
  answer.incomplete = result.incomplete;
  answer.may_have_lost_writes = result.forgetful;
  answer.lost = result.lost;
  answer.tablet_time_ms = result.tabletTimeMs;
  answer.time_of_day_ms = result.timeOfDayMs;
  if (!answer.known && !ExplainUnknown(fencing, answer)) return;
  if (fencing.in_memory) TakeEnd(fencing, result, answer);
  fencing.answers.push_back(std::move(answer));
  std::ranges::sort(fencing.answers, {}, [&](const FenceAnswer& answer) {
    return Preference(context_.servers, answer.server, fencing.before, fencing.item.tablet);
  });
}

Status FenceRound::CheckNumbers(const ServerName& server, const idl::FenceResult& result) const {
  const int64_t latest = limits::LatestTime(context_.executor.TimeOfDayMs());
  const bool vouched = std::ranges::all_of(result.vouched, [](const auto& item) {
    return limits::AreEpochs({item.second.epoch}) && limits::AreLsns({item.second.lsn});
  });
  if (vouched && limits::AreEpochs({result.promisedEpoch, result.lastAppended.epoch}) &&
      limits::AreLsns({result.lastAppended.lsn}) && limits::IsWithin(result.tabletTimeMs, latest) &&
      result.timeOfDayMs >= 0 && result.timeOfDayMs <= latest) {
    return {};
  }
  return context_.refusals.Refuse(
      server, Error(Code::kUnavailable, "server " + server + " answers a fence with impossible numbers"));
}

void FenceRound::TakeRefusal(Fencing& fencing, const ServerName& server, const idl::FenceResult& result) const {
  BatchItem& item = fencing.item;
  item.status = rpc::FromIdl(result.status);
  item.promised = std::max(item.promised, Epoch{static_cast<uint64_t>(result.promisedEpoch)});
  // A failed replica offers nothing in any answer, so it is not fenced again for its log.
  if (result.status.code != idl::Code::INTERNAL && !ReportedFailed(context_.servers, server, item.tablet)) {
    fencing.refused = true;
    return;
  }
  item.status = Error(Code::kUnavailable,
                      "the replica on " + server + " has failed, and offers no log: " + item.status.message());
  std::erase(fencing.learners, server);  // the round does not wait for it
}

bool FenceRound::ExplainUnknown(Fencing& fencing, FenceAnswer& answer) const {
  const idl::TabletNode& node = fencing.node;
  const Report* report = context_.servers.ReportOf(answer.server);
  // Its data may be in what the tablet was merged of, or split off; or was lost with its process.
  if (!report && fencing.in_memory && (node.__isset.merged || node.__isset.parentId)) {
    fencing.item.status = Error(Code::kUnavailable, "server " + answer.server + " has not reported yet what it holds");
    return false;
  }
  // A server that has not reported yet is believed, because it had both when they were merged.
  if (node.__isset.merged && (!report || HasBoth(*report, node.merged))) {
    // The server lacks the merged tablet and makes it of these two, so its log ends where both are applied (PROTOCOL
    // 14), and its time continues from the freezes'. A server that has merged them and knows no time has restarted
    // since (PROTOCOL 21).
    answer.known = true;
    answer.tablet_time_ms = node.merged.tabletTimeMs;
    answer.last = rpc::FromIdl(node.merged.position);
    return true;
  }
  if (!fencing.in_memory || !node.__isset.parentId) return true;
  if (report->Find(fencing.item.tablet)) {
    fencing.item.status =
        Error(Code::kComeAgain, "server " + answer.server + " has made the tablet since it was fenced");
    fencing.refused = true;
    return false;
  }
  const TabletEntry* tablet = context_.image().Tablet(fencing.item.tablet);
  answer.holds_in_parent = tablet && HoldsInParent(context_.image(), *report, *tablet);
  return true;
}

void FenceRound::TakeEnd(Fencing& fencing, const idl::FenceResult& result, FenceAnswer& answer) const {
  const TabletEntry* tablet = context_.image().Tablet(fencing.item.tablet);
  if (!tablet || !result.__isset.endKey || !result.known || result.incomplete) return;
  fencing.ends[answer.server] = result.endKey;
  answer.fits = LostSplits(context_.image(), *tablet, result.endKey).has_value();
}

PrimaryChoice FenceRound::Choose(const Fencing& fencing) const {
  std::vector<FenceAnswer> answers = fencing.answers;
  DoubtShortLogs(fencing.had, answers);
  std::optional<MemoryRules> memory;
  if (fencing.in_memory) memory.emplace(fencing.learners);
  if (fencing.recovery) {
    // A voter that has promised a higher epoch is fenced again, higher, because it may have the longest log.
    if (fencing.refused || (fencing.waiting > 0 && !late())) return {.reason = "not every live replica has answered"};
    return ChooseSurvivor(fencing.node.info.voters, fencing.recovery->server, fencing.recovery->least, answers, memory);
  }
  if (fencing.suspect) {
    std::vector<FenceAnswer> others = answers;
    std::erase_if(others, [&](const FenceAnswer& answer) { return answer.server == fencing.before; });
    PrimaryChoice choice = ChoosePrimary(fencing.node.info.voters, others, fencing.creating, memory);
    if (choice.primary || (fencing.waiting > 0 && !late())) return choice;
  }
  return ChoosePrimary(fencing.node.info.voters, answers, fencing.creating, memory);
}

// Passes on decided items. An item that became decidable a moment ago waits for the rest of its grace.
void FenceRound::Emit() {
  const MonotonicTime now = context_.executor.Now();
  std::vector<BatchItem> items = std::exchange(ended_, {});
  Orders reminders;
  for (auto it = fencing_.begin(); it != fencing_.end();) {
    const Fencing& fencing = it->second;
    const bool graced = fencing.decidable && now - *fencing.decidable >= kFenceGrace;
    if (!late() && fencing.waiting > 0 && !graced) {
      ++it;
      continue;
    }
    const PrimaryChoice choice = Choose(fencing);
    // A choice that accepts a loss has no other majority to go by, and each voter has just promised anew.
    if (!choice.loss_possible) AddReminders(fencing, choice, reminders);
    items.push_back(Decide(std::move(it->second), choice));
    it = fencing_.erase(it);
  }
  const bool over = fencing_.empty();
  if (!over) {
    const bool some = std::ranges::any_of(fencing_, [](const auto& item) { return item.second.decidable.has_value(); });
    timer_ = context_.executor.After(some ? kFenceGrace : deadline_ - now, if_alive_([this] { Emit(); }));
  }
  // The next fence of those servers asks for the outcome.
  for (auto& [server, tablets] : reminders)
    context_.tablet_server_client.Fence(server, std::move(tablets), [](auto) {});
  if (!items.empty()) ready_(std::move(items), over);
}

void FenceRound::AddReminders(const Fencing& fencing, const PrimaryChoice& choice, Orders& orders) const {
  for (const FenceAnswer& answer : fencing.answers) {
    if (!IsShort(answer, fencing.had) || answer.lost || answer.server == choice.primary) continue;
    const Version had = fencing.had.at(answer.server);
    LOG(ERROR) << "tablet " << fencing.item.tablet << ": the log on " << answer.server << " ends at " << answer.last
               << ", and other servers remember that its disk had " << had << ", so it has lost a part of its log";
    idl::FenceTablet order;
    order.tabletId = static_cast<int64_t>(fencing.item.tablet.value);
    order.epoch = static_cast<int64_t>(fencing.item.epoch.value);
    order.__set_had(rpc::ToPosition(had));
    orders[answer.server].push_back(std::move(order));
  }
}

BatchItem FenceRound::Decide(Fencing fencing, const PrimaryChoice& choice) const {
  BatchItem item = std::move(fencing.item);
  if (!choice.primary) {
    if (!fencing.answers.empty()) item.status = Error(Code::kUnavailable, choice.reason);
    return item;
  }
  if (auto stale = context_.stale_catalog.Why(); stale && choice.anew) {  // its place may be another by now
    item.status = Error(Code::kUnavailable, *std::move(stale));
    return item;
  }
  const Epoch epoch_max = TabletEntry{.node = fencing.node, .version = 0}.epoch_max();
  // An entry of an epoch that the catalog never reached: it is older than the tablet, and knows its voters no more.
  for (const FenceAnswer& answer : fencing.answers) {
    if (answer.last.epoch <= epoch_max) continue;
    item.status = Error(Code::kUnavailable, "server " + answer.server + " has an entry of epoch " +
                                                std::to_string(answer.last.epoch.value) + ", which the catalog never " +
                                                "reached: was the coordinator restored from an older state?");
    return item;
  }
  if (choice.anew) {
    LOG(ERROR) << "tablet " << item.tablet << ", of a table in memory, starts again empty: " << choice.reason;
  } else if (choice.loss_possible) {
    LOG(ERROR) << "tablet " << item.tablet << " may have lost acknowledged writes: " << choice.reason;
  }
  Mandate& mandate = item.mandate;
  mandate.title = Title::kFenced;
  mandate.presumed = choice.presumed;
  mandate.anew = choice.anew;
  mandate.sole_log = choice.sole_log;
  mandate.loss_accepted = choice.loss_accepted;
  mandate.tablet_time_ms = choice.tablet_time_ms;
  if (mandate.tablet_time_ms == 0) {
    // Most servers' clocks may be ahead, as those of a rack with one bad source of time: records would expire early.
    const int64_t day_ms = std::min(choice.time_of_day_ms, context_.executor.TimeOfDayMs());
    mandate.time_of_day_ms = std::max(day_ms, fencing.node.merged.tabletTimeMs);
  }
  item.next = std::move(fencing.node);
  item.next->info.epoch = static_cast<int64_t>(item.epoch.value);
  item.next->info.primary = *choice.primary;
  if (choice.anew) {
    item.next->merged = {};  // no server can make it of the merged two any more, so their remains are orphans
    item.next->__isset.merged = false;
    ++item.next->timesEmptied;
    item.next->emptiedMs = context_.executor.TimeOfDayMs();
  }
  if (IsIn(*choice.primary, item.next->info.learners)) {  // it alone has the data
    std::erase(item.next->info.learners, *choice.primary);
    item.next->info.voters.push_back(*choice.primary);
  }
  if (choice.alone) {
    item.next->info.voters = {*choice.primary};
    item.next->info.learners.clear();
  }
  if (fencing.in_memory && choice.loss_possible) {
    const auto end = fencing.ends.find(*choice.primary);
    item.status = MendSplits(choice, end == fencing.ends.end() ? std::nullopt : std::optional(end->second), item);
    if (!item.status.ok()) {
      item.next.reset();
      return item;
    }
  }
  return item;
}

// Where the only log that is left lacks splits of the catalog, or there is none: those that are done are logged again;
// one that is under way is completed in the same change, as replicas may have applied it, and keep such places. Its
// child was led in the intent's epoch at most.
Status FenceRound::MendSplits(const PrimaryChoice& choice, const std::optional<std::string>& end,
                              BatchItem& item) const {
  const TabletEntry* tablet = context_.image().Tablet(item.tablet);
  if (!tablet || tablet->version != item.version) return Error(Code::kConditionFailed, "the catalog changed meanwhile");
  if (end && !choice.anew) {
    EBLA_ASSIGN(item.mandate.lost_splits, LostSplits(context_.image(), *tablet, *end));
  }
  for (const idl::LostSplit& split : item.mandate.lost_splits) {
    const TabletId child{static_cast<uint64_t>(split.childId)};
    if (!tablet->splitting() || child != tablet->child()) item.raised.push_back(child);
    LOG(WARNING) << "tablet " << item.tablet << ": the log of " << *choice.primary << " lacks that tablet " << child
                 << " was split off: it is logged again";
  }
  const bool lacks_it = tablet->splitting() && item.mandate.lost_splits.size() > item.raised.size();
  if (!tablet->splitting() || !(choice.anew || lacks_it)) return {};
  idl::TabletNode& parent = *item.next;
  idl::TabletNode child;
  child.info = parent.info;
  child.info.tabletId = parent.split.childId;
  child.info.range.startKey = parent.split.key;
  child.__set_parentId(parent.info.tabletId);
  parent.info.range.endKey = parent.split.key;
  parent.__isset.split = false;
  item.child = std::move(child);
  return {};
}

}  // namespace ebla::master
