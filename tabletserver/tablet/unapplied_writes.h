// tabletserver/tablet/unapplied_writes.h
// The effects of log entries that are not yet applied to the store, by key and version: what conditions, increments and
// reads past the applied position see on top of the store.
// Place:      tablet_core.h fills it on append and empties it on apply; write_evaluator.h reads it.
// Invariants: 1. Entries are added in log order; a key's versions grow.
//             2. RemoveUpTo(x) only once the store shows everything up to x (PROTOCOL 16: unapplied first, then
//             snapshot).
// Bounds:     bytes() is what its owner caps.
// Threads:    thread-compatible.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  std::optional<Item> Find(std::string_view key, Lsn upto = Lsn{UINT64_MAX}) const;

  size_t bytes() const { return bytes_; }  // in memory, about
  bool empty() const { return entries_.empty(); }
  size_t entries() const { return entries_.size(); }

 private:
  using Keys = std::map<std::string, std::vector<Item>, std::less<>>;  // items by growing version

 public:
  // Walks a range in key order (or against it), one newest effect at or below `upto` for each key that has any; deletes
  // included, as they hide the store's record. Invalid once the unapplied writes changes.
  class Cursor {
   public:
    Cursor(const UnappliedWrites& unapplied, const ScanBounds& bounds, Lsn upto);
    bool Valid() const { return item_.has_value(); }
    std::string_view key() const { return key_; }
    const Item& item() const { return *item_; }
    void Next();

   private:
    void Settle();
    Keys::const_iterator first_;  // what is left of the range is [first_, last_)
    Keys::const_iterator last_;
    bool reverse_;
    Lsn upto_;
    std::string_view key_;
    std::optional<Item> item_;
  };

 private:
  std::deque<EntryPtr> entries_;
  Keys keys_;
  size_t bytes_ = 0;
};

}  // namespace ebla::tabletserver
