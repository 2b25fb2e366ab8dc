#include "tabletserver/storage/lost_replicas.h"

#include <algorithm>

namespace ebla::tabletserver {

namespace {

RecoveredReplica* Find(std::vector<RecoveredReplica>& replicas, TabletId tablet) {
  const auto found = std::ranges::lower_bound(replicas, tablet, {}, &RecoveredReplica::tablet);
  return found == replicas.end() || found->tablet != tablet ? nullptr : &*found;
}

}  // namespace

Status LostReplicas::Recover(std::vector<RecoveredReplica>& replicas) {
  EBLA_ASSIGN(const std::optional<std::string> below, log_.Get(kForgotKey));
  if (below) {
    EBLA_ASSIGN(const TabletId id, DecodeForgotBelow(*below));
    forgot_below_ = id.value;
  }
  for (std::string at;;) {
    EBLA_ASSIGN(const std::optional<TabletLog::Value> mark, log_.Next(kLostKeys, at));
    if (!mark) return {};
    at = mark->first;
    EBLA_ASSIGN(const TabletId tablet, ParseLostKey(at));
    if (RecoveredReplica* const found = Find(replicas, tablet)) found->state.lost = found->state.present();
  }
}

// The notes of their end are lost with the log, but a checkpoint has the merged tablet with their records.
Status LostReplicas::BuryMergedParts(std::vector<RecoveredReplica>& replicas) {
  for (const RecoveredReplica& merged : replicas) {
    if (!merged.state.merged || !merged.state.present() || !merged.applied) continue;
    for (const TabletId part : {merged.state.merged->left.tablet, merged.state.merged->right.tablet}) {
      RecoveredReplica* const gone = Find(replicas, part);
      if (gone == nullptr || gone->applied || gone->state.tombstone) continue;
      gone->state.tombstone = true;
      EBLA_TRY(log_.PutState(part, gone->state));
    }
  }
  return {};
}

Status LostReplicas::Mark(std::vector<RecoveredReplica>& replicas) {
  forgot_below_ = UINT64_MAX;
  EBLA_TRY(NoteForgotBelow());
  EBLA_TRY(BuryMergedParts(replicas));
  for (RecoveredReplica& replica : replicas) {
    ReplicaState& state = replica.state;
    if (!state.present()) continue;
    state.lost = true;
    // The cleaner had moved the entries between to the end of the log, which is lost.
    if (replica.applied && replica.first_logged.lsn > replica.applied->applied.lsn.Next()) {
      EBLA_TRY(log_.Forget(replica.tablet, {}));
      replica.first_logged = replica.last_logged = {};
    }
    // The last checkpoint gave the records to another tablet, and the rest of the log does not begin with the first.
    const bool whole = replica.applied || state.lineage_parent || state.merged || replica.first_logged.lsn <= Lsn{1};
    state.incomplete = state.incomplete || !whole;
    EBLA_TRY(log_.PutState(replica.tablet, state));
  }
  EBLA_TRY(log_.Erase(kLogLossKey));  // on the disk no earlier than the marks are
  return log_.Flush(FlushMode::kSync);
}

void LostReplicas::LowerForgotBelow(TabletId next_id) {
  uint64_t below = forgot_below_.load(std::memory_order_relaxed);
  while (next_id.value < below && !forgot_below_.compare_exchange_weak(below, next_id.value)) {
  }
}

}  // namespace ebla::tabletserver
