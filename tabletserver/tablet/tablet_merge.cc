// The part of TabletCore that merges (PROTOCOL 14, 17, 18): FREEZE, the order and its application; what the two hand
// over, and what is made of it.
#include <glog/logging.h>

#include <algorithm>
#include <map>

#include "common/base/planted_bug.h"
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
  const bool this_epoch = replica_.epoch() == input.epoch || Planted(PlantedBug::freeze_of_any_epoch);
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
  if (!replica_.admitting()) return Error(Code::kComeAgain, "the tablet is being handed over");
  if (!replica_.BarrierApplied() || applied_.applied.lsn < replay_upto_) {
    return Error(Code::kComeAgain, "the tablet's new primary has not begun to serve yet");
  }
  if (pending_split_) return Error(Code::kComeAgain, "a split is under way");
  if (replica_.store_stalled()) return Error(Code::kOverloaded, "the disk takes no more writes for now");
  return {};
}

// Nothing more is appended in this epoch: what every replica then applies is all that a merge unites.
bool TabletCore::Frozen() const {
  return pending_freeze_ || (Planted(PlantedBug::barrier_keeps_freeze) && replica_.Leads() && applied_.freeze);
}

bool TabletCore::RefuseWhileFrozen(const WriteRequest& request) {
  if (!Frozen() || Planted(PlantedBug::freeze_keeps_writing)) return false;
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
  const bool everywhere = replica_.all_flushed() >= lsn || Planted(PlantedBug::merge_before_all_have_it);
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
  if (replica_.incomplete()) return Error(Code::kUnavailable, "the replica of " + name + " is incomplete");
  const std::optional<AppliedFreeze>& mine = applied_.freeze;
  if (applied_.applied == freeze && mine && mine->version == freeze && mine->into == into) {
    if (replica_.last_appended() == freeze) return {};
    return Error(Code::kInternal,
                 "the log of " + name + " goes on beyond its FREEZE, to " + replica_.last_appended().ToString());
  }
  EBLA_ASSIGN(const std::optional<Epoch> epoch, replica_.EpochAt(freeze.lsn));
  if (applied_.applied.lsn < freeze.lsn && epoch == freeze.epoch)
    return Error(Code::kComeAgain, name + " is not applied through its FREEZE yet");
  return Error(Code::kUnavailable, "the log of " + name + " does not hold its FREEZE at " + freeze.ToString());
}

HandedTablet TabletCore::HandOver() const {
  return {options_.tablet, replica_.state(), applied_, window_.Rows(), clock_, schema_};
}

void TabletCore::Step(const BecomePart& input) {
  const Before before = Now();
  replica_.Step(input);
  After(before);
}

ReplicaState StateAsPart(ReplicaState state, const Merged& merged) {
  state.promised = std::max(state.promised, merged.position.epoch);
  state.tombstone = true;
  state.forgetful = false;
  return state;
}

// ---- what is made of both -------------------------------------------------------------------------------------------

namespace {

using WriteKey = std::pair<ClientId, Sequence>;

// Of one sequence that both remember, as both inherited it, one row; else the later one.
std::vector<WindowRow> UniteRows(const std::vector<WindowRow>& left, const std::vector<WindowRow>& right) {
  std::map<WriteKey, const WindowRow*> united;
  for (const std::vector<WindowRow>* rows : {&left, &right}) {
    if (rows == &right && Planted(PlantedBug::merge_forgets_window)) continue;
    for (const WindowRow& row : *rows) {
      const WindowRow*& kept = united[{row.client, row.sequence}];
      if (kept == nullptr || kept->version < row.version) kept = &row;
    }
  }
  std::vector<WindowRow> rows;
  rows.reserve(united.size());
  for (const auto& [key, row] : united) rows.push_back(*row);
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

std::shared_ptr<const FormerRanges> UniteFormer(const AppliedState& left, const AppliedState& right) {
  if (Planted(PlantedBug::merge_forgets_epoch_starts)) return nullptr;
  FormerRanges pieces;
  AddFormer(left, pieces);
  AddFormer(right, pieces);
  FormerRanges united;
  for (FormerRange& piece : pieces) {
    if (!united.empty() && united.back().range.end == piece.range.start && SameStarts(united.back(), piece)) {
      united.back().range.end = piece.range.end;
    } else {
      united.push_back(std::move(piece));
    }
  }
  const auto latest = [](const FormerRange& one) {
    return one.epoch_starts.empty() ? Epoch{} : one.epoch_starts.back().epoch;
  };
  while (united.size() > kFormerMax) united.erase(std::ranges::min_element(united, {}, latest));
  return std::make_shared<const FormerRanges>(std::move(united));
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

JoinedTablet Join(const HandedTablet& left, const HandedTablet& right, const Merged& merged, MonotonicTime now) {
  JoinedTablet joined;
  joined.merged = merged;
  joined.applied.applied = merged.position;
  joined.applied.range = {left.applied.range.start, right.applied.range.end};
  joined.applied.time = std::max(left.applied.time, right.applied.time);
  joined.applied.window_floor = std::max(left.applied.window_floor, right.applied.window_floor);
  joined.applied.epoch_starts = {{merged.position.epoch, merged.position.lsn}};
  joined.applied.former = UniteFormer(left.applied, right.applied);
  joined.window = UniteRows(left.window, right.window);
  for (const HandedTablet* one : {&left, &right}) joined.clock.See(one->clock.Now(now), now);
  joined.schema = left.schema->version < right.schema->version ? right.schema : left.schema;
  return joined;
}

ReplicaState TabletCore::StateAtJoin(const JoinedTablet& joined) const {
  ReplicaState state = replica_.state();  // a promise, the longest lease of an earlier life, or nothing
  state.table = joined.schema->table;
  state.schema = joined.schema->encoded;
  state.promised = std::max(state.promised, joined.merged.position.epoch);
  state.incomplete = false;
  state.forgetful = false;
  state.incomplete_range = joined.applied.range;
  state.family_parent = {};
  state.family_epoch = {};
  state.family_lsn = {};
  state.merged = joined.merged;
  if (Planted(PlantedBug::merge_forgets_notes)) state.merged.reset();
  return state;
}

void TabletCore::Step(const BeginMerged& input) {
  Observe(input.now);
  const JoinedTablet& joined = *input.joined;
  const BecomeMerged become{StateAtJoin(joined), joined.merged.position, now_};
  BeginAnew(joined.applied.range);
  clock_ = joined.clock;
  applied_ = joined.applied;
  window_ = Window(options_.window, joined.window, joined.applied.window_floor);
  schema_ = joined.schema;
  replica_.Step(become);
  replica_.set_flush_mode(schema_->durability);
}

}  // namespace ebla::tabletserver
