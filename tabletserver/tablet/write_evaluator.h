// tabletserver/tablet/write_evaluator.h
// Turns a client's batch of commands into effects (absolute puts and deletes) and an outcome, against the records as
// they are after everything in the log. Pure.
// Place:      tablet_core.h calls it once for each new write and logs the result, refusals included (PROTOCOL 18).
// Invariants: 1. All conditions hold and all writes take effect, or there are no effects.
//             2. A write sees what the earlier ones of its batch have done. Only functions may meet at a key, so
//                without functions the order of a batch does not matter.
//             3. In a last_write_wins table a key's stamps (time, server) only grow. A client's write is later than
//                the value that it replaces, even if clocks disagree, and a delivered write has no effect unless it is
//                later. A delete has a time like a put, and stays as a tombstone until a purge (PROTOCOL 22).
// Threads:    functions of their arguments.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/functions.h"
#include "tabletserver/tablet/logged_records.h"
#include "tabletserver/tablet/tablet_types.h"
#include "tabletserver/tablet/unapplied_writes.h"

namespace ebla::tabletserver {

struct EvaluationContext {
  TabletTime now;  // of the entry to be
  const TabletSchema& schema;
  UnappliedWrites& unapplied;
  const RecordReaders& read;
  const KeyRange& range;                 // of the tablet
  const Functions* functions = nullptr;  // null: there are none
  const ServerName& server;              // last_write_wins: the write's accepting server, unless it names one
  int64_t tombstone_retention_ms = 0;    // last_write_wins: older writes are refused
  Version change_version = {};           // of the entry to be
};

struct Evaluation {
  Outcome outcome;
  std::vector<Effect> effects;  // empty unless the outcome is OK
};

// Checks a batch, independent of records: INVALID_ARGUMENT (empty, too large, bad key or value, a key twice, unless
// functions are applied to it each time, a TTL out of bounds). The refusal is not logged, because any later attempt is
// refused alike.
Status CheckBatch(std::span<const Write> writes);

// When what a put writes at this time expires; none: never.
TabletTime ExpiryOf(const Write& put, TabletTime now, const TabletSchema& schema);

// An error is the reader's: nothing is known, nothing may be logged.
Result<Evaluation> Evaluate(std::vector<Write> writes, const EvaluationContext& context);

// A refusal that depends on state, without effects.
Outcome Refusal(Code code, std::string message, int32_t failed_index);

// A digest of what a batch asks for (XXH3), the same in every process and build: it is kept on disk.
uint64_t DigestOf(std::span<const Write> writes);

// A counter's text; nullopt unless it is a decimal int64 and nothing else.
std::optional<int64_t> ParseCounter(std::string_view text);

}  // namespace ebla::tabletserver
