// tests/sim/checker/history.h
// What clients asked and what they were told: the record that the checkers judge.
// Keys:    come in groups of kCellsPerGroup that no tablet's border cuts; batches stay within a group, so a group is
//          one independent object. Cells 0 and 1 hold texts, each written at most once (unique values); cell 2 is a
//          counter; cell 3 holds texts that expire.
// Order:   every event has a number; an operation was over before another began when its `returned` is below the
//          other's `invoked`. Times are the simulator's own, which no process sees.
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
  // kValueIs: no client asks so; an expiry is a delete of the very value that expires (levels.h).
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
  kUnknown,      // it may have happened, at any time since; or it never will
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
  uint64_t session = 0;  // that it carried; 0: none

  bool is_read = false;
  Read read;                  // of a read: its level
  int cell = 0;               // of a read
  std::optional<Cell> found;  // by a read
  bool lost_write = false;    // a read that was told LOST_WRITE; its `returned` says when
  std::vector<Version> lost;  // that it was told by name

  Ack ack = Ack::kMajority;       // of a write
  std::vector<WritePart> parts;   // of a write
  Version version;                // kOk: what its puts and increments carry
  std::vector<int64_t> counters;  // kOk: results of its increments

  std::string ToString() const;  // "c2 #17 g3 primary put a=c2.17 if absent -> OK 3.118"
};

// A session that began as another's token: it knows what the other knew by then.
struct Handover {
  uint64_t parent = 0;
  EventNumber at = 0;
};

// Everything that the clients of a run share, and the checkers get.
struct History {
  std::vector<Operation> operations;
  std::vector<MonotonicTime> moments{MonotonicTime{}};  // when each event was; numbers start at 1
  std::map<uint64_t, Handover> handovers{};             // by the session that continues another

  EventNumber Event(MonotonicTime now) {
    moments.push_back(now);
    return moments.size() - 1;
  }
  // The first event at or after a moment; one past the last when there is none.
  EventNumber FirstFrom(MonotonicTime moment) const;
  // Was `session` told this operation's answer before `moment`, itself or as the session that it continues?
  bool Knew(uint64_t session, EventNumber moment, const Operation& operation) const;
  // Did it call this operation before `moment`, itself or as the session that it continues?
  bool Asked(uint64_t session, EventNumber moment, const Operation& operation) const;

 private:
  // Up to when `session` shares what the operation's session does; none: it does not.
  std::optional<EventNumber> Until(uint64_t session, EventNumber moment, const Operation& operation) const;
};

// The versions that the message of a LOST_WRITE names: those the server judged, and those the session waits for no
// longer.
std::vector<Version> VersionsNamedLost(const std::string& message);

}  // namespace ebla::sim
