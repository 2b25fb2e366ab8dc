// tabletserver/shard_tablet.h
// One tablet as its shard holds it; private to shard*.cc.
#pragma once

#include <map>
#include <memory>

#include "tabletserver/shard.h"

namespace ebla::tabletserver {

struct Shard::Tablet {
  explicit Tablet(TabletId tablet) : id(tablet) {}

  const TabletId id;
  TableId table;
  std::unique_ptr<TabletCore> core;
  std::shared_ptr<TabletHandle> handle;   // null: no replica, and none being made
  KeyRange placed_range;                  // as in the directory
  std::multimap<Lsn, Awaiting> awaiting;
  std::shared_ptr<const TabletSchema> schema;  // that the handle was last told of
  size_t counted_overlay_bytes = 0;            // our part of ShardCounters::overlay_bytes
  bool dirty = false;                          // in dirty_
  bool removing = false;                       // in removals_ or removed_
  bool truncating = false;
};

// A tablet's output and what became of it in this round.
struct Shard::Taken {
  std::shared_ptr<Tablet> tablet;
  TabletOutput output;
  bool failed = false;  // the store did not take it: no flush
};

}  // namespace ebla::tabletserver
