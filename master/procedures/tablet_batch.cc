#include "master/procedures/tablet_batch.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/rpc/idl_convert.h"

namespace ebla::master {
namespace {

// A server that has not answered by then is left to the next attempt; the stub's own patience is longer.
constexpr Duration kConfigurePatience = std::chrono::seconds(3);

// A refusal that no repetition changes, as against a server that is away or busy.
bool Final(Code code) {
  switch (code) {
    case Code::kComeAgain:
    case Code::kUnavailable:
    case Code::kUnknownOutcome:
    case Code::kDeadlineExceeded:
    case Code::kOverloaded:
    case Code::kInternal: return false;
    default: return true;
  }
}

}  // namespace

idl::ConfigureTablet ConfigureOrder(const Context& context, const TabletEntry& tablet, const TableEntry& table) {
  const idl::TabletInfo& info = tablet.node.info;
  idl::ConfigureTablet order;
  order.tabletId = info.tabletId;
  order.epoch = info.epoch;
  order.range = info.range;
  order.primary = info.primary;
  order.voters = info.voters;
  order.learners = info.learners;
  order.schema = table.node.schema;
  if (tablet.merge_unfinished()) order.__set_merged(tablet.node.merged);
  for (const auto* servers : {&info.voters, &info.learners}) {
    for (const ServerName& name : *servers) {
      const Server* server = context.servers.Find(name);
      if (server && server->last_live) order.endpoints[name] = server->last_live->endpoint;
    }
  }
  return order;
}

TabletBatch::TabletBatch(const Context& context, std::vector<BatchItem> items, Done done)
    : context_(context), items_(std::move(items)), done_(std::move(done)) {}

TabletBatch::~TabletBatch() { context_.executor.Cancel(timer_); }

void TabletBatch::Start() {
  if (std::ranges::any_of(items_, [](const BatchItem& item) { return item.next.has_value(); })) return Move();
  for (BatchItem& item : items_) {
    const TabletEntry* tablet = context_.image().Tablet(item.tablet);
    item.moved = tablet && tablet->epoch() == item.epoch && context_.image().LivingTable(*tablet);
    if (!item.moved) item.status = Error(Code::kConditionFailed, "the catalog changed meanwhile");
  }
  context_.executor.Post(if_alive_([this] { Configure(); }));
}

void TabletBatch::Move() {
  auto decide = [this](const Image& image) -> Result<Change> {
    Change change;
    std::set<TabletId> changed;
    for (const BatchItem& item : items_) {
      if (item.next) changed.insert(item.tablet);
    }
    for (BatchItem& item : items_) {
      const TabletEntry* tablet = image.Tablet(item.tablet);
      // If one Multi would change a tablet twice, the earlier change is made first.
      const bool twice = std::ranges::any_of(item.raised, [&](TabletId id) { return changed.contains(id); });
      if (!tablet || !image.LivingTable(*tablet)) {
        item.status = Error(Code::kNotFound, "the tablet is gone");
      } else if (!item.next) {
        item.moved = tablet->epoch() == item.epoch;
        item.status = item.moved ? Status() : Error(Code::kConditionFailed, "the catalog changed meanwhile");
      } else if (tablet->version != item.version || twice) {
        item.next.reset();
        item.status = Error(Code::kConditionFailed, "the catalog changed meanwhile");
      } else {
        change.PutTablet(*item.next);
        PutKin(item, image, change);
        changed.insert(item.raised.begin(), item.raised.end());
      }
    }
    return change;
  };
  context_.catalog.Commit(std::move(decide), if_alive_([this](Status status) {
                            for (BatchItem& item : items_) {
                              if (!item.next) continue;
                              item.moved = status.ok();
                              item.status = status;
                            }
                            Configure();
                          }));
}

// The children as the remaining log continues: at the place of their split in it, and no earlier.
void TabletBatch::PutKin(const BatchItem& item, const Image& image, Change& change) {
  if (item.child) change.PutTablet(*item.child);
  for (const TabletId id : item.raised) {
    const TabletEntry* kin = image.Tablet(id);
    if (!kin || kin->epoch() >= item.epoch) continue;
    idl::TabletNode node = kin->node;
    node.info.epoch = static_cast<int64_t>(item.epoch.value);
    change.PutTablet(std::move(node));
  }
}

idl::ConfigureTablet TabletBatch::Order(const BatchItem& item, const TabletEntry& tablet,
                                        const TableEntry& table) const {
  idl::ConfigureTablet order = ConfigureOrder(context_, tablet, table);
  const Mandate& mandate = item.mandate;
  order.fenced = mandate.title == Title::kNew || mandate.title == Title::kFenced;
  order.transfer = mandate.title == Title::kTransferred;
  order.born = tablet.creating();
  order.anew = mandate.anew;
  order.soleLog = mandate.sole_log;
  order.lossAccepted = mandate.loss_accepted;
  order.lostSplits = mandate.lost_splits;
  if (mandate.presumed != Version()) order.__set_presumed(rpc::ToPosition(mandate.presumed));
  if (mandate.tablet_time_ms > 0) order.__set_tabletTimeMs(mandate.tablet_time_ms);
  if (mandate.time_of_day_ms > 0) order.__set_timeOfDayMs(mandate.time_of_day_ms);
  return order;
}

void TabletBatch::Configure() {
  Orders primaries, others;
  for (BatchItem& item : items_) {
    const TabletEntry* tablet = context_.image().Tablet(item.tablet);
    const TableEntry* table = tablet ? context_.image().LivingTable(*tablet) : nullptr;
    if (!item.moved || item.untold || !table || tablet->epoch() != item.epoch) continue;
    const Server* primary = context_.servers.Find(tablet->node.info.primary);
    item.incarnation = primary ? primary->incarnation() : Incarnation{};
    item.told = context_.executor.Now();
    item.status = Error(Code::kUnavailable, "server " + tablet->node.info.primary + " does not answer");
    idl::ConfigureTablet order = Order(item, *tablet, *table);
    primaries[order.primary].push_back(order);
    order.__isset.presumed = false;
    order.anew = order.soleLog = order.lossAccepted = false;
    order.lostSplits.clear();
    order.born = order.born || context_.image().CreatedEmpty(*tablet);
    Telling& telling = telling_[item.tablet];
    telling.creating = tablet->creating();
    telling.voters = order.voters.size();
    for (const auto* servers : {&order.voters, &order.learners}) {
      for (const ServerName& server : *servers) {
        ++telling.unanswered;
        if (server != order.primary) others[server].push_back(order);
      }
    }
  }
  if (primaries.empty()) return Finish();
  timer_ = context_.executor.After(kConfigurePatience, if_alive_([this] { MarkServing(); }));
  SendOrders(std::move(primaries));
  SendOrders(std::move(others));
}

void TabletBatch::SendOrders(Orders orders) {
  for (auto& [server, tablets] : orders) {
    std::set<TabletId> ordered;
    for (const idl::ConfigureTablet& order : tablets) ordered.insert(TabletId{static_cast<uint64_t>(order.tabletId)});
    context_.tablet_server_client.Configure(server, std::move(tablets),
                                            if_alive_([this, server, ordered = std::move(ordered)](auto results) {
                                              OnConfigured(server, ordered, results);
                                            }));
  }
}

void TabletBatch::OnConfigured(const ServerName& server, const std::set<TabletId>& ordered, const Results& results) {
  if (marking_) return;  // too late
  for (BatchItem& item : items_) {
    if (ordered.contains(item.tablet)) TakeResult(item, server, results);
  }
  const bool settled = std::ranges::all_of(items_, [this](const BatchItem& item) {
    const auto telling = telling_.find(item.tablet);
    return telling == telling_.end() || telling->second.Settled();
  });
  if (settled) MarkServing();
}

void TabletBatch::TakeResult(BatchItem& item, const ServerName& server, const Results& results) {
  Telling& telling = telling_.at(item.tablet);
  --telling.unanswered;
  const TabletEntry* tablet = context_.image().Tablet(item.tablet);
  const bool current = tablet && tablet->epoch() == item.epoch;
  const bool primary = current && tablet->node.info.primary == server;
  telling.primary_answered = telling.primary_answered || primary || !current;
  if (!current) return;
  if (!results) {
    if (primary) item.status = results.error();
    return;
  }
  const auto result = results->find(item.tablet);
  if (result == results->end()) return;
  const Status status = rpc::FromIdl(result->second.status);
  if (status.ok() && IsIn(server, tablet->node.info.voters)) ++telling.obeyed;
  item.promised = std::max(item.promised, Epoch{static_cast<uint64_t>(result->second.promisedEpoch)});
  if (!primary) return;
  item.status = status;
  item.led = status.ok();
  item.refused = Final(status.code()) && !status.ok();
}

void TabletBatch::MarkServing() {
  if (std::exchange(marking_, true)) return;
  context_.executor.Cancel(timer_);
  const auto made = [this](const BatchItem& item) {
    const auto telling = telling_.find(item.tablet);
    return telling != telling_.end() && telling->second.obeyed > telling->second.voters / 2;
  };
  for (BatchItem& item : items_) {
    const TabletEntry* tablet = context_.image().Tablet(item.tablet);
    if (!item.led || !tablet || !tablet->creating() || made(item)) continue;
    item.status = Error(Code::kUnavailable, "no majority of its voters has been made");
  }
  const auto serves = [made](const BatchItem& item, const TabletEntry* tablet) {
    return item.led && tablet && tablet->creating() && tablet->epoch() == item.epoch && made(item);
  };
  const bool any = std::ranges::any_of(
      items_, [&](const BatchItem& item) { return serves(item, context_.image().Tablet(item.tablet)); });
  if (!any) return context_.executor.Post(if_alive_([this] { Finish(); }));
  auto decide = [this, serves](const Image& image) -> Result<Change> {
    Change change;
    for (const BatchItem& item : items_) {
      const TabletEntry* tablet = image.Tablet(item.tablet);
      if (!serves(item, tablet)) continue;
      idl::TabletNode node = tablet->node;
      node.info.state = idl::TabletState::SERVING;
      change.PutTablet(std::move(node));
    }
    return change;
  };
  context_.catalog.Commit(std::move(decide), if_alive_([this](Status status) {
                            if (!status.ok()) {
                              for (BatchItem& item : items_) item.status = item.led ? status : item.status;
                            }
                            Finish();
                          }));
}

void TabletBatch::Finish() {
  auto done = std::move(done_);
  done(std::move(items_));
}

}  // namespace ebla::master
