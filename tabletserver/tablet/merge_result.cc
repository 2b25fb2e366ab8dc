#include "tabletserver/tablet/merge_result.h"

#include <algorithm>
#include <map>
#include <utility>

#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {

namespace {

constexpr size_t kFormerMax = 64;

using WriteKey = std::pair<ClientId, Sequence>;

// Keeps the later row of a sequence. Two equal rows were inherited by both tablets.
std::vector<DedupRow> MergeDedupRows(const std::vector<DedupRow>& left, const std::vector<DedupRow>& right) {
  std::map<WriteKey, const DedupRow*> merged;
  for (const std::vector<DedupRow>* rows : {&left, &right}) {
    if (rows == &right && !rules::MergeKeepsDedupWindows()) continue;
    for (const DedupRow& row : *rows) {
      const DedupRow*& kept = merged[{row.client, row.sequence}];
      if (kept == nullptr || kept->version < row.version) kept = &row;
    }
  }
  std::vector<DedupRow> rows;
  rows.reserve(merged.size());
  for (const auto& [key, row] : merged) rows.push_back(*row);
  return rows;
}

// The forgotten part of a range's history is none that the tablet itself has added.
FormerRanges WithoutGaps(const AppliedState& from) {
  FormerRanges pieces;
  KeyRange left = from.range;
  for (const FormerRange& known : from.former != nullptr ? *from.former : FormerRanges{}) {
    if (left.start < known.range.start) pieces.push_back({{left.start, known.range.start}, {}});
    pieces.push_back(known);
    left.start = known.range.end;
    if (left.start.empty()) return pieces;  // to the last key
  }
  if (left.end.empty() || left.start < left.end) pieces.push_back({left, {}});
  return pieces;
}

void AddFormer(const AppliedState& from, FormerRanges& to) {
  FormerRanges pieces = WithoutGaps(from);
  for (FormerRange& piece : pieces) {
    std::vector<EpochStart>& starts = piece.epoch_starts;
    starts.insert(starts.end(), from.epoch_starts.begin(), from.epoch_starts.end());
    if (starts.size() > kEpochStartsMax) starts.erase(starts.begin(), starts.end() - kEpochStartsMax);
    to.push_back(std::move(piece));
  }
}

bool SameStarts(const FormerRange& one, const FormerRange& other) {
  return std::ranges::equal(one.epoch_starts, other.epoch_starts, [](const EpochStart& a, const EpochStart& b) {
    return a.epoch == b.epoch && a.first == b.first;
  });
}

std::shared_ptr<const FormerRanges> MergeFormerRanges(const AppliedState& left, const AppliedState& right) {
  if (!rules::MergeKeepsEpochStarts()) return nullptr;
  FormerRanges pieces;
  AddFormer(left, pieces);
  AddFormer(right, pieces);
  FormerRanges merged;
  for (FormerRange& piece : pieces) {
    if (!merged.empty() && merged.back().range.end == piece.range.start && SameStarts(merged.back(), piece)) {
      merged.back().range.end = piece.range.end;
    } else {
      merged.push_back(std::move(piece));
    }
  }
  const auto latest = [](const FormerRange& one) {
    return one.epoch_starts.empty() ? Epoch{} : one.epoch_starts.back().epoch;
  };
  while (merged.size() > kFormerMax) merged.erase(std::ranges::min_element(merged, {}, latest));
  return std::make_shared<const FormerRanges>(std::move(merged));
}

}  // namespace

std::shared_ptr<const FormerRanges> Clip(const std::shared_ptr<const FormerRanges>& former, const KeyRange& range) {
  if (former == nullptr) return nullptr;
  FormerRanges clipped;
  for (const FormerRange& one : *former) {
    if (one.range.Overlaps(range)) clipped.push_back({one.range.Intersect(range), one.epoch_starts});
  }
  return clipped.empty() ? nullptr : std::make_shared<const FormerRanges>(std::move(clipped));
}

MergeResult MergeFrozen(const FrozenTablet& left, const FrozenTablet& right, const Merged& merged, MonotonicTime now) {
  MergeResult merge_result;
  merge_result.merged = merged;
  merge_result.applied.applied = merged.position;
  merge_result.applied.range = {left.applied.range.start, right.applied.range.end};
  merge_result.applied.time = std::max(left.applied.time, right.applied.time);
  merge_result.applied.dedup_floor = std::max(left.applied.dedup_floor, right.applied.dedup_floor);
  merge_result.applied.epoch_starts = {{merged.position.epoch, merged.position.lsn}};
  merge_result.applied.former = MergeFormerRanges(left.applied, right.applied);
  merge_result.dedup_window = MergeDedupRows(left.dedup_window, right.dedup_window);
  merge_result.lost = left.state.lost || right.state.lost;
  for (const FrozenTablet* one : {&left, &right}) merge_result.clock.RaiseTo(one->clock.Now(now), now);
  merge_result.schema = left.schema->version < right.schema->version ? right.schema : left.schema;
  return merge_result;
}

ReplicaState StateAtMerge(ReplicaState mine, const MergeResult& merge_result) {
  ReplicaState state = std::move(mine);
  state.table = merge_result.schema->table;
  state.schema = merge_result.schema->encoded;
  state.promised = std::max(state.promised, merge_result.merged.position.epoch);
  state.incomplete = false;
  state.may_have_lost_writes = false;
  state.lost = state.lost || merge_result.lost;
  state.incomplete_range = merge_result.applied.range;
  state.lineage_parent = {};
  state.lineage_epoch = {};
  state.lineage_lsn = {};
  state.merged = merge_result.merged;
  if (!rules::MergeLeavesNote()) state.merged.reset();
  return state;
}

ReplicaState StateAsPart(ReplicaState state, const Merged& merged) {
  state.promised = std::max(state.promised, merged.position.epoch);
  state.tombstone = true;
  state.may_have_lost_writes = state.lost = false;
  return state;
}

}  // namespace ebla::tabletserver
