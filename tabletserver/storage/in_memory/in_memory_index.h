// tabletserver/storage/in_memory/in_memory_index.h
// Where a table's record with a key is: beside the tree, in which each comparison is a line of memory that nobody has in
// a cache, this is two of them.
// How:        many small hash tables (absl::flat_hash_set), each for a part of the hashes: one that grows moves its own
//             records alone, so that nobody waits for millions of them.
// Invariants: one record per key. Keys are hashed with the process's own seed: nobody can choose ones that collide.
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
  // Before Finds of many items, one after the other, from each of which this is called: every so often the next ones' lines
  // of memory are asked for, the tables' first, then the records'. Of too many at once the first would be gone again.
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

  // What its tables take.
  int64_t bytes() const { return bytes_; }

 private:
  // Equal to none, but the memory of each that its hash leads to is asked for, and not waited for.
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
