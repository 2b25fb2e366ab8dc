// tabletserver/shard/shard_tablet.h
// One tablet as its shard holds it: the core, its place on this server, and what is under way on its data.
// Place:      shard_tablets.h makes it and holds it. A class keeps what it alone knows of a tablet. Fields that every
//             round reads are here, under the name of their class.
// Invariants: 1. One piece of work on the tablet's data is under way at a time (data_state.h).
//             2. Only its remover or its merge steps the core of a tablet that is leaving.
// Threads:    the shard's executor.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "common/base/key_range.h"
#include "tabletserver/reads/tablet_handle.h"
#include "tabletserver/shard/data_state.h"
#include "tabletserver/tablet/tablet_core.h"

namespace ebla::tabletserver {

// A read that waits for an entry to be applied (read_waiters.h).
struct AwaitingRead {
  MonotonicTime deadline;
  size_t loop = 0;
  std::move_only_function<void(Status)> done;
};

struct ShardTablet {
  explicit ShardTablet(TabletId tablet) : id(tablet) {}

  const TabletId id;
  TableId table;
  std::unique_ptr<TabletCore> core;
  std::shared_ptr<TabletHandle> handle;    // null: no replica, and none being made
  bool place_is_new = false;               // taken for a configuration that the replica has not accepted yet
  KeyRange placed_range;                   // as in the directory
  std::shared_ptr<const TabletView> view;  // as last published
  DataState data;                          // what is under way on it; shard_tablets.h has it take its events
  Lsn uncheckpointed;                      // a split or merge that no checkpoint has yet (lineage_checkpoints.h)

  // ---- of shard_tablets.h ----
  bool touched = false;                        // may have output
  size_t counted_unapplied_bytes = 0;          // its part of ShardCounters::unapplied_bytes
  std::shared_ptr<const TabletSchema> schema;  // that the handle was last told of

  // ---- of read_waiters.h ----
  std::multimap<Lsn, AwaitingRead> awaiting;
};
using ShardTabletPtr = std::shared_ptr<ShardTablet>;  // shared with flushes and background work under way

// A tablet's output, and what became of it in this round.
struct TakenOutput {
  ShardTabletPtr tablet;
  TabletOutput output;
  bool failed = false;            // the store did not take it: no flush
  std::optional<Status> flushed;  // within the round
};

}  // namespace ebla::tabletserver
