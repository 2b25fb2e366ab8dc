// tabletserver/replication/replica_log.h
// The log of one replica as its core sees it: the positions stored, on their way to the store, and durable, and the
// entries kept in memory until they are applied. Older entries are read from the store.
// Place:      replica_core.h owns it; it decides nothing about epochs or commits.
// Invariants: 1. Positions are consecutive; epochs never fall from one to the next.
//             2. Entries handed out and refused are handed out again identically (PROTOCOL 2).
//             3. A flush vouches only for entries handed out before it and not removed since.
// Threads:    thread-compatible; the reader is called inside.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "tabletserver/replication/replica_types.h"

namespace ebla::tabletserver {

// The store's log of this tablet: entries from `from` on, in order, through `last` or about bytes_max; at least one
// when there is one. UNAVAILABLE: the first of them is damaged.
using LogReader = std::function<Result<std::vector<LogEntry>>(Lsn from, Lsn last, size_t bytes_max)>;

class ReplicaLog {
 public:
  // Begins from a restart's findings: `first` and `last` of the store's log (none means empty), and the last applied
  // entry. `base` is an entry of another log that this log continues (the SPLIT that created a child), or none.
  ReplicaLog(Version first, Version last, Version applied, Version base, LogReader reader);

  // ---- positions ----
  Version last() const { return held_.empty() ? stored_ : std::max(stored_, held_.back()->version); }
  Version stored() const { return stored_; }
  Lsn flushed() const { return flushed_; }
  Version applied() const { return applied_; }
  Version first() const { return first_; }  // of the store's log; none: nothing is logged

  // The epoch of the entry at `lsn`; none: it is not in the log any more, or not yet. Zero: `lsn` is zero. The epoch of
  // the entry just before the log's first is also known if possible, so that a peer that ends there gets the log, not a
  // copy.
  Result<std::optional<Epoch>> EpochAt(Lsn lsn) const;
  // The last entry at or before `lsn` with an epoch of at most `epoch` that EpochAt still knows.
  Result<std::optional<Version>> LastUpTo(Lsn lsn, Epoch epoch) const;
  // Applied entries were committed, so every later primary's log begins with them, except after a recovery by hand.
  // INTERNAL: this entry of a primary's log shows that another history is applied here.
  Status CheckHistory(Version entry) const;
  // Whether everything from `from` on is in the log.
  bool Reaches(Lsn from) const { return from > last().lsn || Held(from) != nullptr || (first_ && from >= first_.lsn); }
  // Entries of this process's life that are not yet applied; null: it is not one of them.
  EntryPtr Held(Lsn lsn) const;
  size_t held_bytes() const { return held_bytes_; }
  // From `from` (at most last().Next()) on, about bytes_max of them, out of memory or the store.
  Result<std::vector<EntryPtr>> Read(Lsn from, size_t bytes_max) const;

  // ---- changes ----
  void Append(EntryPtr entry);  // the next position
  // Removes the suffix from `from` on, whose predecessor is `before`. Entries that were acknowledged at PRIMARY are
  // put into rolled_back, but for those that the disk has lost.
  Status Remove(Lsn from, Version before, std::vector<EntryPtr>& rolled_back);
  // A step-down: what the store never got is given up.
  void DropUnstored();
  void Apply(Version upto);
  // Lets go of stored entries, oldest first, until no more than `bytes` are held: the store has them.
  void HoldAtMost(size_t bytes);
  // The store's log now begins with `first`; or with nothing, if that is part of a suffix still to be removed.
  void Truncated(Version first);
  // Begins anew after `start`, with nothing held or stored: a copy, or a dropped replica forgotten ({}).
  void Reset(Version start);

  // ---- the store's round ----
  bool HasWork() const { return remove_from_ || last() > stored_; }
  Lsn remove_from() const { return remove_from_; }
  bool entries_handed_out() const { return entries_handed_out_; }  // by the output that is out
  std::vector<EntryPtr> Unstored() const;
  // Everything so far is in an output, or (without entries) what is stored already: begins a flush that will vouch for
  // it.
  void BeginFlush(FlushNumber number, bool entries);
  void OnStored();
  void OnRefused();  // the flush handed out with it is not begun
  void OnFlushed(FlushNumber number);

 private:
  struct PendingFlush {
    FlushNumber number;
    Lsn upto;
  };
  // By halving: thousands may be held that are stored and not applied yet.
  std::deque<EntryPtr>::const_iterator FirstUnstored() const;

  const LogReader reader_;
  Version first_;
  Version base_;        // the entry before first_; none: not known
  Version stored_;      // the last entry in the store
  Version handed_out_;  // the last entry of the output that is out
  Version applied_;
  Lsn flushed_;                      // zero after a restart: nothing is known to be durable until a flush
  Lsn remove_from_;                  // in the store, to be removed
  bool entries_handed_out_ = false;  // and removals, not a state or a flush alone
  std::deque<EntryPtr> held_;        // consecutive, through last()
  size_t held_bytes_ = 0;
  std::deque<PendingFlush> flushes_;
};

}  // namespace ebla::tabletserver
