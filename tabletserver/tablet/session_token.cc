#include "tabletserver/tablet/session_token.h"

#include <algorithm>

#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {

bool InHistory(Version version, const std::vector<EpochStart>& starts) {
  if (!starts.empty() && version.epoch < starts.front().epoch) return true;
  for (size_t i = 0; i < starts.size(); ++i) {
    if (starts[i].epoch != version.epoch) continue;
    return starts[i].first <= version.lsn && (i + 1 == starts.size() || starts[i + 1].first > version.lsn);
  }
  return false;
}

bool InHistory(Version version, const KeyRange& range, const TabletView& view) {
  const bool older =
      view.former != nullptr && (view.epoch_starts.empty() || version.epoch < view.epoch_starts.front().epoch);
  if (!older) return InHistory(version, view.epoch_starts);
  return std::ranges::all_of(*view.former, [&](const FormerRange& former) {
    return !former.range.Overlaps(range) || InHistory(version, former.epoch_starts);
  });
}

namespace {

TokenVerdict::Kind Judge(Version version, const KeyRange& range, const TabletView& view) {
  if (!version) return TokenVerdict::Kind::kServe;
  if (view.applied.lsn < version.lsn && view.applied.epoch <= version.epoch) return TokenVerdict::Kind::kWait;
  const bool in_history = InHistory(version, range, view) || !rules::LostWritesAreNoticed();
  return in_history ? TokenVerdict::Kind::kServe : TokenVerdict::Kind::kLost;
}

}  // namespace

TokenVerdict JudgeToken(std::span<const TokenRange> token, const KeyRange& range, const TabletView& view) {
  TokenVerdict verdict;
  const auto consider = [&](Version version, const KeyRange& keys) {
    const TokenVerdict::Kind kind = Judge(version, keys, view);
    if (kind == TokenVerdict::Kind::kWait) {
      verdict.of_one_epoch = verdict.of_one_epoch && (!verdict.version || verdict.version.epoch == version.epoch);
      verdict.version = std::max(verdict.version, version);
    }
    if (kind == TokenVerdict::Kind::kLost) verdict.lost.push_back(version);
  };
  for (const TokenRange& seen : token) {
    if (!seen.range.Overlaps(range)) continue;
    const KeyRange keys = seen.range.Intersect(range);
    consider(seen.applied, keys);
    // Lists all of them, because the session drops its pending writes once it has been judged.
    for (const Version& pending : seen.pending_primary) consider(pending, seen.range.Intersect(view.range));
  }
  if (verdict.version) verdict.kind = TokenVerdict::Kind::kWait;
  if (!verdict.lost.empty()) verdict.kind = TokenVerdict::Kind::kLost;
  return verdict;
}

}  // namespace ebla::tabletserver
