#include "master/procedures/stale_catalog_check.h"

#include <algorithm>

#include "master/procedures/drop_orphans.h"

namespace ebla::master {
namespace {

// Ahead of the catalog, a merged tablet is in its first epoch: a later one is in the catalog first.
bool IsBeyondMerge(const Image& image, TabletId into, const idl::TabletLoad& load) {
  const TabletEntry* part = image.PartOf(into);
  if (!part) return false;
  return !part->merges_ahead() || static_cast<uint64_t>(StaleCatalogCheck::EpochOf(load)) > part->into_epoch().value;
}

}  // namespace

int64_t StaleCatalogCheck::EpochOf(const idl::TabletLoad& load) { return std::max(load.epoch, load.lastEpoch); }

void StaleCatalogCheck::Update(const Image& image, const ServerName& server, const Report& report) {
  Found found;
  found.undrawn = UndrawnId(image, report);
  for (const idl::TabletLoad& load : report.body.tablets) {
    const TabletId id{static_cast<uint64_t>(load.tabletId)};
    const TabletEntry* tablet = image.Tablet(id);
    // For these intents, tablets are created first, and their replicas after them.
    if (!tablet && (image.NamedByIntent(id) || IsBeyondMerge(image, id, load))) found.undrawn = id.value;
    const TableEntry* table = tablet ? image.Table(tablet->table()) : nullptr;
    if (table && load.schemaVersion > table->node.schema.schemaVersion) found.schema = table->id();
    // If the merge that froze it was decided, another merge that thaws it would serve merged keys.
    const bool merged = load.__isset.frozenInto && static_cast<uint64_t>(load.frozenInto) >= image.next_id();
    if (tablet && (merged || static_cast<uint64_t>(EpochOf(load)) > tablet->epoch_max().value))
      found.ahead.insert(tablet->id());
  }
  for (const TabletId tablet : found.ahead) ++ahead_[tablet];
  Forget(server);
  if (!found.ahead.empty() || found.undrawn || found.schema) found_[server] = std::move(found);
}

void StaleCatalogCheck::Forget(const ServerName& server) {
  auto before = found_.extract(server);
  if (before.empty()) return;
  for (const TabletId tablet : before.mapped().ahead) {
    if (--ahead_[tablet] == 0) ahead_.erase(tablet);
  }
}

std::optional<std::string> StaleCatalogCheck::Why() const {
  if (found_.empty()) return std::nullopt;
  const auto& [server, found] = *found_.begin();
  std::string what;
  if (found.undrawn) {
    what = "id " + std::to_string(*found.undrawn) + ", which the catalog never assigned";
  } else if (!found.ahead.empty()) {
    what = "an epoch of tablet " + std::to_string(found.ahead.begin()->value) + " that the catalog never reached";
  } else {
    what = "a schema of table " + std::to_string(found.schema->value) + " that the catalog never saw";
  }
  return "server " + server + " reports " + what + ": was the coordinator (ZooKeeper) restored from an older state? " +
         "Put its newest state back, or add to the catalog what the servers hold: ebla cluster adopt";
}

}  // namespace ebla::master
