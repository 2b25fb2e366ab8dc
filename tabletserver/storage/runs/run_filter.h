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
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace ebla::tabletserver {

// Takes 8 bytes of memory for each key until Finish().
class RunFilterBuilder {
 public:
  void Add(std::string_view key);
  // The bytes of the filter; the builder is empty again. No keys: empty bytes, which let every key pass.
  std::string Finish();

 private:
  std::deque<uint64_t> hashes_;  // a vector would copy them as it grows
};

class RunFilter {
 public:
  explicit RunFilter(std::string bytes);

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
