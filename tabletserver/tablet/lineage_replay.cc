#include "tabletserver/tablet/lineage_replay.h"

#include <glog/logging.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {

namespace {

using Replicas = std::vector<RecoveredReplica>;

// How far a parent is to be replayed for this one.
Lsn Through(TabletId parent, const ReplicaState& state) {
  if (!state.merged) return state.lineage_lsn;
  return (state.merged->left.tablet == parent ? state.merged->left : state.merged->right).freeze.lsn;
}

// By growing id, all of them.
const RecoveredReplica* Find(const Replicas& replicas, TabletId id) {
  const auto found = std::ranges::lower_bound(replicas, id, {}, &RecoveredReplica::tablet);
  return found == replicas.end() || found->tablet != id ? nullptr : &*found;
}

// The children of each tablet, by split or merge.
using Children = std::unordered_multimap<TabletId, const RecoveredReplica*>;

Children ChildrenOf(const Replicas& replicas) {
  Children children;
  for (const RecoveredReplica& one : replicas) {
    if (one.state.merged) {
      children.emplace(one.state.merged->left.tablet, &one);
      children.emplace(one.state.merged->right.tablet, &one);
    } else if (one.state.lineage_parent) {
      children.emplace(one.state.lineage_parent, &one);
    }
  }
  return children;
}

// Whether the checkpoint is older than the child, so that its parents are there as they were then.
bool IsYounger(const RecoveredReplica& child, const Replicas& replicas) {
  const ReplicaState& state = child.state;
  const auto parents = state.merged ? std::vector{state.merged->left.tablet, state.merged->right.tablet}
                                    : std::vector{state.lineage_parent};
  return std::ranges::any_of(parents, [&](TabletId id) {
    const RecoveredReplica* parent = Find(replicas, id);
    if (parent == nullptr) return false;
    if (parent->applied) return state.merged || parent->applied->applied.lsn < state.lineage_lsn;
    return (parent->state.lineage_parent || parent->state.merged) && IsYounger(*parent, replicas);
  });
}

// The tablets made by splits and merges that have no applied state. A tombstone's remains are removed when its parent
// is replayed, or with the tablets that it was merged of, unless one of its own children has to be restored. A tablet
// that is to be copied is restored only for the sake of its parents' ranges.
std::set<TabletId> FindMissing(const Replicas& replicas, const Children& children) {
  std::set<TabletId> missing;
  const auto wants = [&](const RecoveredReplica& one) {
    return missing.contains(one.tablet) && (!one.state.incomplete || IsYounger(one, replicas));
  };
  for (auto at = replicas.rbegin(); at != replicas.rend(); ++at) {  // an id is above its parents'
    if (at->applied || (!at->state.lineage_parent && !at->state.merged)) continue;
    if (at->state.merged && at->state.incomplete && !IsYounger(*at, replicas)) continue;
    const auto [first, last] = children.equal_range(at->tablet);
    const bool wanted = std::any_of(first, last, [&](const auto& child) { return wants(*child.second); });
    if (!at->state.tombstone || wanted) missing.insert(at->tablet);
  }
  return missing;
}

// Whether the child's data need not be restored, because it is to be copied. But if its parent's log can restore it,
// the parent has not been split yet, and still holds its range.
bool MayBeGone(const RecoveredReplica& child) { return child.state.incomplete && !child.state.merged; }

// Whether the parent's log can restore the child. It cannot if the parent's range lacks the child's already, because
// its data was being discarded when this server stopped.
bool Reaches(const RecoveredReplica& parent, const RecoveredReplica& child) {
  const KeyRange& range = parent.applied ? parent.applied->range : parent.state.incomplete_range;
  const Lsn next = parent.applied ? parent.applied->applied.lsn.Next() : Lsn{1};
  return parent.first_logged && parent.first_logged.lsn <= next &&
         Through(parent.tablet, child.state) <= parent.last_logged.lsn &&
         (child.state.merged || range.Contains(child.state.incomplete_range.start));
}

// The position to which the parent must be replayed for its children.
Lsn WantedOf(const RecoveredReplica& parent, const Children& children, const std::set<TabletId>& missing, bool lost) {
  Lsn wanted;
  const auto [first, last] = children.equal_range(parent.tablet);
  for (auto at = first; at != last; ++at) {
    const RecoveredReplica& child = *at->second;
    if (!missing.contains(child.tablet)) continue;
    if ((lost || MayBeGone(child)) && !Reaches(parent, child)) continue;
    wanted = std::max(wanted, Through(parent.tablet, child.state));
  }
  return parent.applied && wanted <= parent.applied->applied.lsn ? Lsn{} : wanted;
}

// The log lacks a part. So it may not restore what else it would.
bool IsLost(TabletStore& store) { return store.lost_replicas().loss().has_value(); }

Status ApplyReplay(TabletStore& store, TabletCore::Replay replay, Replicas& replicas) {
  std::vector<ApplyBatch> batches;
  batches.push_back(std::move(replay.apply));
  if (replay.split != nullptr) {
    const TabletId child = replay.split->split.child;
    const auto split_child = std::ranges::find(replicas, child, &RecoveredReplica::tablet);
    if (IsLost(store) && (split_child == replicas.end() || !split_child->state.table)) {
      EBLA_TRY(store.Apply(batches));
      return store.TruncateRange(batches.front().table, replay.split->applied.range);  // no replica has these records
    }
    if (split_child == replicas.end()) {
      return Error(Code::kInternal, "tablet " + std::to_string(child.value) + ", split off, has no state on this disk");
    }
    ApplyBatch& batch = batches.emplace_back();
    batch.tablet = child;
    batch.table = batches.front().table;
    batch.dedup_window.put = replay.split->dedup_window;
    batch.state = replay.split->applied;
    split_child->applied = replay.split->applied;
    split_child->dedup_window = replay.split->dedup_window;
    split_child->replayed = true;
  }
  return store.Apply(batches);
}

Status Replay(TabletStore& store, const TabletSchemaDecoder& decode, const DedupLimits& dedup_window,
              RecoveredReplica& parent, Lsn through, Replicas& replicas) {
  EBLA_ASSIGN(TabletSchema schema, decode(parent.state.schema));
  TabletOptions options;
  options.tablet = parent.tablet;
  options.dedup_window = dedup_window;
  RecoveredReplica then = parent;
  then.state.tombstone = false;
  then.state.incomplete = false;
  TabletReaders readers;
  readers.records.get = [](std::span<const std::string_view> keys) {
    return std::vector<std::optional<StoredRecord>>(keys.size());
  };
  readers.log = [&](Lsn from, Lsn last, size_t bytes_max) {
    return store.ReadLog(parent.tablet, from, last, bytes_max);
  };
  TabletCore core(options, std::move(then), std::move(schema), std::move(readers));
  core.Step(KnownCommitted{through});
  while (std::optional<TabletCore::Replay> batch = core.TakeReplay()) {
    const Version applied = batch->apply.state.applied;
    EBLA_TRY(ApplyReplay(store, *std::move(batch), replicas));
    core.Step(Applied{applied});
  }
  EBLA_TRY(core.replica().failure());
  if (core.applied_state().applied.lsn < through) {
    return Error(Code::kInternal, "the log of tablet " + std::to_string(parent.tablet.value) + " ends before lsn " +
                                      std::to_string(through.value) + ", through which others need it");
  }
  parent.applied = core.applied_state();
  parent.dedup_window = core.DedupRows();
  parent.replayed = true;
  return {};
}

Result<FrozenTablet> FrozenOf(const RecoveredReplica& part, const MergedTablet& as, const TabletSchemaDecoder& decode) {
  if (!part.applied || part.applied->applied != as.freeze) {
    return Error(Code::kInternal, "tablet " + std::to_string(part.tablet.value) +
                                      ", which was merged, is not applied through its FREEZE");
  }
  EBLA_ASSIGN(TabletSchema schema, decode(part.state.schema));
  return FrozenTablet{part.tablet,       part.state, *part.applied,
                      part.dedup_window, {},         std::make_shared<const TabletSchema>(std::move(schema))};
}

bool HasFrozen(const Replicas& replicas, const MergedTablet& part) {
  const RecoveredReplica* const found = Find(replicas, part.tablet);
  return found != nullptr && found->applied && found->applied->applied == part.freeze;
}

// Merges as the shards did before the crash.
Status MergeAgain(TabletStore& store, const TabletSchemaDecoder& decode, RecoveredReplica& merged,
                  RecoveredReplica& left, RecoveredReplica& right) {
  const Merged& of = *merged.state.merged;
  EBLA_ASSIGN(const FrozenTablet frozen_left, FrozenOf(left, of.left, decode));
  EBLA_ASSIGN(const FrozenTablet frozen_right, FrozenOf(right, of.right, decode));
  const MergeResult merge_result = MergeFrozen(frozen_left, frozen_right, of, {});
  std::vector<ApplyBatch> batches(3);
  batches[0].tablet = merged.tablet;
  batches[0].dedup_window.put = merge_result.dedup_window;
  batches[0].state = merge_result.applied;
  for (size_t i = 1; RecoveredReplica * part : {&left, &right}) {
    part->state = StateAsPart(std::move(part->state), of);
    part->applied.reset();
    part->dedup_window.clear();
    part->replayed = true;
    EBLA_TRY(store.PutReplicaState(part->tablet, part->state));
    batches[i].tablet = part->tablet;
    batches[i++].forget = true;
  }
  for (ApplyBatch& batch : batches) batch.table = merge_result.schema->table;
  merged.applied = merge_result.applied;
  merged.dedup_window = merge_result.dedup_window;
  merged.replayed = true;
  return store.Apply(batches);
}

Status MergeAgain(TabletStore& store, const TabletSchemaDecoder& decode, RecoveredReplica& merged, Replicas& replicas) {
  const auto find = [&](TabletId id) { return std::ranges::find(replicas, id, &RecoveredReplica::tablet); };
  const auto left = find(merged.state.merged->left.tablet), right = find(merged.state.merged->right.tablet);
  if (left == replicas.end() || right == replicas.end()) {
    return Error(Code::kInternal,
                 "what tablet " + std::to_string(merged.tablet.value) + " was merged from is not on this disk");
  }
  LOG(INFO) << "tablets " << left->tablet << " and " << right->tablet << " are merged again: tablet " << merged.tablet;
  return MergeAgain(store, decode, merged, *left, *right);
}

}  // namespace

