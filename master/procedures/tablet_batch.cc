#include "master/procedures/tablet_batch.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/rpc/idl_convert.h"

namespace ebla::master {
namespace {

// The table that the tablet may still serve, or null.
const TableEntry* LivingTable(const Image& image, const TabletEntry& tablet) {
  const TableEntry* table = image.Table(tablet.table());
  return table && table->node.state != idl::TableState::DROPPING ? table : nullptr;
}

bool Creating(const TabletEntry& tablet) { return tablet.node.info.state == idl::TabletState::CREATING; }

idl::LogPosition ToPosition(const Version& version) {
  idl::LogPosition position;
  position.epoch = static_cast<int64_t>(version.epoch.value);
  position.lsn = static_cast<int64_t>(version.lsn.value);
  return position;
}

// A refusal that no repetition changes, as against a server that is away or busy.
bool Final(Code code) {
  switch (code) {
    case Code::kComeAgain:
    case Code::kUnavailable:
    case Code::kUnknownOutcome:
    case Code::kDeadlineExceeded:
    case Code::kOverloaded:
    case Code::kInternal:
      return false;
    default:
      return true;
  }
}

}  // namespace

TabletBatch::TabletBatch(const Context& context, std::vector<BatchItem> items, Done done)
    : context_(context), items_(std::move(items)), done_(std::move(done)) {}

void TabletBatch::Start() {
  for (BatchItem& item : items_) {
    if (const TabletEntry* tablet = context_.image().Tablet(item.tablet)) {
      item.version = tablet->version;
      item.epoch = tablet->epoch();
      item.moved = !item.fence;
    } else {
      item.status = Error(Code::kNotFound, "the tablet is gone");
    }
  }
  Fence();
}

void TabletBatch::Fence() {
  std::map<ServerName, std::vector<idl::FenceTablet>> orders;
  for (BatchItem& item : items_) {
    const TabletEntry* tablet = context_.image().Tablet(item.tablet);
    if (!item.fence || !tablet) continue;
    item.epoch = std::max(tablet->epoch(), item.fence_floor).Next();
    item.status = Error(Code::kUnavailable, "no majority of its voters answers");
    idl::FenceTablet order;
    order.tabletId = static_cast<int64_t>(item.tablet.value);
    order.epoch = static_cast<int64_t>(item.epoch.value);
    for (const ServerName& voter : tablet->node.info.voters) orders[voter].push_back(order);
  }
  if (orders.empty()) return Configure();
  waiting_ = orders.size();
  for (auto& [server, tablets] : orders) {
    context_.link.Fence(server, std::move(tablets),
                        [self = shared_from_this(), server](auto results) { self->OnFenced(server, std::move(results)); });
  }
}

void TabletBatch::OnFenced(const ServerName& server, Result<std::map<TabletId, idl::FenceResult>> results) {
  for (BatchItem& item : items_) {
    if (!results) {
      if (item.fence) item.status = results.error();
    } else if (auto found = results->find(item.tablet); found != results->end()) {
      TakeAnswer(item, server, found->second);
    }
  }
  if (--waiting_ == 0) Choose();
}

void TabletBatch::TakeAnswer(BatchItem& item, const ServerName& server, const idl::FenceResult& result) {
  if (result.status.code != idl::Code::OK) {
    item.status = rpc::FromIdl(result.status);
    item.promised = std::max(item.promised, Epoch{static_cast<uint64_t>(result.promisedEpoch)});
    return;
  }
  FenceAnswer answer;
  answer.server = server;
  answer.last = {Epoch{static_cast<uint64_t>(result.lastAppended.epoch)},
                 Lsn{static_cast<uint64_t>(result.lastAppended.lsn)}};
  answer.known = result.known;
  answer.incomplete = result.incomplete;
  answer.forgetful = result.forgetful;
  answer.tablet_time_ms = result.tabletTimeMs;
  item.answers.push_back(std::move(answer));
}

void TabletBatch::Choose() {
  for (BatchItem& item : items_) {
    const TabletEntry* tablet = context_.image().Tablet(item.tablet);
    if (!item.fence || !tablet) continue;
    item.choice = ChoosePrimary(tablet->node.info.voters, item.answers, Creating(*tablet));
    if (!item.choice->primary) {
      if (!item.answers.empty()) item.status = Error(Code::kUnavailable, item.choice->reason);
      continue;
    }
    if (item.choice->loss_possible) {
      LOG(ERROR) << "tablet " << item.tablet << " may have lost acknowledged writes: " << item.choice->reason;
    }
  }
  Move();
}

void TabletBatch::Move() {
  auto decide = [self = shared_from_this()](const Image& image) -> Result<Change> {
    Change change;
    for (BatchItem& item : self->items_) {
      if (!item.fence || !item.choice || !item.choice->primary) continue;
      const TabletEntry* tablet = image.Tablet(item.tablet);
      if (!tablet || tablet->version != item.version || !LivingTable(image, *tablet)) {
        item.choice.reset();
        item.status = Error(Code::kConditionFailed, "the catalog changed meanwhile");
        continue;
      }
      idl::TabletNode node = tablet->node;
      node.info.epoch = static_cast<int64_t>(item.epoch.value);
      node.info.primary = *item.choice->primary;
      change.PutTablet(std::move(node));
    }
    return change;
  };
  context_.catalog.Commit(std::move(decide), [self = shared_from_this()](Status status) {
    for (BatchItem& item : self->items_) {
      if (!item.fence || !item.choice || !item.choice->primary) continue;
      item.moved = status.ok();
      item.status = status;
      if (!status.ok()) item.choice.reset();
    }
    self->Configure();
  });
}

idl::ConfigureTablet TabletBatch::Order(const BatchItem& item, const TabletEntry& tablet,
                                        const TableEntry& table) const {
  const idl::TabletInfo& info = tablet.node.info;
  idl::ConfigureTablet order;
  order.tabletId = info.tabletId;
  order.epoch = info.epoch;
  order.range = info.range;
  order.primary = info.primary;
  order.voters = info.voters;
  order.learners = info.learners;
  order.schema = table.node.schema;
  // Nobody can have promised a higher epoch of an id that was just drawn: its first epoch counts as fenced.
  order.fenced = true;
  order.born = Creating(tablet);
  if (item.choice) {
    order.__set_presumed(ToPosition(item.choice->presumed));
    if (item.choice->tablet_time_ms > 0) order.__set_tabletTimeMs(item.choice->tablet_time_ms);
  }
  for (const auto* servers : {&info.voters, &info.learners}) {
    for (const ServerName& name : *servers) {
      const Server* server = context_.servers.Find(name);
      if (server && server->last_live) order.endpoints[name] = server->last_live->endpoint;
    }
  }
  return order;
}

void TabletBatch::Configure() {
  std::map<ServerName, std::vector<idl::ConfigureTablet>> orders;
  for (BatchItem& item : items_) {
    const TabletEntry* tablet = context_.image().Tablet(item.tablet);
    const TableEntry* table = tablet ? LivingTable(context_.image(), *tablet) : nullptr;
    if (!item.moved || !table || tablet->epoch() != item.epoch) continue;
    const Server* primary = context_.servers.Find(tablet->node.info.primary);
    item.incarnation = primary ? primary->incarnation() : Incarnation{};
    item.status = Error(Code::kUnavailable, "server " + tablet->node.info.primary + " does not answer");
    const idl::ConfigureTablet order = Order(item, *tablet, *table);
    for (const auto* servers : {&order.voters, &order.learners}) {
      for (const ServerName& server : *servers) orders[server].push_back(order);
    }
  }
  if (orders.empty()) return Finish();
  waiting_ = orders.size();
  for (auto& [server, tablets] : orders) {
    context_.link.Configure(server, std::move(tablets), [self = shared_from_this(), server](auto results) {
      self->OnConfigured(server, std::move(results));
    });
  }
}

void TabletBatch::OnConfigured(const ServerName& server, Result<std::map<TabletId, idl::ConfigureResult>> results) {
  for (BatchItem& item : items_) {
    const TabletEntry* tablet = context_.image().Tablet(item.tablet);
    if (!item.moved || !tablet || tablet->node.info.primary != server || tablet->epoch() != item.epoch) continue;
    if (!results) {
      item.status = results.error();
    } else if (auto found = results->find(item.tablet); found != results->end()) {
      item.status = rpc::FromIdl(found->second.status);
      item.promised = std::max(item.promised, Epoch{static_cast<uint64_t>(found->second.promisedEpoch)});
      item.led = item.status.ok();
      item.refused = Final(item.status.code()) && !item.led;
    }
  }
  if (--waiting_ == 0) MarkServing();
}

void TabletBatch::MarkServing() {
  auto decide = [self = shared_from_this()](const Image& image) -> Result<Change> {
    Change change;
    for (const BatchItem& item : self->items_) {
      const TabletEntry* tablet = image.Tablet(item.tablet);
      if (!item.led || !tablet || !Creating(*tablet) || tablet->epoch() != item.epoch) continue;
      idl::TabletNode node = tablet->node;
      node.info.state = idl::TabletState::SERVING;
      change.PutTablet(std::move(node));
    }
    return change;
  };
  context_.catalog.Commit(std::move(decide), [self = shared_from_this()](Status status) {
    if (!status.ok()) {
      for (BatchItem& item : self->items_) item.status = item.led ? status : item.status;
    }
    self->Finish();
  });
}

void TabletBatch::Finish() {
  auto done = std::move(done_);
  done(std::move(items_));
}

}  // namespace ebla::master
