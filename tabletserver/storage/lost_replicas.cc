#include "tabletserver/storage/lost_replicas.h"

#include <glog/logging.h>

#include <algorithm>
#include <map>
#include <ranges>
#include <string>
#include <utility>

namespace ebla::tabletserver {

namespace {

RecoveredReplica* Find(LostReplicas::Replicas& replicas, TabletId tablet) {
  const auto found = std::ranges::lower_bound(replicas, tablet, {}, &RecoveredReplica::tablet);
  return found == replicas.end() || found->tablet != tablet ? nullptr : &*found;
}

// The position after which its log is needed.
Lsn BaseOf(const RecoveredReplica& replica) {
  if (replica.applied) return replica.applied->applied.lsn;
  return replica.state.merged ? replica.state.merged->position.lsn : replica.state.lineage_lsn;
}

bool IsMade(const ReplicaState& state) { return state.lineage_parent || state.merged; }

// Ranges of tables, none of which overlap.
class Places {
 public:
  bool Overlaps(TableId table, const KeyRange& range) const {
    const auto of_table = places_.find(table);
    if (of_table == places_.end()) return false;
    const auto after = of_table->second.upper_bound(range.start);
    return (after != of_table->second.end() && after->second.Overlaps(range)) ||
           (after != of_table->second.begin() && std::prev(after)->second.Overlaps(range));
  }
  void Add(TableId table, const KeyRange& range) { places_[table].emplace(range.start, range); }
  // The ranges between them.
  std::vector<KeyRange> Gaps(TableId table) const {
    std::vector<KeyRange> gaps;
    std::string from;
    if (const auto of_table = places_.find(table); of_table != places_.end()) {
      for (const auto& [start, range] : of_table->second) {
        if (from < start) gaps.push_back({from, start});
        if (range.end.empty()) return gaps;
        from = range.end;
      }
    }
    gaps.push_back({from, {}});
    return gaps;
  }

 private:
  std::map<TableId, std::map<std::string, KeyRange>> places_;
};

}  // namespace

Status CheckExplained(const SharedLog& log, RecordStore& records, const LogLoss& loss) {
  EBLA_ASSIGN(const std::vector<TabletId> applied, records.Tablets());
  for (const TabletId tablet : applied) {
    EBLA_ASSIGN(const std::optional<std::string> encoded, log.Get(ReplicaStateKey(tablet)));
    EBLA_ASSIGN(const ReplicaState state, encoded ? DecodeReplicaState(*encoded) : ReplicaState());
    if (state.table) continue;
    return Error(Code::kInternal, Describe(loss) + ", and it has lost that tablet " + std::to_string(tablet.value) +
                                      " is here, whose records are whole: put the file back");
  }
  return {};
}

Status LostReplicas::Recover(Replicas& replicas) {
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
Status LostReplicas::BuryMergedParts(Replicas& replicas) {
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

Status LostReplicas::Mark(Replicas& replicas) {
  forgot_below_ = UINT64_MAX;
  EBLA_TRY(NoteForgotBelow());
  EBLA_TRY(BuryMergedParts(replicas));
  for (RecoveredReplica& replica : replicas) {
    if (!replica.state.present()) continue;
    replica.state.lost = true;
    replica.state.may_have_lost_writes = true;  // all that an older build knows of
    // The cleaner had moved the entries between to the end of the log, which is lost.
    if (replica.first_logged.lsn > BaseOf(replica).Next()) {
      EBLA_TRY(log_.Forget(replica.tablet, {}));
      replica.first_logged = replica.last_logged = {};
    }
    EBLA_TRY(log_.PutState(replica.tablet, replica.state));
  }
  EBLA_TRY(ForgetGone(replicas));
  EBLA_TRY(log_.Flush(FlushMode::kSync));  // states that explain records are on the disk before these change
  EBLA_TRY(ForgetUnknown(replicas));
  EBLA_TRY(EmptyGaps(replicas));
  marked_ = true;
  return {};
}

// Replicas without records that the checkpoint would have if they were still here. Either a younger tablet is applied
// in their place, or neither a lineage nor the log has their beginning. To replay the log of the former would change
// the younger tablet's records.
Status LostReplicas::ForgetGone(Replicas& replicas) {
  Places younger;
  for (RecoveredReplica& replica : replicas | std::views::reverse) {
    const ReplicaState& state = replica.state;
    if (replica.applied) {
      younger.Add(state.table, replica.applied->range);
    } else if (state.present()) {
      const bool begins = IsMade(state) || state.incomplete || replica.first_logged.lsn == Lsn{1};
      if (!begins || younger.Overlaps(state.table, state.incomplete_range)) EBLA_TRY(Forget(replica));
    }
  }
  return {};
}

// But for its promises: from now on the tablet is one that may have been here (PROTOCOL 6).
Status LostReplicas::Forget(RecoveredReplica& replica) {
  LOG(WARNING) << "what is left of the log does not restore tablet " << replica.tablet << ": its replica is forgotten";
  EBLA_TRY(log_.Forget(replica.tablet, {}));
  const ReplicaState& before = replica.state;
  ReplicaState promise;
  promise.promised = before.promised;
  promise.led = before.led;
  promise.longest_lease_ms = before.longest_lease_ms;
  const TabletId tablet = replica.tablet;
  replica = {};
  replica.tablet = tablet;
  replica.state = std::move(promise);
  return log_.PutState(tablet, replica.state);
}

Status LostReplicas::ForgetUnknown(const Replicas& replicas) {
  const auto known = [&](TabletId tablet) {
    const auto found = std::ranges::lower_bound(replicas, tablet, {}, &RecoveredReplica::tablet);
    return found != replicas.end() && found->tablet == tablet && found->state.table;
  };
  for (const TabletId tablet : log_.Tablets()) {
    if (!known(tablet)) EBLA_TRY(log_.Forget(tablet, {}));
  }
  EBLA_ASSIGN(const std::vector<TabletId> applied, records_.Tablets());
  for (const TabletId tablet : applied) {
    if (!known(tablet)) EBLA_TRY(records_.Forget(tablet));
  }
  return {};
}

// A tablet that is created empty finds nothing in its place, and neither does one whose log is replayed from its
// beginning.
Status LostReplicas::EmptyGaps(const Replicas& replicas) {
  Places covered;
  for (const RecoveredReplica& replica : replicas) {
    if (replica.applied) covered.Add(replica.state.table, replica.applied->range);
  }
  for (const TableId table : records_.Tables()) {
    for (const KeyRange& gap : covered.Gaps(table)) EBLA_TRY(records_.ReplaceInterval(table, gap, {}));
  }
  return {};
}

Status LostReplicas::Settle(Replicas& replicas) {
  Places taken;
  for (const RecoveredReplica& replica : replicas) {
    if (replica.applied) taken.Add(replica.state.table, replica.applied->range);
  }
  for (RecoveredReplica& replica : replicas) {
    const ReplicaState& state = replica.state;
    if (replica.applied || !state.present()) continue;
    if (IsMade(state) || taken.Overlaps(state.table, state.incomplete_range)) {
      EBLA_TRY(Forget(replica));
    } else {
      taken.Add(state.table, state.incomplete_range);
    }
  }
  return log_.Flush(FlushMode::kSync);
}

void LostReplicas::LowerForgotBelow(TabletId next_id) {
  uint64_t below = forgot_below_.load(std::memory_order_relaxed);
  while (next_id.value < below && !forgot_below_.compare_exchange_weak(below, next_id.value)) {
  }
}

}  // namespace ebla::tabletserver
