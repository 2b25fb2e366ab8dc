// client/core/session/session_tokens.h
// The positions that a session has seen, by table and range of keys, and their text form. Pure.
//
//   [a, m) applied 3.118
//   [m, z) applied 2.40, own PRIMARY write 3.2 not yet known applied
//
// A position is kept per range, not per tablet: versions grow along each key's life, so it stays right when tablets
// split, merge or move (PROTOCOL 17).
// Invariants: 1. Ranges are disjoint and ordered; equal neighbours are merged.
//             2. A range's `applied` only grows, except when LOST_WRITE sets it back.
//             3. A pending write is removed only if the applied history is known to contain it, or if LOST_WRITE
//                answered a request that named it. Notes of concurrent calls stay.
//             4. Past kTokenRangesMax ranges, or kPendingMax pending writes in one, a token is coarse: it names no
//                position, and is read at STRONG.
// Place:      session_state.h wraps it in a lock; operations note what replies say.
// Threads:    thread-compatible.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/base/status.h"

namespace ebla::client {

inline constexpr size_t kTokenRangesMax = 64;      // of one table in one token, as sent and exported
inline constexpr size_t kPendingMax = 16;          // of one range: epochs of which no later answer spoke
inline constexpr size_t kSessionRangesMax = 4096;  // of one table in memory: a request sends only what it touches

struct TokenRange {
  KeyRange range;
  Version applied;
  std::vector<Version> pending_primary;  // own PRIMARY writes not yet known applied: the greatest of each epoch

  friend bool operator==(const TokenRange&, const TokenRange&) = default;
};

class TableToken {
 public:
  // Notes a reply for keys of `range` from a tablet that has applied `applied`.
  void Observe(const KeyRange& range, Version applied);
  // A PRIMARY write in `range` was acknowledged, perhaps before it was applied.
  void Wrote(const KeyRange& range, Version version);
  // A SESSION read of keys in `range` that carried `sent` succeeded at `applied`: all that it named is in the history.
  void Judged(const std::vector<TokenRange>& sent, const KeyRange& range, Version applied);
  // A failover rolled back a version of `sent` in `range`; the session continues from `applied`. Returns the versions
  // that it no longer waits for: lost ones, and ones in the history.
  std::vector<Version> Lost(const std::vector<TokenRange>& sent, const KeyRange& range, Version applied);

  // The ranges that overlap `touched`.
  std::vector<TokenRange> For(const KeyRange& touched) const;
  const std::vector<TokenRange>& ranges() const { return ranges_; }
  bool coarse() const { return coarse_; }
  void Coarsen();
  // INVALID_ARGUMENT unless invariant 1 holds of them.
  static Result<TableToken> FromRanges(std::vector<TokenRange> ranges);

 private:
  template <class Change>
  void Apply(const KeyRange& range, Change change);

  std::vector<TokenRange> ranges_;
  bool coarse_ = false;
};

using SessionTokens = std::map<TableId, TableToken>;

// Base64url of format byte 1, then tables and ranges as the functions in the source say. Decoding refuses anything that
// Encode did not make: INVALID_ARGUMENT.
std::string EncodeTokens(const SessionTokens& tokens);
Result<SessionTokens> DecodeTokens(std::string_view text);

}  // namespace ebla::client
