// tabletserver/storage/in_memory/in_memory_index.h
// Finds a table's record by its key. A lookup here reads two lines of memory that are in no cache; each comparison in
// the tree reads one.
// How:        many small hash tables (absl::flat_hash_set), each for a part of the hashes. A table that grows moves its
//             own records alone, so that no write waits for millions of them.
// Invariants: one record per key. Keys are hashed with the process's own seed, so that no client can choose keys that
//             collide.
// Threads:    thread-compatible; in_memory_table.h has the lock.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "tabletserver/storage/in_memory/in_memory_arenas.h"
#include "tabletserver/storage/in_memory/in_memory_record.h"

namespace ebla::tabletserver {

class InMemoryIndex {
 public:
  // None: there is no such record.
  const InMemoryRecord* Find(std::string_view key) const;
  // There is none with its key yet.
  void Insert(InMemoryRecord record);
  // Puts another one with the same key where Find() has found one.
  static void Replace(const InMemoryRecord* at, InMemoryRecord record) { *const_cast<InMemoryRecord*>(at) = record; }
  void Erase(std::string_view key);
  // Called before each of many consecutive Finds. Every so often it prefetches the next items' lines of memory, the
  // tables' first, then the records'. If it prefetched too many at once, the first lines would be evicted again.
  template <class Items, class KeyOf>
  void PrefetchFrom(const Items& items, size_t at, const KeyOf& key_of) const {
    constexpr size_t kAtOnce = 32;
    if (at % kAtOnce != 0 || at + 1 >= items.size()) return;
    const size_t size = std::min(items.size() - at, kAtOnce);
    std::array<Likely, kAtOnce> likely;
    for (size_t i = 0; i < size; ++i) {
      likely[i].hash = Hash()(key_of(items[at + i]));
      PartOf(likely[i].hash).prefetch(likely[i]);
    }
    for (size_t i = 0; i < size; ++i) (void)PartOf(likely[i].hash).find(likely[i], likely[i].hash);
  }

  // The bytes of its tables.
  int64_t bytes() const { return bytes_; }

 private:
  // Equals no record. A lookup prefetches the memory of each record that the hash leads to, without waiting.
  struct Likely {
    size_t hash = 0;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const;
    size_t operator()(Likely likely) const { return likely.hash; }
    size_t operator()(InMemoryRecord record) const { return (*this)(record.key()); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(InMemoryRecord a, InMemoryRecord b) const { return a.key() == b.key(); }
    bool operator()(InMemoryRecord a, std::string_view b) const { return a.key() == b; }
    bool operator()(std::string_view a, InMemoryRecord b) const { return a == b.key(); }
    bool operator()(InMemoryRecord a, Likely) const {
      a.Prefetch();
      return false;
    }
  };
  using Part = absl::flat_hash_set<InMemoryRecord, Hash, Equal, InMemoryAllocator<InMemoryRecord>>;
  static constexpr int kPartBits = 10;

  static size_t IndexOf(size_t hash) { return hash >> (8 * sizeof hash - kPartBits); }
  const Part& PartOf(size_t hash) const { return parts_[IndexOf(hash)]; }
  Part& PartOf(size_t hash) { return parts_[IndexOf(hash)]; }
  static int64_t BytesOf(const Part& part);

  std::array<Part, size_t{1} << kPartBits> parts_;
  int64_t bytes_ = 0;
};

}  // namespace ebla::tabletserver
