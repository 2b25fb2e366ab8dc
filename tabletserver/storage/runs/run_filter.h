// tabletserver/storage/runs/run_filter.h
// Answers whether a run may have a key, so that a read passes over most runs that lack it.
// How:        a blocked Bloom filter (F. Putze, P. Sanders, J. Singler: Cache-, Hash- and Space-Efficient Bloom
//             Filters, WEA 2007). A key has all its bits in one block of 64 bytes, which is one line of the CPU's
//             cache. The upper half of XXH3's 64 bits chooses the block without a division (D. Lemire: Fast Random
//             Integer Generation in an Interval, 2019); the lower half, multiplied by 2^32 / phi once for each probe,
//             chooses the bits, as FastLocalBloomImpl of RocksDB does. 10 bits a key and 6 probes let about 1 % of
//             foreign keys pass.
// Bytes:      1 format (1); 1 probes; the blocks, 64 bytes each, whose bit i is bit i % 8 of byte i / 8; 8 XXH3 of all
//             the bytes before it, big-endian.
// Invariants: 1. A key that was added passes. Bytes that are no filter, or are damaged, let every key pass.
//             2. A filter has the same bytes in every process and build: it is kept on disk.
// Threads:    the builder is thread-compatible; a filter never changes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ebla::tabletserver {

// Has the filter's memory from its beginning, and no more: a merge may have a billion keys, and take hours.
class RunFilterBuilder {
 public:
  // How many keys will be added. If they are far fewer, the filter is folded. If they are more, more foreign keys pass.
  explicit RunFilterBuilder(size_t keys);
  void Add(std::string_view key);
  // The bytes of the filter, after which the builder is spent. No keys: empty bytes, which let every key pass.
  std::string Finish();

 private:
  void Fold();

  size_t blocks_;
  size_t added_ = 0;
  std::string bytes_;
};

class RunFilter {
 public:
  explicit RunFilter(std::string_view bytes);

  // A read hashes its key once for all runs.
  static uint64_t HashOf(std::string_view key);
  // False: the run has no such key.
  bool MayContain(uint64_t hash) const;
  // In memory.
  int64_t bytes() const { return static_cast<int64_t>(blocks_.size() * sizeof(Block)); }

 private:
  struct alignas(64) Block {
    std::array<uint8_t, 64> bytes;
  };

  std::vector<Block> blocks_;  // none: every key passes
  int probes_ = 0;
};

}  // namespace ebla::tabletserver
