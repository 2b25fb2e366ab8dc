#include "master/procedures/drop_orphans.h"

#include <glog/logging.h>

#include <algorithm>

#include "master/catalog/rules.h"
#include "master/catalog/table_rules.h"

namespace ebla::master {
namespace {

constexpr size_t kTabletsPerOrderMax = 256;

// Frozen for a tablet that has not as many voters as its table wants: adopted from one that alone had merged what it
// was made of (PROTOCOL 24), it has no other copy than these.
bool LastCopy(const Image& image, const idl::TabletLoad& load) {
  if (!load.__isset.frozenInto || !rules::MergedPartsAreNoOrphans()) return false;
  const TabletEntry* into = image.Tablet(TabletId{static_cast<uint64_t>(load.frozenInto)});
  const TableEntry* table = into ? image.LivingTable(*into) : nullptr;
  return table && into->node.info.voters.size() < ReplicasOf(table->node.schema);
}

// The server's disk has forgotten a tablet that no other server leads. If two tablets of one replica were merged to it,
// lost replicas of these two may be the last copy.
bool HasForgotten(const Image& image, const Servers& servers, const ServerName& server, const Report& report) {
  return std::ranges::any_of(image.HeldBy(server), [&](TabletId id) {
    const TabletEntry* tablet = image.Tablet(id);
    return tablet && !report.Find(id) && !servers.Leads(tablet->node.info.primary, id, tablet->epoch());
  });
}

}  // namespace

std::string DropOrphansName(const ServerName& server) { return "drop orphans of server " + server; }

std::optional<uint64_t> UndrawnId(const Image& image, const Report& report) {
  uint64_t greatest = 0;
  for (const idl::TabletLoad& load : report.body.tablets) {
    greatest = std::max(greatest, static_cast<uint64_t>(load.tabletId));
    if (load.__isset.frozenInto) greatest = std::max(greatest, static_cast<uint64_t>(load.frozenInto));
    if (load.__isset.lastSplit) greatest = std::max(greatest, static_cast<uint64_t>(load.lastSplit.childId));
  }
  for (const int64_t table : report.body.tables) greatest = std::max(greatest, static_cast<uint64_t>(table));
  return greatest >= image.next_id() ? std::optional(greatest) : std::nullopt;
}

Orphans FindOrphans(const Image& image, const Servers& servers, const ServerName& server, const Report& report) {
  Orphans orphans;
  for (const idl::TabletLoad& load : report.body.tablets) {
    const TabletId id{static_cast<uint64_t>(load.tabletId)};
    const TabletEntry* tablet = image.Tablet(id);
    if (tablet && tablet->HeldBy(server)) continue;
    if (id.value >= image.next_id()) {
      ++orphans.unknown_ids;
      continue;
    }
    if (!tablet && (image.NamedByIntent(id) || image.NamedBySplit(id) || image.NamedByMerge(id))) continue;
    // This server may yet have to create a replica of the merged tablet.
    if (image.MergedInto(id) && rules::MergedPartsAreNoOrphans()) continue;
    if (!tablet && LastCopy(image, load)) continue;
    if (!tablet && load.lost && HasForgotten(image, servers, server, report)) continue;
    idl::DropTablet order;
    order.tabletId = load.tabletId;
    // The configuration that removed it: the catalog's where it still has one, else one past all it can have had.
    order.epoch = tablet ? tablet->node.info.epoch : load.epoch + 1;
    for (const TabletId child : image.ChildrenOf(id)) order.splits.push_back(static_cast<int64_t>(child.value));
    orphans.replicas.push_back(order);
  }
  for (const int64_t number : report.body.tables) {
    const TableId id{static_cast<uint64_t>(number)};
    if (id.value >= image.next_id()) {
      ++orphans.unknown_ids;
      continue;
    }
    const bool replica_left = !orphans.replicas.empty();  // their table is not said: first they, then the data
    if (!image.Table(id) && !replica_left) orphans.tables.push_back(id);
  }
  return orphans;
}

DropOrphans::DropOrphans(const Context& context, ServerName server, Outgrow outgrow)
    : context_(context), server_(std::move(server)), outgrow_(std::move(outgrow)) {}

void DropOrphans::Step(coordination::Callback<Progress> done) {
  done_ = std::move(done);
  context_.catalog.Confirm(if_alive_([this](Status status) {
    if (status.ok()) return Drop();
    auto done = std::move(done_);
    done(Progress::Later(std::move(status)));
  }));
}

void DropOrphans::Drop() {
  const Report* report = context_.servers.ReportOf(server_);
  Orphans orphans = report ? FindOrphans(context_.image(), context_.servers, server_, *report) : Orphans();
  if (orphans.replicas.empty()) return ClearTables(std::move(orphans.tables), {});
  if (orphans.replicas.size() > kTabletsPerOrderMax) orphans.replicas.resize(kTabletsPerOrderMax);
  for (idl::DropTablet& order : orphans.replicas) {
    const TabletId id{static_cast<uint64_t>(order.tabletId)};
    // A promise for a tablet that no longer exists has no effect; if the catalog has the tablet, its epoch counts.
    if (!context_.image().Tablet(id)) {
      order.epoch = std::max(order.epoch, static_cast<int64_t>(promised_[id].value));
    }
    LOG(WARNING) << "server " << server_ << " holds a replica of tablet " << order.tabletId
                 << ", which the catalog does not give it: dropping it at epoch " << order.epoch;
  }
  context_.tablet_server_client.Drop(server_, std::move(orphans.replicas),
                                     if_alive_([this](auto results) { OnDropped(std::move(results)); }));
}

void DropOrphans::OnDropped(Result<std::map<TabletId, idl::ConfigureResult>> results) {
  auto done = std::move(done_);
  if (!results) return done(Progress::Later(std::move(results.error())));
  Status refusal;
  for (const auto& [tablet, result] : *results) {
    if (result.status.code == idl::Code::OK || result.status.code == idl::Code::NOT_FOUND) continue;
    promised_[tablet] = Epoch{static_cast<uint64_t>(result.promisedEpoch)};
    if (context_.image().Tablet(tablet)) outgrow_(tablet, promised_[tablet]);
    refusal = Error(Code::kUnavailable, "tablet " + std::to_string(tablet.value) + ": " + result.status.message);
  }
  // Done even where more is left: the next heartbeat shows it and starts this again.
  done(refusal.ok() ? Progress::Done() : Progress::Later(std::move(refusal)));
}

void DropOrphans::ClearTables(std::vector<TableId> tables, Status status) {
  if (tables.empty() || !status.ok()) {
    auto done = std::move(done_);
    return done(status.ok() ? Progress::Done() : Progress::Later(std::move(status)));
  }
  const TableId table = tables.back();
  tables.pop_back();
  context_.tablet_server_client.DropTableData(server_, table,
                                              if_alive_([this, tables = std::move(tables)](Status status) mutable {
                                                ClearTables(std::move(tables), std::move(status));
                                              }));
}

}  // namespace ebla::master
