// client/include/ebla/options.h
// Arguments and results of every call: levels, per-operation options (made for designated initializers), records.
// Deadlines: each call has one (10 s unless said otherwise). Faults that may pass are retried until it is spent, so a
//            caller sees an error only when the answer is final or the deadline is over. A write that its deadline cuts
//            in flight is UNKNOWN_OUTCOME, and so is one whose server fails while it has it; everything else that runs
//            out of time is DEADLINE_EXCEEDED, UNAVAILABLE or OVERLOADED, and was not executed. The message names the
//            last cause, the replicas that a write's level waited for, and those that were asked in vain.
// Threads:   values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/base/status.h"

namespace ebla {

class Session;

// When a write is acknowledged. kDefault: the table's default (MAJORITY unless set).
enum class Ack : uint8_t {
  kDefault = 0,
  kMajority = 1,  // durable in the logs of a majority and applied
  kAll = 2,       // durable in the logs of all voters
  kPrimary = 3,   // durable in the primary's log; a failover may roll it back, never silently
  // durable at any one replica's server, the nearest that answers, and delivered from there; for puts and
  kAny = 4,
  // deletes without conditions in last_write_wins tables. It has no version yet, and no session sees it
};

// How fresh a read must be. STRONG is answered by the primary, lower levels by any replica that is fresh enough, the
// nearest and least loaded first. Read{}: the table's default (STRONG unless set).
class Read {
 public:
  enum class Level : uint8_t { kDefault = 0, kStrong = 1, kSession = 2, kBounded = 3, kEventual = 4 };

  constexpr Read() = default;
  static constexpr Read Strong() { return Read(Level::kStrong); }
  static constexpr Read InSession() { return Read(Level::kSession); }  // needs a session in the same options
  static constexpr Read Eventual() { return Read(Level::kEventual); }
  // At most `age` old; 1 ms to 1 h.
  static constexpr Read Bounded(std::chrono::milliseconds age) { return Read(Level::kBounded, age); }

  constexpr Level level() const { return level_; }
  constexpr std::chrono::milliseconds bound() const { return bound_; }
  friend constexpr bool operator==(const Read&, const Read&) = default;

 private:
  constexpr explicit Read(Level level, std::chrono::milliseconds bound = {}) : level_(level), bound_(bound) {}

