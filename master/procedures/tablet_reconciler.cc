#include "master/procedures/tablet_reconciler.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/rpc/idl_convert.h"
#include "master/catalog/rules.h"
#include "master/catalog/table_rules.h"
#include "master/cluster/options.h"
#include "master/procedures/caught_up.h"
#include "master/procedures/procedure.h"

namespace ebla::master {
namespace {

// A dead server's thousands of tablets are not fenced one batch after another.
constexpr size_t kRunsPerServerMax = 16;
// A primary refuses writes for so long at the most while it brings its target level: little at first, twice as long
// each time that was not enough for this target, and less again each time it was.
constexpr int64_t kTransferPauseFirstMs = 25;
constexpr int64_t kTransferPauseMaxMs = 1'000;
constexpr int kDoublingsMax = 6;
// So many times as long as a pause that was not enough it then takes writes, before the next pause.
constexpr int kRestPerPause = 4;
// A primary answers so long after the pause at the latest, or hangs. Its silence must not delay the fence that its
// followers ask for, nor those of its other tablets.
constexpr Duration kTransferAnswerPatience = std::chrono::milliseconds(500);

// A change to a later epoch, and nothing else.
BatchItem SameMembers(const TabletEntry& tablet) {
  BatchItem item;
  item.tablet = tablet.id();
  item.mandate.title = Title::kMember;
  item.version = tablet.version;
  item.next = tablet.node;
  return item;
}

}  // namespace

TabletReconciler::TabletReconciler(const Context& context, OnChange on_change)
    : context_(context), on_change_(std::move(on_change)), needs_(context) {}

void TabletReconciler::ConsiderServer(const ServerName& server) {
  const std::set<TabletId> held = context_.image().HeldBy(server);
  for (const TabletId tablet : held) {
    // The world changed: no backoff from before counts.
    if (auto note = notes_.find(tablet); note != notes_.end()) {
      context_.executor.Cancel(note->second.retry);
      note->second.retry = {};
      note->second.failures = 0;
    }
    Consider(tablet);
  }
}

void TabletReconciler::Consider(TabletId id) {
  const TabletEntry* tablet = context_.image().Tablet(id);
  if (!tablet) return;
  static const TabletKnowledge nothing;
  auto found = notes_.find(id);
  if (found != notes_.end() && found->second.busy) return;
  const Need need = needs_.Of(*tablet, found == notes_.end() ? nothing : found->second.known);
  if (found != notes_.end() && found->second.retry) {
    // The rest is for writes, and without a primary there are none.
    if (!found->second.resting || need != Need::kFence) return;
    context_.executor.Cancel(std::exchange(found->second.retry, {}));
  }
  switch (need) {
    case Need::kNothing:
      // A transfer that failed left it where it was: all is well, and the next failure is the first.
      if (found != notes_.end() && found->second.failures > 0 && PrimaryLoad(*tablet) != nullptr)
        found->second.failures = 0;
      return;
    case Need::kWait: return RetryLater(id, notes_[id]);
    case Need::kConfigure:
    case Need::kFence:
    case Need::kTransfer:
    case Need::kTakeBack: break;
  }
  const ServerName& server = tablet->node.info.primary;
  ServerQueue& queue = queues_[server];
  if (queue.waiting.insert(id).second && queue.waiting.size() == 1) {
    // Posted, so that all that is considered in one go forms one batch.
    context_.executor.Post(if_alive_([this, server] { RunQueue(server); }));
  }
}

// ---- changes --------------------------------------------------------------------------------------------------------

const idl::TabletLoad* TabletReconciler::SettledLoad(const TabletEntry& tablet) const {
  return tablet.failovers_only() ? nullptr : PrimaryLoad(tablet);
}

const idl::TabletLoad* TabletReconciler::PrimaryLoad(const TabletEntry& tablet) const {
  const auto note = notes_.find(tablet.id());
  if (note != notes_.end() && (note->second.busy || note->second.retry)) return nullptr;
  if (tablet.creating() || context_.stale_catalog.Ahead(tablet.id())) return nullptr;
  return needs_.LeaderLoad(tablet, tablet.named());
}

PrimaryAt TabletReconciler::PrimaryOf(const TabletEntry& tablet) const {
  const auto note = notes_.find(tablet.id());
  return needs_.PrimaryOf(tablet, note == notes_.end() ? TabletKnowledge() : note->second.known);
}

void TabletReconciler::ChangeMembers(std::vector<BatchItem> items) {
  std::erase_if(items, [this](const BatchItem& item) {
    const TabletEntry* tablet = context_.image().Tablet(item.tablet);
    return !tablet || tablet->failovers_only();
  });
  StartChanges(std::move(items));
}

void TabletReconciler::StartChanges(std::vector<BatchItem> items) {
  std::map<ServerName, std::vector<BatchItem>> by_primary;
  for (BatchItem& item : items) {
    const TabletEntry* tablet = context_.image().Tablet(item.tablet);
    if (!tablet || tablet->version != item.version || !PrimaryLoad(*tablet)) continue;
    Note& note = notes_[item.tablet];
    note.busy = true;
    // Above what one that is removed has promised, too: it is dropped in this epoch.
    item.epoch = needs_.NextEpoch(*tablet, note.known);
    item.next->info.epoch = static_cast<int64_t>(item.epoch.value);
    if (item.mandate.title == Title::kTransferred) {
      idl::TransferIntent transfer;
      transfer.fromPrimary = tablet->node.info.primary;
      transfer.fromEpoch = tablet->node.info.epoch;
      transfer.toEpoch = item.next->info.epoch;
      item.next->__set_transfer(transfer);
      item.untold = rules::TargetWaitsForRelease();
    }
    by_primary[tablet->node.info.primary].push_back(std::move(item));
  }
  for (auto& [server, changes] : by_primary) StartBatch(server, std::move(changes));
}

void TabletReconciler::Outgrow(TabletId id, Epoch promised) {
  const TabletEntry* tablet = context_.image().Tablet(id);
  if (!tablet || tablet->epoch() >= promised) return;
  TabletKnowledge& known = notes_[id].known;
  known.fence_floor = std::max(known.fence_floor, promised);
  // A voter that has promised so much merges nothing in an earlier epoch, so an unfinished merge allows this change.
  if (tablet->merge_unfinished()) return StartChanges({SameMembers(*tablet)});
  ChangeMembers({SameMembers(*tablet)});
}

void TabletReconciler::NextEpochOf(TabletId id) {
  if (const TabletEntry* tablet = context_.image().Tablet(id)) StartChanges({SameMembers(*tablet)});
}

bool TabletReconciler::WantsFailover(const TabletEntry& tablet) const {
  const auto note = notes_.find(tablet.id());
  return needs_.WantsFailover(tablet, note == notes_.end() ? TabletKnowledge() : note->second.known);
}

void TabletReconciler::FenceFrom(TabletId id) {
  const TabletEntry* tablet = context_.image().Tablet(id);
  if (!tablet) return;
  notes_[id].known.fenced_from = tablet->epoch();
  Consider(id);
}

bool TabletReconciler::IsLed(const TabletEntry& tablet) const {
  const auto note = notes_.find(tablet.id());
  if (note != notes_.end() && note->second.known.led && note->second.known.epoch == tablet.epoch()) return true;
  const idl::TabletLoad* load = context_.servers.LoadOf(tablet.node.info.primary, tablet.id());
  return load && load->leading && load->epoch == tablet.node.info.epoch;
}

void TabletReconciler::NoteChildCreated(TabletId child) {
  const TabletEntry* tablet = context_.image().Tablet(child);
  const Server* primary = tablet ? context_.servers.Find(tablet->node.info.primary) : nullptr;
  if (!primary) return;
  TabletKnowledge& known = notes_[child].known;
  known.epoch = tablet->epoch();
  known.incarnation = primary->incarnation();
  // If the catalog's primary has changed, its fence no longer counts as the child's, too.
  const bool as_now = !rules::ChildIsAsSplitSays();
  known.led = !as_now;
  known.since = context_.executor.Now();
  known.mandate.title = as_now ? Title::kFenced : Title::kMember;
}

void TabletReconciler::NoteMerged(TabletId id) {
  const TabletEntry* tablet = context_.image().Tablet(id);
  const Server* primary = tablet ? context_.servers.Find(tablet->node.info.primary) : nullptr;
  if (!primary || !tablet->merge_unfinished()) return;
  TabletKnowledge& known = notes_[id].known;
  known.epoch = tablet->epoch();
  known.incarnation = primary->incarnation();
  known.since = context_.executor.Now();
  known.mandate = {
      .title = Title::kNew,
      .presumed = rpc::FromIdl(tablet->node.merged.position),
      .tablet_time_ms = tablet->node.merged.tabletTimeMs,
      .time_of_day_ms = known.mandate.time_of_day_ms,
  };
}

void TabletReconciler::Transfer(TabletId id, const ServerName& to, Done done) {
  const TabletEntry* tablet = context_.image().Tablet(id);
  const idl::TabletLoad* load = tablet ? SettledLoad(*tablet) : nullptr;
  if (tablet && PrimaryOf(*tablet).epoch != tablet->epoch()) {
    return done(Error(Code::kComeAgain, "tablet " + std::to_string(id.value) + " is being transferred, and server " +
                                            tablet->node.info.primary + " does not come level"));
  }
  if (!load || !context_.servers.IsLive(to)) {
    return done(Error(Code::kComeAgain,
                      "tablet " + std::to_string(id.value) + " or server " + to +
                          " is not settled at present: it needs a primary, and a majority of its voters live"));
  }
  // A target that has acknowledged this primary's log leads no older epoch, and will soon be level.
  if (!CaughtUp(*load, to)) {
    return done(Error(Code::kComeAgain, "server " + to + " is not level with " + tablet->node.info.primary +
                                            ", the primary of tablet " + std::to_string(id.value)));
  }
  waiters_[id] = std::move(done);
  BatchItem item = SameMembers(*tablet);
  item.mandate.title = Title::kTransferred;
  item.next->info.primary = to;
  StartChanges({std::move(item)});
}

void TabletReconciler::Recover(TabletId id, Recovery recovery, Done done) {
  auto before = recoveries_.extract(id);
  if (!before.empty()) before.mapped().second(Error(Code::kComeAgain, "a later request has replaced this one"));
  recoveries_[id] = {std::move(recovery), std::move(done)};
  if (const auto note = notes_.find(id); note == notes_.end() || !note->second.busy) BeginRecovery(id);
}

bool TabletReconciler::BeginRecovery(TabletId id) {
  auto wanted = recoveries_.extract(id);
  if (wanted.empty()) return false;
  auto& [recovery, done] = wanted.mapped();
  const TabletEntry* tablet = context_.image().Tablet(id);
  if (!tablet) {
    done(Error(Code::kNotFound, "the tablet is gone"));
    return false;
  }
  Note& note = notes_[id];
  context_.executor.Cancel(note.retry);
  note.retry = {};
  note.busy = true;
  waiters_[id] = std::move(done);
  StartRound(tablet->node.info.primary, {{.tablet = id,
                                          .floor = needs_.FenceFloor(*tablet, note.known),
                                          .before = needs_.FollowedOf(*tablet, note.known),
                                          .recovery = std::move(recovery)}});
  return true;
}

std::chrono::milliseconds TabletReconciler::TransferPause(const ServerName& to) const {
  const auto slow = slow_targets_.find(to);
  return std::chrono::milliseconds(
      std::min(kTransferPauseMaxMs, kTransferPauseFirstMs << (slow == slow_targets_.end() ? 0 : slow->second)));
}

void TabletReconciler::StartTransfers(const ServerName& server, std::vector<PendingTransfer> transfers) {
  std::vector<idl::TransferTablet> orders;
  Duration pause_max{0};
  for (const PendingTransfer& transfer : transfers) {
    idl::TransferTablet order;
    order.tabletId = static_cast<int64_t>(transfer.tablet.value);
    order.epoch = static_cast<int64_t>(transfer.released.value);
    order.target = transfer.to;
    TabletKnowledge& known = notes_[transfer.tablet].known;
    if (known.released_for != transfer.epoch) known.asked_since = context_.executor.Now();
    known.released_for = transfer.epoch;
    const std::chrono::milliseconds pause = TransferPause(transfer.to);
    order.patienceMs = pause.count();
    pause_max = std::max<Duration>(pause_max, pause);
    orders.push_back(std::move(order));
  }
  ++queues_[server].running;
  using Results = Result<std::map<TabletId, idl::FenceResult>>;
  auto answer = if_alive_([this, server, transfers = std::move(transfers),
                           answered = std::make_shared<bool>(false)](const Results& results) {
    if (!std::exchange(*answered, true)) OnTransfersAnswered(server, transfers, results);
  });
  // A late answer changes nothing, because the order is repeatable.
  context_.executor.After(pause_max + kTransferAnswerPatience, [answer, server]() mutable {
    answer(Error(Code::kUnavailable, "server " + server + " does not answer"));
  });
  context_.tablet_server_client.Transfer(server, std::move(orders), std::move(answer));
}

void TabletReconciler::OnTransfersAnswered(const ServerName& server, const std::vector<PendingTransfer>& transfers,
                                           const Result<std::map<TabletId, idl::FenceResult>>& results) {
  --queues_[server].running;
  std::vector<BatchItem> released;
  for (const PendingTransfer& transfer : transfers) {
    BatchItem item;
    item.tablet = transfer.tablet;
    item.status = results ? Error(Code::kUnknownOutcome, "no answer to the transfer") : results.error();
    const TabletEntry* tablet = context_.image().Tablet(transfer.tablet);
    const auto result = results ? results->find(transfer.tablet) : decltype(results->find({}))();
    if (results && result != results->end()) item.status = rpc::FromIdl(result->second.status);
    if (item.status.ok() && (!tablet || tablet->epoch() != transfer.epoch)) {
      item.status = Error(Code::kComeAgain, "the catalog changed meanwhile");
    }
    if (!item.status.ok()) {
      Note& note = notes_[transfer.tablet];
      if (item.status.code() == Code::kUnavailable && results) {
        note.retry_least = kRestPerPause * TransferPause(transfer.to);
        int& failed = slow_targets_[transfer.to];
        failed = std::min(failed + 1, kDoublingsMax);
      }
      if (!results) note.known.released_for = {};  // a primary that did not answer was not asked
      TakeResult(item);
      continue;
    }
    const auto slow = slow_targets_.find(transfer.to);
    if (slow != slow_targets_.end()) {
      slow->second /= 2;
      if (slow->second == 0) slow_targets_.erase(slow);
    }
    item.mandate.title = Title::kTransferred;
    item.mandate.presumed = rpc::FromIdl(result->second.lastAppended);
    item.mandate.tablet_time_ms = result->second.tabletTimeMs;
    item.epoch = transfer.epoch;
    released.push_back(std::move(item));
  }
  if (!released.empty()) StartBatch(server, std::move(released));
  RunQueue(server);
}

// ---- queues ---------------------------------------------------------------------------------------------------------

void TabletReconciler::RunQueue(const ServerName& server) {
  ServerQueue& queue = queues_[server];
  while (queue.running < kRunsPerServerMax && !queue.waiting.empty() && StartSome(server, queue)) {
  }
}

bool TabletReconciler::StartSome(const ServerName& server, ServerQueue& queue) {
  std::vector<FenceItem> fences;
  std::vector<BatchItem> repeats, changes;
  std::map<ServerName, std::vector<PendingTransfer>> transfers;  // by the previous primary
  size_t begun = 0;
  while (!queue.waiting.empty() && begun < kTabletsPerBatchMax) {
    const TabletId id = *queue.waiting.begin();
    queue.waiting.erase(queue.waiting.begin());
    const TabletEntry* tablet = context_.image().Tablet(id);
    if (!tablet || tablet->node.info.primary != server) continue;
    Note& note = notes_[id];
    if (note.busy) continue;
    const Need need = needs_.Of(*tablet, note.known);
    if (need == Need::kWait) RetryLater(id, note);
    if (need == Need::kNothing || need == Need::kWait) continue;
    ++begun;
    note.busy = true;
    if (need == Need::kTransfer) {
      transfers[tablet->previous().server].push_back(OpenTransferOf(*tablet));
    } else if (need == Need::kTakeBack) {
      LOG(WARNING) << "tablet " << id << " is not transferred to server " << server
                   << ", which does not come level or is gone: " << tablet->previous().server << " stays its primary";
      changes.push_back(TakeBack(*tablet, note.known));
    } else if (need == Need::kFence) {
      fences.push_back({.tablet = id,
                        .floor = needs_.FenceFloor(*tablet, note.known),
                        .before = needs_.FollowedOf(*tablet, note.known),
                        .suspect = needs_.PrimarySilent(*tablet, note.known)});
    } else {
      repeats.push_back(Repeat(*tablet, note.known));
    }
  }
  for (auto& [before, tablets] : transfers) StartTransfers(before, std::move(tablets));
  if (!fences.empty()) StartRound(server, std::move(fences));
  if (!repeats.empty()) StartBatch(server, std::move(repeats));
  if (!changes.empty()) StartBatch(server, std::move(changes));
  return begun > 0;
}

TabletReconciler::PendingTransfer TabletReconciler::OpenTransferOf(const TabletEntry& tablet) const {
  return {tablet.id(), tablet.node.info.primary, tablet.previous().epoch, tablet.epoch()};
}

// No server was told of the target's epoch, so the previous primary leads on, as after a change of members. If it has
// released the tablet after all, it refuses, and the master fences.
BatchItem TabletReconciler::TakeBack(const TabletEntry& tablet, const TabletKnowledge& known) const {
  BatchItem item = SameMembers(tablet);
  if (!rules::TakenBackByWhoLeads()) item.mandate.title = Title::kFenced;
  item.epoch = needs_.NextEpoch(tablet, known);
  item.next->info.epoch = static_cast<int64_t>(item.epoch.value);
  item.next->info.primary = tablet.previous().server;
  return item;
}

// Repeats the tablet's configuration as the catalog has it.
BatchItem TabletReconciler::Repeat(const TabletEntry& tablet, const TabletKnowledge& known) const {
  BatchItem item;
  item.tablet = tablet.id();
  item.epoch = tablet.epoch();
  if (known.epoch == tablet.epoch()) {
    item.mandate = known.mandate;
  } else {
    item.mandate.title = tablet.creating() ? Title::kNew : Title::kMember;
  }
  return item;
}

void TabletReconciler::StartRound(const ServerName& server, std::vector<FenceItem> items) {
  const uint64_t id = next_run_++;
  ++queues_[server].running;
  auto& round = rounds_[id] = std::make_unique<FenceRound>(
      context_, std::move(items), if_alive_([this, server, id](std::vector<BatchItem> ready, bool over) {
        OnFenced(server, id, std::move(ready), over);
      }));
  round->Start();
}

void TabletReconciler::OnFenced(const ServerName& server, uint64_t round, std::vector<BatchItem> items, bool over) {
  if (over) {
    --queues_[server].running;
    context_.executor.Post(if_alive_([this, round] { rounds_.erase(round); }));
  }
  std::vector<BatchItem> decided;
  for (BatchItem& item : items) {
    if (item.next) {
      decided.push_back(std::move(item));
    } else {
      TakeResult(item);
    }
  }
  if (!decided.empty()) StartBatch(server, std::move(decided));
  RunQueue(server);
}

void TabletReconciler::StartBatch(const ServerName& server, std::vector<BatchItem> items) {
  const uint64_t id = next_run_++;
  ++queues_[server].running;
  auto& batch = batches_[id] = std::make_unique<TabletBatch>(
      context_, std::move(items),
      if_alive_([this, server, id](std::vector<BatchItem> done) { OnBatch(server, id, std::move(done)); }));
  batch->Start();
}

void TabletReconciler::OnBatch(const ServerName& server, uint64_t batch, std::vector<BatchItem> items) {
  --queues_[server].running;
  context_.executor.Post(if_alive_([this, batch] { batches_.erase(batch); }));
  std::vector<TabletId> tablets;
  const auto failed_over = std::ranges::count_if(
      items, [](const BatchItem& item) { return item.mandate.title == Title::kFenced && item.led; });
  if (failed_over > 0)
    LOG(INFO) << failed_over << " tablets whose primary was server " << server << " have a primary again";
  std::vector<PendingTransfer> transfers;
  for (const BatchItem& item : items) {
    const TabletEntry* tablet = context_.image().Tablet(item.tablet);
    if (item.moved && item.untold && tablet) {
      transfers.push_back(OpenTransferOf(*tablet));  // the catalog names the target: now the primary is asked
      continue;
    }
    TakeResult(item);
    tablets.push_back(item.tablet);
    if (!item.moved) continue;
    for (const TabletId id : item.raised) Consider(id);
    if (item.child) Consider(TabletId{static_cast<uint64_t>(item.child->info.tabletId)});
  }
  if (!transfers.empty()) StartTransfers(server, std::move(transfers));
  RunQueue(server);
  on_change_(tablets);
}

void TabletReconciler::TakeResult(const BatchItem& item) {
  Note& note = notes_[item.tablet];
  TabletKnowledge& known = note.known;
  note.busy = false;
  known.fence_floor = std::max(known.fence_floor, item.promised);
  if (item.moved && !item.untold) {
    // A repeated order does not make reports old: they show whether the primary answers its followers.
    const bool repeated = known.epoch == item.epoch && known.incarnation == item.incarnation;
    if (item.led || !repeated) known.since = item.led ? context_.executor.Now() : item.told;
    known.epoch = item.epoch;
    known.incarnation = item.incarnation;
    known.led = item.led;
    known.refused = item.refused;
    known.mandate = item.mandate;
  }
  NotifyWaiter(item.tablet, item.status);
  if (BeginRecovery(item.tablet)) return;
  if (item.status.ok()) {
    note.failures = 0;
    VLOG(1) << "tablet " << item.tablet << " has a primary, epoch " << item.epoch;
    return;
  }
  if (note.failures % 20 == 5) LOG(WARNING) << "tablet " << item.tablet << " is not settled: " << item.status;
  RetryLater(item.tablet, note);
}

void TabletReconciler::NotifyWaiter(TabletId tablet, const Status& status) {
  auto waiter = waiters_.extract(tablet);
  if (!waiter.empty()) waiter.mapped()(status);
}

void TabletReconciler::RetryLater(TabletId tablet, Note& note) {
  ++note.failures;
  context_.executor.Cancel(note.retry);
  note.resting = note.retry_least > Duration{0};
  const Duration delay = std::max(BackoffDelay(note.failures, context_.executor), std::exchange(note.retry_least, {}));
  note.retry = context_.executor.After(delay, if_alive_([this, tablet] {
                                         auto found = notes_.find(tablet);
                                         if (found == notes_.end()) return;
                                         found->second.retry = {};
                                         Consider(tablet);
                                       }));
}

void TabletReconciler::ForgetGone() {
  std::erase_if(notes_, [&](auto& item) {
    if (item.second.busy || context_.image().Tablet(item.first)) return false;
    context_.executor.Cancel(item.second.retry);
    return true;
  });
}

size_t TabletReconciler::unsettled() const {
  return static_cast<size_t>(
      std::ranges::count_if(notes_, [](const auto& item) { return item.second.busy || item.second.failures > 0; }));
}

std::vector<TabletId> TabletReconciler::Unsettled() const {
  std::vector<TabletId> tablets;
  for (const auto& [id, note] : notes_) {
    if (note.busy || note.failures > 0) tablets.push_back(id);
  }
  return tablets;
}

std::string TabletReconciler::WhyUnsettled(const TabletEntry& tablet) const {
  if (SettledLoad(tablet)) return "";
  const idl::TabletInfo& info = tablet.node.info;
  if (tablet.splitting()) return "it is being split";
  if (context_.stale_catalog.Ahead(tablet.id()))
    return "a server reports a later epoch of it than the catalog has: see ebla cluster adopt";
  if (const PrimaryAt primary = PrimaryOf(tablet); primary.server != info.primary)
    return "its primary " + primary.server + " transfers it to " + info.primary;
  if (!needs_.MajorityLives(tablet)) {
    const size_t live = needs_.LiveVoters(tablet);
    return "of its " + std::to_string(info.voters.size()) + " voters only " + std::to_string(live) + " live";
  }
  if (!context_.servers.IsLive(info.primary)) return "its primary " + info.primary + " is not live: another is chosen";
  const Report* report = context_.servers.ReportOf(info.primary);
  if (!report || context_.executor.Now() - report->received > context_.options.report_fresh) {
    return "its primary " + info.primary + " does not report to the master at present";
  }
  return "its primary " + info.primary + " has not begun epoch " + std::to_string(info.epoch) + " with a majority yet";
}

}  // namespace ebla::master
