// tabletserver/tablet/session_token.h
// A session's seen positions, and whether a replica has reached them (PROTOCOL 17). Pure.
// Place:   read_path.cc judges SESSION reads with it.
// Threads: functions of their arguments.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "common/base/key_range.h"
#include "tabletserver/tablet/tablet_types.h"

namespace ebla::tabletserver {

// A session's position in one range of a table.
struct TokenRange {
  KeyRange range;
  Version applied;                       // everything up to here was seen
  std::vector<Version> pending_primary;  // own PRIMARY writes not yet known applied
};

struct TokenVerdict {
  enum class Kind { kServe, kWait, kLost };
  Kind kind = Kind::kServe;
  Version version;            // the last one to wait for
  bool of_one_epoch = true;   // all that are to be waited for are of its epoch
  std::vector<Version> lost;  // all that were
};

// Whether the version is part of the history: there its epoch began at or below it and the next one, if any, above.
// Positions of epochs before the first remembered one count as reached.
bool InHistory(Version version, const std::vector<EpochStart>& starts);
// The same of a tablet that may have been merged: what is older than the merge is judged by every former range that has
// keys in common with `range`.
bool InHistory(Version version, const KeyRange& range, const TabletView& view);

// Judges the ranges of the token that touch `range` against what the view's replica has applied.
TokenVerdict JudgeToken(std::span<const TokenRange> token, const KeyRange& range, const TabletView& view);

}  // namespace ebla::tabletserver
