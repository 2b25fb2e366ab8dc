// tabletserver/reads/middle_key.h
// Finds the key that halves a tablet's data, from the rows that estimates of its size sample. An estimate of a large
// table reads a few hundred random rows of the whole table, of which a small tablet may hold three. So rows are
// collected over several estimates, and the oldest are dropped.
// Place:      purge_and_size_tasks.h gathers, and gives the key to the tablet's handle.
// Error:      with n rows the part of the bytes below the key has a standard error of half the root of 1/n. It is 12%
//             with the fewest rows, 6% with the most that are kept, and 3% if the tablet is most of its table.
// Threads:    thread-compatible.
#pragma once

#include <string>

#include "common/base/key_range.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class MiddleKey {
 public:
  // Adds the sampled rows of an estimate of `range`; rows outside of it are dropped.
  void Add(const TabletStore::RangeSize& size, const KeyRange& range);
  // Strictly inside the range, at most 256 bytes, the shortest between two rows; empty: not known.
  std::string Find() const;

 private:
  static constexpr size_t kRowsLeast = 16;
  static constexpr size_t kRowsGathered = 64;

  std::vector<SampledRow> rows_;  // the oldest first
};

}  // namespace ebla::tabletserver
