// tests/chaos/verdicts/registers.h
// Keys in groups of four that many clients read and write, alone and together, as others' clients see them: without
// versions. Each group's history must be linearizable (tests/sim/checker/linearizability.h).
// Whatever an answer says of the cells is said as a part of a write that was done: Is(cell, value) holds where that is
// in the cell. A read is nothing but such parts, an atomic read of several cells is one operation of several.
// Forgetting: a table that evicts may lose a key at any moment, but neither brings it back nor shows what it held
//             before. So each answer that a cell is empty may have an eviction of its own, right before it; no other
//             answer has one.
// Threads: Begin() and End() any; Judge() when nobody else calls.
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
  // `did`: what the answer says that it did and found; empty: what it set out to do. Of an operation without an answer
  // what it set out to do counts.
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
