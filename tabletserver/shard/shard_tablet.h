// tabletserver/shard/shard_tablet.h
// One tablet as its shard holds it, and its copies; private to shard*.cc.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "tabletserver/shard/shard.h"
#include "tabletserver/transport/copy_source.h"

namespace ebla::tabletserver {

// A copy whose source this replica is.
struct Shard::OutgoingCopy {
  Epoch epoch;
  uint64_t id = 0;
  std::shared_ptr<CopySource> source;
};

// A copy whose start is to be installed.
struct Shard::IncomingCopy {
  uint64_t id = 0;
  std::shared_ptr<const CopyBase> base;
};

// The dedup window of a copy that begins in several requests, as far as it has come.
struct Shard::GatheredDedupRows {
  uint64_t copy = 0;
  std::vector<DedupRow> rows;
};

struct Shard::Tablet {
  explicit Tablet(TabletId tablet) : id(tablet) {}

  const TabletId id;
  TableId table;
  std::unique_ptr<TabletCore> core;
  std::shared_ptr<TabletHandle> handle;  // null: no replica, and none being made
  KeyRange placed_range;                 // as in the directory
  std::multimap<Lsn, Awaiting> awaiting;
  std::shared_ptr<const TabletSchema> schema;  // that the handle was last told of
  size_t counted_unapplied_bytes = 0;          // our part of ShardCounters::unapplied_bytes
  bool dirty = false;                          // in dirty_
  bool removing = false;                       // in removals_, removed_, lent_ or parts_
  bool log_open = false;                       // its state was stored; a tick ends its log
  bool background_work = false;                // on its rows: a truncation, a copy's start, a chunk, a part's log
  Lsn uncheckpointed;                          // of a split that no checkpoint has yet; none: nothing waits for one

  // Who waits for it to be applied through a FREEZE (shard_merge.cc).
  struct PartWaiter {
    MergedTablet part;
    TabletId into;
    std::move_only_function<void(Status)> done;
  };
  std::vector<PartWaiter> part_waiters;

  // Copies (shard_copy.cc).
  std::map<ServerName, OutgoingCopy> copies;  // that this replica is the source of, by target
  std::optional<GatheredDedupRows> gathered;
  std::optional<IncomingCopy> preparing;   // in preparing_
  std::shared_ptr<const TabletView> view;  // as last published
};

// A tablet that is to be made of two others, as long as they are asked.
struct Shard::Merging {
  ConfigureTablet input;  // the latest
  ControlDone done;       // null: told to retry
  uint64_t orders = 0;
  std::optional<FrozenPart> left, right;
  bool storing = false;  // the store has some of it, and asks for a retry

  const Merged& merged() const { return *input.replica.merged; }
  const MergedTablet& part(bool is_right) const { return is_right ? merged().right : merged().left; }
};

// A tablet's output and what became of it in this round.
struct Shard::Taken {
  std::shared_ptr<Tablet> tablet;
  TabletOutput output;
  bool failed = false;  // the store did not take it: no flush
};

}  // namespace ebla::tabletserver
