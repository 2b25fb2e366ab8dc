#include "master/procedures/tablet_steward.h"

#include <glog/logging.h>

#include <algorithm>

#include "master/options.h"
#include "master/procedures/procedure.h"

namespace ebla::master {

TabletSteward::TabletSteward(const Context& context, std::function<void(TableId)> on_change)
    : context_(context), on_change_(std::move(on_change)) {}

void TabletSteward::ConsiderServer(const ServerName& server) {
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

void TabletSteward::Consider(TabletId id) {
  const TabletEntry* tablet = context_.image().Tablet(id);
  if (!tablet) return;
  static const Note fresh;
  auto found = notes_.find(id);
  if (found != notes_.end() && (found->second.in_batch || found->second.retry)) return;
  switch (NeedOf(*tablet, found == notes_.end() ? fresh : found->second)) {
    case Need::kNothing:
      return;
    case Need::kWait:
      return RetryLater(id, notes_[id]);
    case Need::kReassign:
      return Reassign(id);
    case Need::kConfigure:
    case Need::kFence:
      break;
  }
  const ServerName& server = tablet->node.info.primary;
  Lane& lane = lanes_[server];
  if (lane.waiting.insert(id).second && lane.waiting.size() == 1 && !lane.busy) {
    // Posted, so that all that is considered in one go forms one batch.
    context_.executor.Post(guard_([this, server] { Pump(server); }));
  }
}

TabletSteward::Need TabletSteward::NeedOf(const TabletEntry& tablet, const Note& note) const {
  const TableEntry* table = context_.image().Table(tablet.table());
  if (!table || table->node.state == idl::TableState::DROPPING) return Need::kNothing;
  const Server* server = context_.servers.Find(tablet.node.info.primary);
  const bool creating = tablet.node.info.state == idl::TabletState::CREATING;
  if (!server || !server->live) {
    if (!creating) return Need::kNothing;  // its data is there and nowhere else
    const bool given_up = !server || context_.executor.Now() - server->changed >= context_.options.reassign_after;
    return given_up ? Need::kReassign : Need::kWait;
  }
  const bool noted = note.epoch == tablet.epoch() && note.incarnation == server->incarnation();
  if (creating) return note.refused && note.epoch == tablet.epoch() ? Need::kFence : Need::kConfigure;
  if (noted && !note.led && !note.refused) return Need::kConfigure;  // this master's compare-and-set: say it again
  return NeedOfServing(tablet, note, *server);
}

TabletSteward::Need TabletSteward::NeedOfServing(const TabletEntry& tablet, const Note& note,
                                                 const Server& server) const {
  const Report* report = server.CurrentReport();
  if (!report) return Need::kNothing;  // its first heartbeat will tell
  const idl::TabletLoad* load = report->Find(tablet.id());
  if (load && load->leading && load->epoch == tablet.node.info.epoch) return Need::kNothing;
  const bool led_lately = note.led && note.epoch == tablet.epoch() && note.incarnation == server.incarnation() &&
                          report->received < note.since + context_.options.report_lag;
  return led_lately ? Need::kNothing : Need::kFence;
}

void TabletSteward::Pump(const ServerName& server) {
  Lane& lane = lanes_[server];
  std::vector<BatchItem> items;
  while (!lane.busy && !lane.waiting.empty() && items.size() < kTabletsPerBatchMax) {
    const TabletId id = *lane.waiting.begin();
    lane.waiting.erase(lane.waiting.begin());
    const TabletEntry* tablet = context_.image().Tablet(id);
    if (!tablet) continue;
    Note& note = notes_[id];
    const Need need = NeedOf(*tablet, note);
    if (tablet->node.info.primary != server || (need != Need::kConfigure && need != Need::kFence)) continue;
    note.in_batch = true;
    BatchItem item;
    item.tablet = id;
    item.fence = need == Need::kFence;
    item.fence_floor = note.fence_floor;
    if (!item.fence && note.epoch == tablet->epoch()) item.choice = note.choice;
    items.push_back(std::move(item));
  }
  if (items.empty()) return;
  lane.busy = true;
  std::make_shared<TabletBatch>(context_, std::move(items), guard_([this, server](std::vector<BatchItem> done) {
                                  OnBatch(server, std::move(done));
                                }))
      ->Start();
}

void TabletSteward::OnBatch(const ServerName& server, std::vector<BatchItem> items) {
  lanes_[server].busy = false;
  std::set<TableId> tables;
  const auto regained = std::ranges::count_if(items, [](const BatchItem& i) { return i.fence && i.status.ok(); });
  if (regained > 0) LOG(INFO) << "server " << server << " leads " << regained << " of its tablets again";
  for (const BatchItem& item : items) {
    TakeResult(item);
    if (const TabletEntry* tablet = context_.image().Tablet(item.tablet)) tables.insert(tablet->table());
  }
  Pump(server);
  for (const TableId table : tables) on_change_(table);
}

void TabletSteward::TakeResult(const BatchItem& item) {
  Note& note = notes_[item.tablet];
  note.in_batch = false;
  note.fence_floor = std::max(note.fence_floor, item.promised);
  if (item.moved) {
    note.epoch = item.epoch;
    note.incarnation = item.incarnation;
    note.led = item.led;
    note.refused = item.refused;
    note.since = context_.executor.Now();
    note.choice = item.choice;
  }
  if (item.status.ok()) {
    note.failures = 0;
    VLOG_IF(1, item.fence) << "tablet " << item.tablet << " is led again, epoch " << item.epoch;
    return;
  }
  if (note.failures % 20 == 5) LOG(WARNING) << "tablet " << item.tablet << " is not led: " << item.status;
  RetryLater(item.tablet, note);
}

void TabletSteward::RetryLater(TabletId tablet, Note& note) {
  ++note.failures;
  note.retry = context_.executor.After(BackoffDelay(note.failures, context_.executor), guard_([this, tablet] {
                                         auto found = notes_.find(tablet);
                                         if (found == notes_.end()) return;
                                         found->second.retry = {};
                                         Consider(tablet);
                                       }));
}

void TabletSteward::Reassign(TabletId id) {
  Note& note = notes_[id];
  note.in_batch = true;
  auto decide = [this, id](const Image& image) -> Result<Change> {
    const TabletEntry* tablet = image.Tablet(id);
    Change change;
    if (!tablet || tablet->node.info.state != idl::TabletState::CREATING) return change;
    EBLA_ASSIGN(const auto placed, PlaceNewTablets(ViewCluster(image, context_.servers), 1));
    idl::TabletNode node = tablet->node;
    LOG(WARNING) << "tablet " << id << ", still being created, goes from " << node.info.primary << ", which is away, to "
                 << placed[0].server;
    node.info.primary = placed[0].server;
    node.info.voters = {placed[0].server};
    // The epoch that the lost server may know is over: what it made of it is dropped when it comes back.
    ++node.info.epoch;
    change.PutTablet(std::move(node));
    return change;
  };
  context_.catalog.Commit(std::move(decide), guard_([this, id](Status) {
                            Note& note = notes_[id];
                            note.in_batch = false;
                            RetryLater(id, note);
                          }));
}

void TabletSteward::ForgetGone() {
  std::erase_if(notes_, [&](auto& item) {
    if (item.second.in_batch || context_.image().Tablet(item.first)) return false;
    context_.executor.Cancel(item.second.retry);
    return true;
  });
}

size_t TabletSteward::unsettled() const {
  return static_cast<size_t>(std::ranges::count_if(
      notes_, [](const auto& item) { return item.second.in_batch || item.second.failures > 0; }));
}

}  // namespace ebla::master
