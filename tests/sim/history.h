// tests/sim/history.h
// What clients asked and what they were told: the record that the checkers judge.
// Keys:    come in groups of kCellsPerGroup that no tablet's border cuts; batches stay within a group, so a group is one
//          independent object. Cells 0 and 1 hold texts, each written at most once (unique values); cell 2 is a counter.
// Order:   every event has a number; an operation was over before another began when its `returned` is below the
//          other's `invoked`.
// Threads: values.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"

namespace ebla::sim {

inline constexpr int kCellsPerGroup = 3;
inline constexpr int kCounterCell = 2;

using EventNumber = uint64_t;
inline constexpr EventNumber kNever = std::numeric_limits<EventNumber>::max();

struct Cell {
  std::string value;
  Version version;  // none: not known
  friend bool operator==(const Cell&, const Cell&) = default;
};

struct WritePart {
  enum class Kind : uint8_t { kPut, kDelete, kIncrement, kCheck };
  enum class Condition : uint8_t { kNone, kAbsent, kExists, kVersionIs };
  Kind kind = Kind::kPut;
  int cell = 0;
  std::string value;  // kPut
  int64_t delta = 0;  // kIncrement
  Condition condition = Condition::kNone;
  Version version;  // kVersionIs
};

enum class Outcome : uint8_t {
  kOk,       // read or written
  kRefused,  // a condition of the write did not hold
  kUnknown,  // it may have happened, at any time since; or it never will
  kNotExecuted,  // so it was told; a read that was not answered, too
};

// A read of one cell, or an atomic batch of writes of one group.
struct Operation {
  uint64_t id = 0;
  std::string client;
  int group = 0;
  EventNumber invoked = 0;
  EventNumber returned = kNever;
  Outcome outcome = Outcome::kUnknown;

  bool is_read = false;
  int cell = 0;               // of a read
  std::optional<Cell> found;  // by a read

  std::vector<WritePart> parts;  // of a write
  Version version;               // kOk: what its puts and increments carry
  std::vector<int64_t> counters;  // kOk: results of its increments

  std::string ToString() const;  // "c2 #17 g3 put a=c2.17 if absent -> OK 3.118"
};

}  // namespace ebla::sim
