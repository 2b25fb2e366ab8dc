// tabletserver/reads/tablet_directory.h
// Which replica of this server holds a key: table -> ranges in order -> handle. Readers work on an immutable snapshot;
// changes are rare (a replica is added, removed, or changes its range) and copy the changed ranges.
// Place:      one per server; shards change it, event loops and background work read it.
// Invariants: 1. Ranges of one table never overlap (PROTOCOL 10): Add refuses one that would.
//             2. A handle is in it from before its replica exists until after its data is gone.
// Threads:    any. A loop reads through a PublishedReader of its own, without a lock.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/key_range.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "tabletserver/reads/published.h"
#include "tabletserver/reads/tablet_handle.h"

namespace ebla::tabletserver {

// WRONG_TABLET: what is asked for is not here.
Status NoReplicaHere();

class TabletDirectory {
 public:
  struct Entry {
    KeyRange range;
    std::shared_ptr<TabletHandle> handle;  // shared with the shard and with readers of older snapshots
  };
  using Ranges = std::vector<Entry>;  // by growing start

  class Snapshot {
   public:
    // Null: no replica here covers the key.
    const std::shared_ptr<TabletHandle>* Find(TableId table, std::string_view key) const;
    std::shared_ptr<TabletHandle> Find(TableId table, TabletId tablet) const;  // null: it is not here
    // The replica where a scan of this direction and range begins, if that place is here: the one that covers the
    // range's start, or when reversed its end.
    const std::shared_ptr<TabletHandle>* FindForScan(TableId table, const KeyRange& range, bool reverse) const;
    const Ranges* Table(TableId table) const;
    std::vector<std::shared_ptr<TabletHandle>> All() const;

   private:
    friend class TabletDirectory;
    std::unordered_map<TableId, std::shared_ptr<const Ranges>> tables_;
  };

  TabletDirectory() : snapshot_(std::make_shared<Snapshot>()) {}

  // COME_AGAIN, naming it, when another replica covers part of the range; nothing is changed then.
  Status Add(const std::shared_ptr<TabletHandle>& handle, const KeyRange& range);
  void Remove(const TabletHandle& handle);
  // The replica has learnt its new range.
  Status ChangeRange(const TabletHandle& handle, const KeyRange& range);
  // The parent keeps the left part and its child gets the right one, both at once, so that every reader finds each key.
  Status Split(const TabletHandle& parent, const KeyRange& left, const std::shared_ptr<TabletHandle>& child,
               const KeyRange& right);
  // Two are replaced by one that has the place of both, at once.
  Status Merge(const TabletHandle& left, const TabletHandle& right, const std::shared_ptr<TabletHandle>& merged,
               const KeyRange& range);

  const Published<Snapshot>& published() const { return snapshot_; }
  std::shared_ptr<const Snapshot> snapshot() const { return snapshot_.Load(); }

 private:
  // Changes a copy of the table's ranges, which becomes what readers find unless `change` fails.
  Status Change(TableId table, const std::function<Status(Ranges&)>& change);

  Mutex mutex_;  // held while a snapshot is copied and replaced; innermost
  Published<Snapshot> snapshot_;
};

}  // namespace ebla::tabletserver
