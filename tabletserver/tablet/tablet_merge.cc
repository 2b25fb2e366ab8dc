// The part of TabletCore that merges (PROTOCOL 14, 17, 18): FREEZE, the order and its application; what the two hand
// over, and what is made of it.
#include <glog/logging.h>

#include <algorithm>
#include <map>

#include "tabletserver/tablet/rules.h"
#include "tabletserver/tablet/tablet_core.h"

namespace ebla::tabletserver {

namespace {

constexpr int64_t kFrozenRetryMs = 5;
constexpr size_t kFormerMax = 64;

}  // namespace

// ---- FREEZE ---------------------------------------------------------------------------------------------------------

void TabletCore::Step(const FreezeTablet& input) {
  Observe(input.now);
  if (Status status = CheckFreeze(input); !status.ok()) return AnswerFreeze(input.token, std::move(status));
  freeze_waiters_.push_back(input.token);
  if (!pending_freeze_) {
    LogEntry entry;
    entry.kind = EntryKind::kFreeze;
    entry.detail = EncodeFreezeDetail({input.into});
    pending_freeze_ = PendingFreeze{Append(std::move(entry), now_)->version, input.into};
    replica_.Step(EndLease{now_});
    view_dirty_ = true;
  }
  SettleFreeze();  // asked again, maybe
}

Status TabletCore::CheckFreeze(const FreezeTablet& input) const {
  EBLA_TRY(failure_);
  const bool this_epoch = replica_.epoch() == input.epoch || !rules::FreezeNeedsItsEpoch();
  if (!replica_.Leads() || !this_epoch) {
    return Error(Code::kStaleEpoch, "this replica does not lead epoch " + std::to_string(input.epoch.value));
  }
  if (pending_freeze_) {
    if (pending_freeze_->into == input.into) return {};
    return Error(Code::kUnavailable, "the tablet is frozen for tablet " + std::to_string(pending_freeze_->into.value));
  }
  if (input.into <= options_.tablet) {
    return Error(Code::kInvalidArgument, "tablet " + std::to_string(options_.tablet.value) +
                                             " cannot become part of tablet " + std::to_string(input.into.value));
  }
  if (!replica_.admitting()) return Error(Code::kComeAgain, "the tablet's leadership is being transferred");
  if (!replica_.standing().BarrierApplied() || applied_.applied.lsn < replay_upto_) {
    return Error(Code::kComeAgain, "the tablet's new primary has not begun to serve yet");
  }
  if (pending_split_) return Error(Code::kComeAgain, "a split is under way");
  if (replica_.store_stalled()) return Error(Code::kOverloaded, "the disk takes no more writes for now");
  return {};
}

// Nothing more is appended in this epoch: what every replica then applies is all that a merge combines.
bool TabletCore::Frozen() const {
  return pending_freeze_ || (!rules::BarrierThaws() && replica_.Leads() && applied_.freeze);
}

bool TabletCore::RefuseWhileFrozen(const WriteRequest& request) {
  if (!Frozen() || !rules::FreezeEndsWrites()) return false;
  RefuseWrite(request.token, Error(Code::kComeAgain, "the tablet is being merged"), kFrozenRetryMs);
  return true;
}

Status TabletCore::ApplyFreeze(const LogEntry& entry, ApplyBatch& batch) const {
  EBLA_ASSIGN(const FreezeDetail detail, DecodeFreezeDetail(entry.detail));
  batch.state.freeze = AppliedFreeze{detail.into, entry.version};
  return {};
}

// Each voter can then apply it, whoever tells it that it is committed.
void TabletCore::SettleFreeze() {
  if (freeze_waiters_.empty() || !pending_freeze_) return;
  const Lsn lsn = pending_freeze_->version.lsn;
  const bool everywhere = replica_.standing().all_flushed() >= lsn || !rules::FreezeIsFlushedEverywhere();
  if (applied_.applied.lsn < lsn || !everywhere) return;
  for (const RequestToken token : std::exchange(freeze_waiters_, {})) AnswerFreeze(token, {});
}

void TabletCore::AnswerFreeze(RequestToken token, Status status) {
  ControlReply reply;
  reply.token = token;
  if (status.ok()) reply.freeze = pending_freeze_->version;
  reply.status = std::move(status);
  reply.promised = replica_.state().promised;
  reply.known = replica_.role() != RoleKind::kAbsent;
  reply.time = clock_.Now(now_);
  control_replies_.push_back(std::move(reply));
}

// Whoever leads a later epoch admits at once; whether FREEZE is part of its log or not, its Barrier ends it.
void TabletCore::GiveUpFreeze() {
  pending_freeze_.reset();
  for (const RequestToken token : std::exchange(freeze_waiters_, {})) {
    AnswerFreeze(token, Error(Code::kStaleEpoch, "the epoch ended before the freeze was applied everywhere"));
  }
}

// ---- handing over ---------------------------------------------------------------------------------------------------

Status TabletCore::Unready(Version freeze, TabletId into) const {
  const std::string name = "tablet " + std::to_string(options_.tablet.value);
  if (replica_.role() == RoleKind::kAbsent) return Error(Code::kNotFound, "no replica of " + name + " is here");
  EBLA_TRY(failure_);
  if (replica_.state().incomplete) return Error(Code::kUnavailable, "the replica of " + name + " is incomplete");
  const std::optional<AppliedFreeze>& mine = applied_.freeze;
  if (applied_.applied == freeze && mine && mine->version == freeze && mine->into == into) {
    if (replica_.last_appended() == freeze) return {};
    return Error(Code::kInternal,
                 "the log of " + name + " goes on beyond its FREEZE, to " + replica_.last_appended().ToString());
  }
  EBLA_ASSIGN(const std::optional<Epoch> epoch, replica_.log().EpochAt(freeze.lsn));
  if (applied_.applied.lsn < freeze.lsn && epoch == freeze.epoch)
    return Error(Code::kComeAgain, name + " is not applied through its FREEZE yet");
  return Error(Code::kUnavailable, "the log of " + name + " does not hold its FREEZE at " + freeze.ToString());
}

FrozenTablet TabletCore::ExportFrozen() const {
  return {options_.tablet, replica_.state(), applied_, dedup_window_.Rows(), clock_, schema_};
}

void TabletCore::Step(const BecomePart& input) {
  const Before before = Now();
  replica_.Step(input);
  After(before);
}

ReplicaState StateAsPart(ReplicaState state, const Merged& merged) {
  state.promised = std::max(state.promised, merged.position.epoch);
  state.tombstone = true;
  state.may_have_lost_writes = false;
  return state;
}

// ---- what is made of both -------------------------------------------------------------------------------------------

namespace {

using WriteKey = std::pair<ClientId, Sequence>;

// Of one sequence that both remember, as both inherited it, one row; else the later one.
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

// What was forgotten of a range's history is none of what the tablet itself has added.
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
  for (const FrozenTablet* one : {&left, &right}) merge_result.clock.See(one->clock.Now(now), now);
  merge_result.schema = left.schema->version < right.schema->version ? right.schema : left.schema;
  return merge_result;
}

ReplicaState TabletCore::StateAtMerge(const MergeResult& merge_result) const {
  ReplicaState state = replica_.state();  // a promise, the longest lease of an earlier life, or nothing
  state.table = merge_result.schema->table;
  state.schema = merge_result.schema->encoded;
  state.promised = std::max(state.promised, merge_result.merged.position.epoch);
  state.incomplete = false;
  state.may_have_lost_writes = false;
  state.incomplete_range = merge_result.applied.range;
  state.lineage_parent = {};
  state.lineage_epoch = {};
  state.lineage_lsn = {};
  state.merged = merge_result.merged;
  if (!rules::MergeLeavesNote()) state.merged.reset();
  return state;
}

void TabletCore::Step(const BeginMerged& input) {
  Observe(input.now);
  const MergeResult& merge_result = *input.merge_result;
  const BecomeMerged become{StateAtMerge(merge_result), merge_result.merged.position, now_};
  BeginAnew(merge_result.applied.range);
  clock_ = merge_result.clock;
  applied_ = merge_result.applied;
  dedup_window_ = DedupWindow(options_.dedup_window, merge_result.dedup_window, merge_result.applied.dedup_floor);
  schema_ = merge_result.schema;
  replica_.Step(become);
  replica_.set_flush_mode(schema_->durability);
}

}  // namespace ebla::tabletserver