Status ReplayLineages(TabletStore& store, const TabletSchemaDecoder& decode, const DedupLimits& dedup_window,
                      Replicas& replicas) {
  // An id is above its parents': grandchildren follow.
  std::ranges::sort(replicas, {}, &RecoveredReplica::tablet);
  const Children children = ChildrenOf(replicas);
  const std::set<TabletId> missing = FindMissing(replicas, children);
  const bool lost = IsLost(store);
  for (RecoveredReplica& one : replicas) {
    const bool merges = one.state.merged && missing.contains(one.tablet);
    const bool can =
        merges && HasFrozen(replicas, one.state.merged->left) && HasFrozen(replicas, one.state.merged->right);
    if (merges && (can || !lost)) EBLA_TRY(MergeAgain(store, decode, one, replicas));
    const Lsn wanted = WantedOf(one, children, missing, lost);
    if (!wanted || !rules::LineageReplaysInOrder()) continue;
    LOG(INFO) << "tablet " << one.tablet << " is replayed through lsn " << wanted << " for the tablets made from it";
    EBLA_TRY(Replay(store, decode, dedup_window, one, wanted, replicas));
  }
  for (const RecoveredReplica& one : replicas) {
    if (lost || !missing.contains(one.tablet) || one.replayed || MayBeGone(one) || !rules::LineageReplaysInOrder())
      continue;
    return Error(Code::kInternal,
                 "tablet " + std::to_string(one.tablet.value) + " is missing, and no log brings it back");
  }
  return {};
}

}  // namespace ebla::tabletserver
