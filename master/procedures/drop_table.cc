#include "master/procedures/drop_table.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::master {

std::string DropTableName(const std::string& table) { return "drop table " + table; }

Result<Change> MarkDropping(const Image& image, const std::string& name) {
  const TableEntry* table = image.Table(name);
  if (!table || table->node.state == idl::TableState::DROPPING) {
    return NoTable(name);
  }
  idl::TableNode node = table->node;
  node.state = idl::TableState::DROPPING;
  node.pendingSplitPoints.clear();
  Change change;
  change.PutTable(std::move(node));
  return change;
}

DropTable::DropTable(const Context& context, std::string table, OnGone on_gone)
    : context_(context), name_(std::move(table)), on_gone_(std::move(on_gone)) {}

void DropTable::Step(coordination::Callback<Progress> done) {
  const TableEntry* table = context_.image().Table(name_);
  if (!table || table->node.state != idl::TableState::DROPPING) {
    on_gone_(table_, former_holders_);
    return done(Progress::Done());
  }
  if (!holders_known_) FindHolders(*table);
  if (DropReplicas(done)) return;
  EraseNodes(std::move(done));
}

void DropTable::FindHolders(const TableEntry& table) {
  holders_known_ = true;
  table_ = table.id();
  for (const auto& [start, id] : context_.image().TabletsOf(table_)) {
    const TabletEntry& tablet = *context_.image().Tablet(id);
    for (const auto* servers : {&tablet.node.info.voters, &tablet.node.info.learners}) {
      for (const ServerName& server : *servers) {
        holders_[server].left[id] = tablet.epoch_max().Next();
        // It may be there ahead of the catalog.
        if (tablet.merges_ahead()) holders_[server].left[tablet.into()] = tablet.into_epoch().Next();
      }
    }
  }
  for (const auto& [server, holder] : holders_) former_holders_.insert(server);
}

// True when orders were sent, whose end calls done.
bool DropTable::DropReplicas(coordination::Callback<Progress>& done) {
  std::map<ServerName, std::vector<idl::DropTablet>> orders;
  for (auto& [server, holder] : holders_) {
    if (!context_.servers.IsLive(server) || holder.failures >= kAttemptsMax) continue;
    for (const auto& [tablet, epoch] : holder.left) {
      if (orders[server].size() == kTabletsPerOrderMax) break;
      idl::DropTablet order;
      order.tabletId = static_cast<int64_t>(tablet.value);
      order.epoch = static_cast<int64_t>(epoch.value);
      orders[server].push_back(order);
    }
  }
  std::erase_if(orders, [](const auto& item) { return item.second.empty(); });
  if (orders.empty()) return false;
  done_ = std::move(done);
  waiting_ = orders.size();
  for (auto& [server, tablets] : orders) {
    context_.tablet_server_client.Drop(
        server, std::move(tablets), if_alive_([this, server](auto results) { OnDropped(server, std::move(results)); }));
  }
  return true;
}

void DropTable::OnDropped(const ServerName& server, Result<std::map<TabletId, idl::ConfigureResult>> results) {
  Holder& holder = holders_[server];
  bool progress = false;
  if (results) {
    for (const auto& [tablet, result] : *results) {
      if (result.status.code == idl::Code::OK || result.status.code == idl::Code::NOT_FOUND) {
        progress = holder.left.erase(tablet) > 0 || progress;
      } else if (auto left = holder.left.find(tablet); left != holder.left.end()) {
        // The server promised an epoch that never began; the table is dropped nevertheless.
        left->second = std::max(left->second, Epoch{static_cast<uint64_t>(result.promisedEpoch)});
      }
    }
  }
  holder.failures = progress ? 0 : holder.failures + 1;
  if (holder.failures == kAttemptsMax) {
    LOG(WARNING) << "server " << server << " does not drop " << holder.left.size() << " replicas of table " << name_
                 << "; they go when it reports them";
  }
  if (--waiting_ > 0) return;
  const bool stuck = std::ranges::any_of(
      holders_, [](const auto& item) { return item.second.failures > 0 && item.second.failures < kAttemptsMax; });
  auto done = std::move(done_);
  done(stuck ? Progress::Later(Error(Code::kUnavailable, "a server does not answer")) : Progress::Again());
}

void DropTable::EraseNodes(coordination::Callback<Progress> done) {
  auto decide = [this](const Image& image) -> Result<Change> {
    Change change;
    const TableEntry* table = image.Table(name_);
    if (!table || table->node.state != idl::TableState::DROPPING) return change;
    size_t left = image.TabletsOf(table->id()).size();
    for (const auto& [start, tablet] : image.TabletsOf(table->id())) {
      if (change.full()) break;
      change.EraseTablet(tablet);
      --left;
    }
    if (left == 0) change.EraseTable(name_);
    return change;
  };
  context_.catalog.Commit(std::move(decide), if_alive_([done = std::move(done)](Status status) mutable {
                            done(status.ok() ? Progress::Again() : Progress::Later(std::move(status)));
                          }));
}

}  // namespace ebla::master
