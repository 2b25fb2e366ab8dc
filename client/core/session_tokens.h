// client/core/session_tokens.h
// What a session has seen of each table, by range of keys, and its text form. Pure.
//
//   [a, m) applied 3.118
//   [m, z) applied 2.40, own PRIMARY write 3.2 not yet known applied
//
// A position is kept per range, not per tablet: versions grow along each key's life, so it stays right when tablets
// split, merge or move (PROTOCOL 17).
// Invariants: 1. Ranges are disjoint and ordered; neighbours that say the same are one.
//             2. A range's `applied` only grows, but where LOST_WRITE said where to go on.
//             3. Past kTokenRangesMax ranges a token is coarse: it names no position, and is read at STRONG.
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
inline constexpr size_t kSessionRangesMax = 4096;  // of one table in memory: a request sends only what it touches

struct TokenRange {
  KeyRange range;
  Version applied;
  std::vector<Version> pending_primary;  // own PRIMARY writes not yet known applied: the greatest of each epoch

  friend bool operator==(const TokenRange&, const TokenRange&) = default;
};

class TableToken {
 public:
  // A reply for keys of `range` came from a tablet that has applied `applied`.
  void Saw(const KeyRange& range, Version applied);
  // A PRIMARY write in `range` was acknowledged, perhaps before it was applied.
  void Wrote(const KeyRange& range, Version version);
  // A SESSION read that carried this token succeeded at `applied`: the server has judged what is at or below it.
  void Judged(const KeyRange& range, Version applied);
  // A failover undid a write of this session in `range`; reads go on from `applied`.
  void Lost(const KeyRange& range, Version applied);

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
