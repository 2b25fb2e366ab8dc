// tests/sim/checker/history.h
// The requests of clients and their answers, which the checkers judge.
// Keys:    form groups of kCellsPerGroup that no tablet's border cuts. Batches stay within a group, so a group is one
//          independent object. Cells 0 and 1 hold texts, each written at most once (unique values); cell 2 is a
//          counter; cell 3 holds texts that expire.
// Order:   every event has a number. An operation ended before a later one began if its `returned` is below the
//          `invoked` of the later one. Times are the simulator's own, which no process sees.
// Threads: values.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "ebla/options.h"

namespace ebla::sim {

inline constexpr int kCellsPerGroup = 4;
inline constexpr int kCounterCell = 2;
inline constexpr int kMortalCell = 3;

using EventNumber = uint64_t;
inline constexpr EventNumber kNever = std::numeric_limits<EventNumber>::max();

struct Cell {
  std::string value;
  Version version;  // none: not known
  friend bool operator==(const Cell&, const Cell&) = default;
};

struct WritePart {
  enum class Kind : uint8_t { kPut, kDelete, kIncrement, kCheck };
  // No client sends kValueIs. The checkers model an expiry as a delete of the very value that expires (levels.h).
  enum class Condition : uint8_t { kNone, kAbsent, kExists, kVersionIs, kValueIs };
  Kind kind = Kind::kPut;
  int cell = 0;
  std::string value;                 // kPut; kValueIs
  int64_t delta = 0;                 // kIncrement
  std::chrono::milliseconds ttl{0};  // kPut of the mortal cell
  Condition condition = Condition::kNone;
  Version version;  // kVersionIs
};

enum class Outcome : uint8_t {
  kOk,           // read or written
  kRefused,      // a condition of the write did not hold
  kUnknown,      // it happens at any time after its call, or never
  kNotExecuted,  // the client was told so; also a read without an answer
};

// A read of one cell, or an atomic batch of writes of one group.
struct Operation {
  uint64_t id = 0;
  std::string client;
  int group = 0;
  EventNumber invoked = 0;
  EventNumber returned = kNever;
  Outcome outcome = Outcome::kUnknown;
  uint64_t session = 0;  // that the request carried; 0: none

  bool is_read = false;
  Read read;                  // of a read: its level
  int cell = 0;               // of a read
  std::optional<Cell> found;  // by a read
  bool lost_write = false;    // a read that was answered LOST_WRITE, at `returned`
  std::vector<Version> lost;  // that this answer named

  Ack ack = Ack::kMajority;       // of a write
  std::vector<WritePart> parts;   // of a write
  Version version;                // kOk: of its puts and increments
  std::vector<int64_t> counters;  // kOk: results of its increments

  std::string ToString() const;  // "c2 #17 g3 primary put a=c2.17 if absent -> OK 3.118"
};

// A session that began with the token of `parent`: it knows all that `parent` knew at `at`.
struct Handover {
  uint64_t parent = 0;
  EventNumber at = 0;
};

// The record that all clients of a run write and the checkers read.
struct History {
  std::vector<Operation> operations;
  std::vector<MonotonicTime> moments{MonotonicTime{}};  // the time of each event; numbers start at 1
  std::map<uint64_t, Handover> handovers{};             // by the session that continues another

  EventNumber Event(MonotonicTime now) {
    moments.push_back(now);
    return moments.size() - 1;
  }
  // The first event at or after a moment; without such an event, one past the last.
  EventNumber FirstFrom(MonotonicTime moment) const;
  // Did `session` get this operation's answer before `moment`, or a session that it continues before the handover?
  bool Knew(uint64_t session, EventNumber moment, const Operation& operation) const;
  // Did `session` call this operation before `moment`, or a session that it continues before the handover?
  bool Asked(uint64_t session, EventNumber moment, const Operation& operation) const;

 private:
  // The end of the time in which `session` learns all that the operation's session learns. None: there is no such time.
  std::optional<EventNumber> Until(uint64_t session, EventNumber moment, const Operation& operation) const;
};

// The versions that the message of a LOST_WRITE names: those that were rolled back, and those that the session no
// longer waits for.
std::vector<Version> VersionsNamedLost(const std::string& message);

}  // namespace ebla::sim