  Level level_ = Level::kDefault;
  std::chrono::milliseconds bound_{0};
};

// Milliseconds since 1970, as the table's servers tell the time.
using Expiry = std::chrono::sys_time<std::chrono::milliseconds>;

struct Record {
  std::string value;
  Version version;                // grows along the key's life; compare for equality, hand back in if_version
  std::optional<Expiry> expires;  // empty: never
};

struct Row {
  std::string key;
  Record record;  // value empty in a keys-only scan
};

// In all options: `session` is updated by the call and must have been made by the same Client; `deadline` of zero takes
// the client's default.

struct GetOptions {
  Read read;
  Session* session = nullptr;
  std::chrono::milliseconds deadline{0};
};

// At most one of the three conditions.
struct PutOptions {
  Ack ack = Ack::kDefault;
  std::optional<std::chrono::milliseconds> ttl;  // empty: the table's default; zero: none
  std::optional<Expiry> expires = {};            // in place of ttl: when; it may have passed
  std::optional<Version> if_version;
  bool if_absent = false;
  bool if_exists = false;
  Session* session = nullptr;
  std::chrono::milliseconds deadline{0};
};

struct DeleteOptions {
  Ack ack = Ack::kDefault;
  std::optional<Version> if_version;
  bool if_exists = false;
  Session* session = nullptr;
  std::chrono::milliseconds deadline{0};
};

struct IncrementOptions {
  Ack ack = Ack::kDefault;
  std::optional<std::chrono::milliseconds> ttl;  // empty: keeps what the record has; zero: none
  std::optional<std::chrono::milliseconds>
      ttl_if_new;  // without ttl, of a record that was not there; empty: the table's
                   // default; zero: none
  std::optional<Version> if_version;
  bool if_absent = false;
  bool if_exists = false;
  Session* session = nullptr;
  std::chrono::milliseconds deadline{0};
};

// Options of a whole batch.
struct WriteOptions {
  Ack ack = Ack::kDefault;
  Session* session = nullptr;
  std::chrono::milliseconds deadline{0};
};

struct ScanOptions {
  KeyRange range;        // everything unless set; KeyRange::Prefix("user") for a prefix
  bool reverse = false;  // from the end down
  uint64_t limit = 0;    // rows at most; 0: all
  bool keys_only = false;
  Read read;
  Session* session = nullptr;
  uint32_t page_bytes = 0;                // 0: 1 MiB
  std::chrono::milliseconds deadline{0};  // of each page, as a scan may be as long as its table
};

// One part of a batch: a write and its condition, or a bare condition.
struct BatchOptions {
  std::optional<std::chrono::milliseconds> ttl;         // of puts and increments
  std::optional<std::chrono::milliseconds> ttl_if_new;  // of increments
  std::optional<Expiry> expires = {};                   // of puts, in place of ttl
  std::optional<Version> if_version;
  bool if_absent = false;
  bool if_exists = false;
};

// Writes that happen together or not at all, within one tablet. A batch names a key at most once; at most 1,000 writes
// and 4 MiB. Nothing is checked before Table::Write.
class Batch {
 public:
  enum class Kind : uint8_t { kPut = 0, kDelete = 1, kIncrement = 2, kCheck = 3, kApply = 4 };
  struct Part {
    Kind kind;
    std::string key;
    std::string value;
    int64_t delta = 0;
    BatchOptions options;
    std::string function = {};  // of kApply, whose arguments are the value
  };

  Batch& Put(std::string_view key, std::string_view value, BatchOptions options = {}) {
    parts_.push_back({Kind::kPut, std::string(key), std::string(value), 0, options});
    return *this;
  }
  Batch& Delete(std::string_view key, BatchOptions options = {}) {
    parts_.push_back({Kind::kDelete, std::string(key), {}, 0, options});
    return *this;
  }
  Batch& Increment(std::string_view key, int64_t delta, BatchOptions options = {}) {
    parts_.push_back({Kind::kIncrement, std::string(key), {}, delta, options});
    return *this;
  }
  // Makes the server apply one of its functions to the record, or to its absence, with these arguments. A refusal is
  // INVALID_ARGUMENT; a read and a conditional write can do the same.
  Batch& Apply(std::string_view key, std::string_view function, std::string_view arguments, BatchOptions options = {}) {
    parts_.push_back({Kind::kApply, std::string(key), std::string(arguments), 0, options, std::string(function)});
    return *this;
  }
  // Writes nothing: the batch happens only if the condition holds.
  Batch& Check(std::string_view key, BatchOptions options) {
    parts_.push_back({Kind::kCheck, std::string(key), {}, 0, options});
    return *this;
  }

  Batch& Add(Part part) {
    parts_.push_back(std::move(part));
    return *this;
  }

  const std::vector<Part>& parts() const { return parts_; }
  std::vector<Part> TakeParts() && { return std::move(parts_); }
  bool empty() const { return parts_.empty(); }
  size_t size() const { return parts_.size(); }

 private:
  std::vector<Part> parts_;
};

struct BatchResult {
  Version version;                   // of the batch's puts, increments and functions; none where it wrote nothing
  std::vector<int64_t> counters;     // results of the increments, in their order
  std::vector<std::string> answers;  // of the functions, in their order
};

// The result of one of many independent writes.
struct PartResult {
  Version version;      // of a put or an increment; of a function's change, none where all of a call changed nothing
  int64_t counter = 0;  // of an increment
  std::string answer = {};  // of a function
};

}  // namespace ebla
