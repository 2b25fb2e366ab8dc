// tabletserver/storage/buffer/sorted_rows.h
// Rows of a table in memory, in the order of their keys: encoded as on the disk, or deleted. A row has several versions
// while a scan may still need an earlier one.
// How:        a B-tree (absl::btree_set) for order, a hash table for single keys, and an arena for keys and values.
//             A row that is written again stays where it is if it fits and no scan needs it, so a key that is written
//             often takes its room once.
// Invariants: 1. Changes are numbered, and grow. A row's versions are linked, the latest first.
//             2. Tree and hash table have the same rows. No row is ever removed.
// Threads:    thread-compatible, but bytes() from any thread; table_buffer.h has the lock.
#pragma once

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/key_range.h"
#include "tabletserver/storage/buffer/byte_arena.h"

namespace ebla::tabletserver {

// The number of a change of a table; the first is 1.
using ChangeNumber = uint64_t;

class SortedRows {
 public:
  // The bytes of a row; none: it is deleted. Valid until the next Put.
  using Bytes = std::optional<std::string_view>;

  // Versions that a scan up to change `scanned` sees stay. 0: no scan is under way.
  void Put(std::string_view key, Bytes row, ChangeNumber change, ChangeNumber scanned);
  // The latest version up to a change. None: nothing is known of this key.
  std::optional<Bytes> Find(std::string_view key, ChangeNumber change = UINT64_MAX) const;
  bool AnyIn(const KeyRange& range) const;

  // Some rows as a scan sees them. The views are valid as long as the scan and this object are.
  struct Page {
    struct Row {
      std::string_view key;
      Bytes bytes;
    };
    std::vector<Row> rows;
  };
  // Replaces `page` by rows of the range as a scan up to `change` sees them, forward from its start or backward from
  // its end. A page is empty only if the range has no more.
  static constexpr size_t kPageRowsMax = 256;
  void Read(const KeyRange& range, bool reverse, ChangeNumber change, size_t rows_max, Page& page) const;
  // Visits the latest versions in order until the visitor returns false.
  template <class Visitor>
  void ForEach(const Visitor& visit) const {
    for (const Slot& slot : tree_) {
      if (!visit(slot.row->key(), slot.row->latest->bytes())) return;
    }
  }

  bool empty() const { return tree_.empty(); }
  size_t size() const { return tree_.size(); }
  // With an estimate of tree and hash table.
  int64_t bytes() const {
    return arena_.bytes() + static_cast<int64_t>(rows_.load(std::memory_order_relaxed)) * kRowBytes;
  }

 private:
  static constexpr int64_t kRowBytes = 40;
  static constexpr uint32_t kDeleted = UINT32_MAX;

  struct Version {
    ChangeNumber change;
    Version* older;
    uint32_t size;  // or kDeleted
    uint32_t room;
    char* data() { return reinterpret_cast<char*>(this + 1); }
    Bytes bytes() const {
      if (size == kDeleted) return std::nullopt;
      return std::string_view(reinterpret_cast<const char*>(this + 1), size);
    }
  };
  struct Row {
    Version* latest;
    uint32_t key_size;
    char* data() { return reinterpret_cast<char*>(this + 1); }
    std::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_size}; }
    // None: the row is younger.
    std::optional<Bytes> At(ChangeNumber change) const;
  };
  // The first eight bytes of a key compare as the key does as far as they go.
  struct Slot {
    uint64_t hint;
    Row* row;
  };
  struct Less {
    using is_transparent = void;
    bool operator()(const Slot& a, const Slot& b) const { return Before(a, b.hint, b.row->key()); }
    bool operator()(const Slot& a, std::string_view b) const { return Before(a, HintOf(b), b); }
    bool operator()(std::string_view a, const Slot& b) const {
      const uint64_t hint = HintOf(a);
      return hint != b.hint ? hint < b.hint : a < b.row->key();
    }
    static bool Before(const Slot& a, uint64_t hint, std::string_view key) {
      return a.hint != hint ? a.hint < hint : a.row->key() < key;
    }
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return absl::Hash<std::string_view>()(key); }
    size_t operator()(const Row* row) const { return (*this)(row->key()); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Row* a, const Row* b) const { return a == b; }
    bool operator()(const Row* a, std::string_view b) const { return a->key() == b; }
    bool operator()(std::string_view a, const Row* b) const { return a == b->key(); }
  };

  static uint64_t HintOf(std::string_view key);
  Version* NewVersion(Bytes row, ChangeNumber change, Version* older);

  ByteArena arena_;
  absl::btree_set<Slot, Less> tree_;
  absl::flat_hash_set<Row*, Hash, Equal> index_;
  std::atomic<size_t> rows_{0};
};

}  // namespace ebla::tabletserver
