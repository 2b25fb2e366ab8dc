// tests/chaos/verdicts/registers.h
// Keys in groups of four that many clients read and write, alone and together, as clients without versions see them.
// Each group's history must be linearizable (tests/sim/checker/linearizability.h).
// Parts:      each statement of an answer about the cells is a part of a write that was done. Is(cell, value) holds if
//             the cell has the value. A read consists of such parts alone, and an atomic read of several cells is one
//             operation of several parts.
// Forgetting: a table that evicts may lose a key at any moment, but neither restores it nor shows its earlier value. So
//             each answer that a cell is empty may have a separate eviction right before it; no other answer has one.
// Threads:    Begin() and End() any; Judge() while no thread calls those.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "tests/chaos/verdicts/events.h"

namespace ebla::chaos {

class Registers {
 public:
  struct Verdict {
    std::vector<std::string> problems;
    std::vector<std::string> undecided;  // groups whose search took too long
    int forgotten = 0;                   // groups that evictions alone explain
  };

  explicit Registers(int groups, bool forgets = false) : groups_(groups), forgets_(forgets) {}

  // Nothing there, where there is no value.
  static sim::WritePart Is(int cell, const std::optional<std::string>& value);

  size_t Begin(sim::Operation operation);
  // `did`: the parts that the answer reports as done and found; empty: the intended parts. Without an answer, the
  // intended parts count.
  void End(size_t number, sim::Outcome outcome, std::vector<sim::WritePart> did = {},
           std::vector<int64_t> counters = {});
  Verdict Judge() const;
  size_t size() const;

 private:
  const int groups_;
  const bool forgets_;
  mutable Mutex mutex_;
  std::vector<sim::Operation> operations_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::chaos
