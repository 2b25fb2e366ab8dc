// tabletserver/tablet/unapplied_writes.h
// The effects of log entries that are not yet applied to the store, by key and version: conditions, increments and
// reads past the applied position see them on top of the store.
// Place:      tablet_core.h fills it on append and empties it on apply; write_evaluator.h reads it.
// Invariants: 1. Entries are added in log order; a key's versions grow.
//             2. RemoveUpTo(x) only once the store shows everything up to x (PROTOCOL 16: unapplied first, then
//             snapshot).
// How:        entries are sorted when one of them is looked up, or when they are many, so that it never takes long.
//             Usually neither happens, because a round applies the entries that it logs.
// Bounds:     bytes() is what its owner caps.
// Threads:    thread-compatible.
#pragma once

#include <absl/container/btree_map.h>

#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "tabletserver/replication/replica_types.h"

namespace ebla::tabletserver {

class UnappliedWrites {
 public:
  struct Item {
    Version version;
    const Effect* effect;  // lives as long as its entry is in the unapplied writes
  };

  void Add(EntryPtr entry);
  // Forgets entries up to and including `applied`.
  void RemoveUpTo(Lsn applied);
  // Forgets entries above `last`: a suffix that was given up.
  void RemoveAbove(Lsn last);

  // The newest effect on the key at or below `upto`.
  std::optional<Item> Find(std::string_view key, Lsn upto = Lsn{UINT64_MAX});
  // The newest effect on the first key of the range that has one; in reverse, on the last one.
  std::optional<Item> Next(const KeyRange& range, bool reverse);
  // Shows, of each key of a range in their order, the newest effect at or below `upto`, if it has any, until the
  // visitor returns false; deletes included, as they hide the store's record.
  void Visit(const KeyRange& range, Lsn upto, const std::function<bool(const Item& item)>& visitor);

  size_t bytes() const { return bytes_; }  // in memory, about
  bool empty() const { return entries_.empty(); }
  size_t entries() const { return entries_.size(); }

 private:
  void PutInOrder();
  void Forget(const LogEntry& entry, bool ordered);
  void Clear();

  std::deque<EntryPtr> entries_;
  size_t ordered_ = 0;    // how many, the first ones, are in items_
  size_t unordered_ = 0;  // effects of other entries
  // By the effect's own key, and its lsn.
  absl::btree_map<std::pair<std::string_view, Lsn>, Item> items_;
  size_t bytes_ = 0;
};

}  // namespace ebla::tabletserver
