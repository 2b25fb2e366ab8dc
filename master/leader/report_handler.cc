#include "master/leader/report_handler.h"

#include <glog/logging.h>

#include <algorithm>
#include <memory>
#include <set>

#include "master/procedures/create_table.h"
#include "master/procedures/drop_orphans.h"
#include "master/procedures/finish_merge.h"
#include "master/procedures/merge_tablets.h"
#include "master/procedures/move_tablet.h"
#include "master/procedures/push_schema.h"
#include "master/procedures/split_tablet.h"

namespace ebla::master {

void ReportHandler::OnServerChange(const ServerName& server) {
  if (!begun_) return;
  parts_.reconciler.ConsiderServer(server);
  if (!parts_.servers().IsLive(server)) return;
  Consider(server);
  for (const auto& [name, table] : parts_.image().tables()) {
    if (table.node.state == idl::TableState::CREATING) parts_.runner.Wake(CreateTableName(name));
  }
}

void ReportHandler::OnTabletsChanged(const std::vector<TabletId>& tablets) {
  const Image& image = parts_.image();
  std::set<TableId> tables;
  for (const TabletId id : tablets) {
    parts_.runner.WakeAll(MovesOfTablet(id));
    if (const TabletEntry* tablet = image.Tablet(id)) tables.insert(tablet->table());
  }
  for (const TableId id : tables) {
    const TableEntry* table = image.Table(id);
    if (table && table->node.state == idl::TableState::CREATING) {
      parts_.runner.Wake(CreateTableName(table->node.schema.name));
    }
  }
  parts_.replication_manager.Changed(tablets);
}

void ReportHandler::ConsiderAll(const std::vector<ServerName>& forgotten) {
  for (const ServerName& name : forgotten) parts_.stale_catalog.Forget(name);
  std::vector<ServerName> names;
  for (const auto& [name, server] : parts_.servers().all()) names.push_back(name);
  for (const ServerName& name : names) Consider(name);
}

void ReportHandler::Consider(const ServerName& name) {
  const Report* report = parts_.servers().ReportOf(name);
  if (!begun_ || !report) return;
  parts_.stale_catalog.Update(parts_.image(), name, *report);
  if (const auto stale = parts_.stale_catalog.Why()) {
    LOG_EVERY_N(ERROR, 60) << "nothing is repaired or dropped: " << *stale;
  }
  WakePrimaries(name, *report);
  parts_.replication_manager.Reported(name);
  config_resender_.Consider(name);
  DropOrphansOf(name, *report);
  for (const idl::TabletLoad& load : report->body.tablets) WakeProcedures(load);
}

// The tablets that the server leads, should lead or should release, and those whose primary has fallen silent.
void ReportHandler::WakePrimaries(const ServerName& name, const Report& report) {
  for (const TabletId tablet : parts_.image().LedBy(name)) parts_.reconciler.Consider(tablet);
  for (const idl::TabletLoad& load : report.body.tablets) {
    const TabletId id{static_cast<uint64_t>(load.tabletId)};
    const TabletEntry* tablet = parts_.image().Tablet(id);
    const bool releases = tablet && tablet->by_transfer() && tablet->previous().server == name;
    if (load.primarySilent || releases) parts_.reconciler.Consider(id);
  }
}

void ReportHandler::DropOrphansOf(const ServerName& name, const Report& report) {
  const Orphans orphans = FindOrphans(parts_.image(), parts_.servers(), name, report);
  if (!orphans.empty() && !parts_.stale_catalog.Why()) {
    auto outgrow = [&reconciler = parts_.reconciler](TabletId tablet, Epoch promised) {
      reconciler.Outgrow(tablet, promised);
    };
    parts_.runner.Start(DropOrphansName(name), std::make_unique<DropOrphans>(parts_.context, name, outgrow));
  }
  if (orphans.unknown_ids == 0) return;
  LOG_EVERY_N(ERROR, 60) << "server " << name << " reports " << orphans.unknown_ids
                         << " tablets with ids that the catalog never assigned: was the coordinator restored from an "
                         << "older state? They are left alone";
  unknown_ids_ = std::max(unknown_ids_, orphans.unknown_ids);
}

void ReportHandler::WakeProcedures(const idl::TabletLoad& load) {
  const Image& image = parts_.image();
  const TabletId id{static_cast<uint64_t>(load.tabletId)};
  const TabletEntry* tablet = image.Tablet(id);
  if (tablet && tablet->splitting()) parts_.runner.Wake(SplitTabletName(id));
  const TabletEntry* part = tablet && tablet->merging() ? tablet : image.PartOf(id);
  if (part) {
    if (const auto two = NeighboursOf(image, {part->id()})) parts_.runner.Wake(MergeTabletsName(*two));
  }
  if (tablet && tablet->merge_unfinished()) parts_.runner.Wake(FinishMergeName(id));
  // Frozen for a merge that the catalog, restored from an older state, has forgotten: a later epoch ends it.
  const bool frozen = load.__isset.frozenInto && load.leading && tablet && load.epoch == tablet->node.info.epoch;
  if (frozen && !tablet->merging() && !parts_.stale_catalog.Why()) parts_.reconciler.NextEpochOf(id);
  const TabletId into = image.MergedInto(id);
  if (into) parts_.runner.Wake(FinishMergeName(into));
  const TableEntry* table = tablet ? image.Table(tablet->table()) : nullptr;
  if (!table || load.schemaVersion == 0 || load.schemaVersion >= table->node.schema.schemaVersion) return;
  const std::string& name = table->node.schema.name;
  if (!parts_.runner.Running(PushSchemaName(name))) tables_.PushSchemaOf(name);
}

}  // namespace ebla::master
