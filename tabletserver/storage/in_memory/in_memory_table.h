// tabletserver/storage/in_memory/in_memory_table.h
// A memory table's records on one server, in order, and what its tablets have applied: both change under one lock, so
// that a read sees whole batches and their position.
// How:        a B-tree (absl::btree_set) of 16 bytes a record: the first eight bytes of the key, and where the record
//             is; for single keys an index (in_memory_index.h). A record that is written again stays where it is, if it
//             still fits. Records are read and copied under the lock, shared with other readers; a waiting writer
//             precedes readers that arrive later, and holds the lock for one batch.
// Invariants: 1. One record per key.
//             2. bytes() is what the allocator gave for the records, kTreeBytes for each, and the index.
//             3. Tree and index have the same records.
// Threads:    any; see tablet_store.h.
#pragma once

#include <absl/container/btree_set.h>

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tabletserver/storage/in_memory/fair_shared_mutex.h"
#include "tabletserver/storage/in_memory/in_memory_arenas.h"
#include "tabletserver/storage/in_memory/in_memory_index.h"
#include "tabletserver/storage/in_memory/in_memory_record.h"
#include "tabletserver/storage/in_memory/memory_bounds.h"
#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

class InMemoryTable {
 public:
  // A record's share of the tree: 16 bytes in nodes that are some three quarters full.
  static constexpr int64_t kTreeBytes = 24;

  InMemoryTable() = default;
  ~InMemoryTable();
  InMemoryTable(const InMemoryTable&) = delete;
  InMemoryTable& operator=(const InMemoryTable&) = delete;

  // See the functions of the port. All batches are this table's.
  void Apply(std::span<const ApplyBatch> batches);
  std::optional<StoredRecord> Get(std::string_view key, SnapshotPosition* position) const;
  std::vector<std::optional<StoredRecord>> MultiGet(std::span<const std::string_view> keys, size_t bytes_max,
                                                    SnapshotPosition* position) const;
  Status Read(SnapshotPosition* position, const RecordStore::ViewBody& body) const;
  void Replace(const KeyRange& interval, std::span<const std::pair<std::string, StoredRecord>> records);
  RecordStore::RangeSize EstimateSize(const KeyRange& range) const;

  // Gives so many records at most, and so many bytes, the next ones in turn, other blocks: the allocator takes them out
  // of pages that are in use already, so that those which are nearly empty become so.
  void Repack(size_t records_max, int64_t bytes_max);

  void Forget(TabletId tablet);
  // Adds the applied position of each tablet here.
  void AddApplied(std::map<TabletId, Lsn>& applied) const;

  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  int64_t records() const { return records_.load(std::memory_order_relaxed); }

  void SetEviction(Eviction eviction) { eviction_.store(eviction, std::memory_order_relaxed); }
  Eviction eviction() const { return eviction_.load(std::memory_order_relaxed); }
  // See in_memory_store.h. One hand sweeps several ranges in turn. A single range is swept from its last place on.
  std::vector<EvictionVictim> ChooseVictims(std::span<const KeyRange> ranges, int64_t bytes, size_t victims_max);

 private:
  // The first eight bytes of a key, which compare as the key does as far as they go.
  static uint64_t HintOf(std::string_view key);
  struct Slot {
    uint64_t hint;
    InMemoryRecord record;
  };
  struct Probe {
    explicit Probe(std::string_view key) : hint(HintOf(key)), key(key) {}
    uint64_t hint;
    std::string_view key;
  };
  struct Less {
    using is_transparent = void;
    bool operator()(const Slot& a, const Slot& b) const {
      return a.hint != b.hint ? a.hint < b.hint : a.record.key() < b.record.key();
    }
    bool operator()(const Slot& a, const Probe& b) const {
      return a.hint != b.hint ? a.hint < b.hint : a.record.key() < b.key;
    }
    bool operator()(const Probe& a, const Slot& b) const {
      return a.hint != b.hint ? a.hint < b.hint : a.key < b.record.key();
    }
  };
  using Tree = absl::btree_set<Slot, Less, InMemoryAllocator<Slot>>;

  void Put(const InMemoryRecordParts& parts) EBLA_REQUIRES(mutex_);
  void Erase(std::string_view key) EBLA_REQUIRES(mutex_);
  Tree::iterator Drop(Tree::iterator at) EBLA_REQUIRES(mutex_);
  // Removes at most so many of the range; true: there are more.
  bool RemoveSome(const KeyRange& range, size_t records_max) EBLA_REQUIRES(mutex_);
  // Another one with the same key.
  void Exchange(const InMemoryRecord* at, Tree::iterator in_tree, InMemoryRecord record) EBLA_REQUIRES(mutex_);
  void Count(InMemoryRecord record, int sign);
  // The index has got one more or less.
  void CountIndex() EBLA_REQUIRES(mutex_);
  void Hit(InMemoryRecord record) const;
  void SetPosition(SnapshotPosition* position) const EBLA_REQUIRES_SHARED(mutex_);
  std::optional<StoredRecord> Find(std::string_view key) const EBLA_REQUIRES_SHARED(mutex_);
  void Visit(const ScanBounds& bounds, const RecordStore::Visitor& visitor) const EBLA_REQUIRES_SHARED(mutex_);
  class LockedView;
  Tree::const_iterator EndOf(const KeyRange& range) const EBLA_REQUIRES_SHARED(mutex_);
  struct Sweep;
  void SweepFrom(const std::string& from, const std::string& end, Sweep& sweep) const;
  void SweepAround(std::span<const KeyRange> ranges, Sweep& sweep) EBLA_REQUIRES(sweeps_mutex_);

  mutable FairSharedMutex mutex_;
  Tree tree_ EBLA_GUARDED_BY(mutex_);
  InMemoryIndex index_ EBLA_GUARDED_BY(mutex_);
  int64_t index_bytes_ EBLA_GUARDED_BY(mutex_) = 0;  // what of it is in bytes_
  std::unordered_map<TabletId, Lsn> applied_ EBLA_GUARDED_BY(mutex_);
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> records_{0};
  std::atomic<Eviction> eviction_{Eviction::kNone};
  std::string repacked_ EBLA_GUARDED_BY(mutex_);  // up to this key
  Mutex sweeps_mutex_;
  std::map<std::string, std::string> places_ EBLA_GUARDED_BY(sweeps_mutex_);  // where ranges go on, by their starts
  std::string current_ EBLA_GUARDED_BY(sweeps_mutex_);                        // the range in which the hand of all is
};

}  // namespace ebla::tabletserver
