// The part of TabletCore that splits the tablet (PROTOCOL 11 to 13): the order, what waits for it, its application, and
// the creation of the child.
#include <algorithm>

#include "common/base/lineage.h"
#include "tabletserver/replication/rules.h"
#include "tabletserver/tablet/rules.h"
#include "tabletserver/tablet/tablet_core.h"

namespace ebla::tabletserver {

// ---- the order ------------------------------------------------------------------------------------------------------

void TabletCore::Step(const SplitTablet& input) {
  Observe(input.now);
  if (applied_.last_split && applied_.last_split->child == input.child) return AnswerSplit(input.token, {});
  if (Status status = CheckSplit(input); !status.ok()) return AnswerSplit(input.token, std::move(status));
  split_waiters_.push_back(input.token);
  if (pending_split_ && rules::SplitIsLoggedOnce()) return;  // asked again
  PendingSplit split;
  split.detail = {input.child, input.key, options_.self, replica_.standing().voters()};
  LogEntry entry;
  entry.kind = EntryKind::kSplit;
  entry.detail = EncodeSplitDetail(split.detail);
  split.lsn = Append(std::move(entry), now_)->version.lsn;
  pending_split_ = std::move(split);
  replica_.Step(HeartbeatDue{now_});  // nothing is gathered before it, and SPLIT leaves with it: writes wait for that
  view_dirty_ = true;
}

Status TabletCore::CheckSplit(const SplitTablet& input) const {
  EBLA_TRY(failure_);
  const bool this_epoch = replica_.epoch() == input.epoch || !rules::SplitNeedsItsEpoch();
  if (!replica_.Leads() || !this_epoch) {
    return Error(Code::kStaleEpoch, "this replica does not lead epoch " + std::to_string(input.epoch.value));
  }
  if (pending_split_ && pending_split_->detail.child == input.child) return {};
  if (!replica_.admitting()) return Error(Code::kComeAgain, "the tablet's leadership is being transferred");
  if (applied_.applied.lsn < replay_upto_) return Error(Code::kComeAgain, "the log is being replayed");
  if (pending_split_) return Error(Code::kComeAgain, "another split is under way");
  if (Frozen()) return Error(Code::kComeAgain, "the tablet is being merged");
  if (replica_.store_stalled()) return Error(Code::kOverloaded, "the disk takes no more writes for now");
  if (input.child <= options_.tablet || input.child.value % kLineages != options_.tablet.value % kLineages) {
    return Error(Code::kInvalidArgument, "tablet " + std::to_string(input.child.value) +
                                             " cannot be split off tablet " + std::to_string(options_.tablet.value));
  }
  EBLA_TRY(CheckKey(input.key));
  if (input.key.size() > kSplitKeyBytesMax) return Error(Code::kInvalidArgument, "the key to split at is too long");
  if (input.key == applied_.range.start || !applied_.range.Contains(input.key)) {
    return Error(Code::kInvalidArgument,
                 "no key to split at: \"" + EscapeBytes(input.key) + "\" is not within " + applied_.range.ToString());
  }
  return {};
}

void TabletCore::AnswerSplit(RequestToken token, Status status) {
  ControlReply reply;
  reply.token = token;
  if (status.ok()) reply.split = applied_.last_split;
  reply.status = std::move(status);
  reply.promised = replica_.state().promised;
  reply.known = replica_.role() != RoleKind::kAbsent;
  control_replies_.push_back(std::move(reply));
}

// Its entry may be committed all the same, by whoever leads next: reports tell.
void TabletCore::GiveUpSplit() {
  pending_split_.reset();
  for (const RequestToken token : std::exchange(split_waiters_, {})) {
    AnswerSplit(token, Error(Code::kStaleEpoch, "the epoch ended before the split was applied"));
  }
  for (const AdmitWrite& write : TakeParked()) {
    RefuseWrite(write.request.token, Error(Code::kNotPrimary, "this replica does not lead the tablet any more"));
  }
}

// What touches the child's half would be in the parent's log beyond the SPLIT, for a key that is no longer its own. It
// waits for the commit, and is the child's then.
bool TabletCore::ParkWhileSplitting(AdmitWrite& input) {
  if (!pending_split_ || !rules::ChildsWritesWait()) return false;
  if (std::ranges::none_of(input.request.writes, [this](const Write& write) { return GoesToChild(write.key); }))
    return false;
  next_deadline_ = std::min(next_deadline_, input.request.deadline);
  for (const Write& write : input.request.writes) parked_bytes_ += write.key.size() + write.value.size();
  parked_.push_back(std::move(input));
  return true;
}

std::vector<AdmitWrite> TabletCore::TakeParked() {
  parked_bytes_ = 0;
  return std::exchange(parked_, {});
}

void TabletCore::ExpireParked(MonotonicTime now) {
  std::vector<AdmitWrite> parked = TakeParked();
  for (AdmitWrite& write : parked) {
    if (write.request.deadline <= now) {
      RefuseWrite(write.request.token,
                  Error(Code::kDeadlineExceeded, "the deadline passed while the tablet was being split"));
    } else {
      ParkWhileSplitting(write);
    }
  }
}

// Of writes that are answered after a split, or of level PRIMARY between its SPLIT and the commit of that: a position
// of the shrunken tablet says nothing of what went to the child, and tablet and epoch do not tell the range any more
// (rule 17). Nor do they tell it who takes the tablet for another, as for the parent of this one.
void TabletCore::NameRange(Lsn entry, TabletId believed, WriteReply& reply) const {
  if (!rules::AnswersNameTheRange()) return;
  if (applied_.last_split && entry && entry < applied_.last_split->version.lsn) {
    reply.applied = {};
  } else if (pending_split_ && entry > pending_split_->lsn) {
    reply.range = KeyRange{applied_.range.start, pending_split_->detail.key};
  } else if (applied_.last_split || (believed && believed != options_.tablet)) {
    reply.range = applied_.range;
    reply.epoch = replica_.epoch();
  }
}

// ---- its application ------------------------------------------------------------------------------------------------

// Only the very leadership that appended it: whoever leads later has not promised the child's epoch to anybody.
bool TabletCore::LeadsChildOf(Version split) const {
  return replica_.Leads() && (replica_.epoch() == split.epoch || !rules::OnlyItsLoggerLeadsChild());
}

// A replica that is being copied applies no SPLIT before it is complete: its child would rest on a log that a crash
// discards. A copy that reaches beyond the SPLIT shows what the child wrote since, and is given up (rule 9).
bool TabletCore::HoldsSplit(const LogEntry& entry) {
  if (!replica_.state().incomplete || !rules::CopyStopsAtSplit()) return false;
  replica_.Step(SplitInCopy{entry.version.lsn});
  held_split_ = entry.version.lsn;
  return true;
}

// The followers hear that it is committed by an output of its own, before the one that applies it here.
bool TabletCore::TellsOfSplit(const LogEntry& entry) {
  if (!replica_.standing().TellsOfSplit(entry.version.lsn)) return false;
  replica_.Step(SplitNext{entry.version.lsn});
  split_next_ = true;
  return true;
}

Status TabletCore::ApplySplit(const LogEntry& entry, ApplyBatch& batch) {
  EBLA_ASSIGN(SplitDetail detail, DecodeSplitDetail(entry.detail));
  KeyRange& range = batch.state.range;
  if (!range.Contains(detail.key) || detail.key == range.start) {
    return Error(Code::kInternal, "the log splits " + range.ToString() + " at \"" + EscapeBytes(detail.key) + "\"");
  }
  split_child_ = std::make_shared<SplitChild>();
  split_child_->parent = options_.tablet;
  split_child_->split = {
      detail.child, detail.key, range.end, entry.version, std::move(detail.primary), std::move(detail.voters)};
  split_child_->applied = batch.state;
  split_child_->applied.range = {detail.key, range.end};
  split_child_->applied.former = Clip(batch.state.former, split_child_->applied.range);
  split_child_->applied.last_split.reset();
  if (!rules::ChildInheritsEpochStarts())
    split_child_->applied.epoch_starts = {{entry.version.epoch, entry.version.lsn}};
  split_child_->clock = clock_;
  split_child_->schema = schema_;
  split_child_->lead = LeadsChildOf(entry.version);
  range.end = detail.key;
  batch.state.former = Clip(batch.state.former, range);
  batch.state.last_split = split_child_->split;
  return {};
}

void TabletCore::FinishSplit() {
  split_child_.reset();
  pending_split_.reset();
  if (!rules::ParentKeepsDedupWindow()) dedup_window_ = DedupWindow(options_.dedup_window, {}, dedup_window_.floor());
  for (const RequestToken token : std::exchange(split_waiters_, {})) AnswerSplit(token, {});
  replica_.Step(SplitApplied{});
}

std::optional<TabletCore::Replay> TabletCore::TakeReplay() {
  if (!CanApply()) return std::nullopt;
  std::optional<ApplyBatch> batch = NextBatch();
  if (!batch) return std::nullopt;
  return Replay{*std::move(batch), split_child_};
}

// ---- the child ------------------------------------------------------------------------------------------------------

ReplicaState TabletCore::StateAtCreation(const SplitChild& split_child) const {
  ReplicaState state = replica_.state();  // a promise, a tombstone, the longest lease of an earlier life, or nothing
  if (!rules::ChildKeepsItsPromise()) state = {};
  const Epoch epoch = split_child.split.version.epoch;
  state.table = split_child.schema->table;
  state.schema = split_child.schema->encoded;
  state.incomplete_range = split_child.applied.range;
  if (rules::ChildNotesLineage()) {
    state.lineage_parent = split_child.parent;
    state.lineage_epoch = epoch;
    state.lineage_lsn = split_child.split.version.lsn;
  }
  if (state.tombstone) return state;
  // SPLIT is the note that rule 1 asks for: it names who leads its epoch. So none needs to be durable before the
  // child's first messages leave, and every later start finds one, at this creation or where SPLIT is applied anew.
  if (split_child.split.primary == options_.self) state.led = std::max(state.led, epoch);
  state.promised = std::max(state.promised, epoch);
  return state;
}

void TabletCore::Step(const BeginChild& input) {
  Observe(input.now);
  const SplitChild& split_child = *input.split_child;
  BecomeChild become{.state = StateAtCreation(split_child),
                     .at = split_child.split.version,
                     .primary = split_child.split.primary,
                     .voters = split_child.split.voters,
                     .lead = false,
                     .now = now_};
  become.lead = split_child.lead && replica_.state().promised <= split_child.split.version.epoch &&
                replica_.state().led < split_child.split.version.epoch;
  BeginAnew(split_child.applied.range);
  clock_ = split_child.clock;
  applied_ = split_child.applied;
  if (!rules::ChildLogGoesOn()) become.at.lsn = applied_.applied.lsn = {};
  dedup_window_ = DedupWindow(options_.dedup_window, split_child.dedup_window, split_child.applied.dedup_floor);
  schema_ = split_child.schema;
  replica_.Step(become);
  replica_.set_flush_mode(schema_->durability);
}

// ---- what is committed and must not be forgotten --------------------------------------------------------------------

// The last of the unapplied SPLITs of the log that are wanted; none: there is none.
Result<Lsn> TabletCore::LastUnappliedSplit(const std::function<bool(const LogEntry&, const SplitDetail&)>& wanted) {
  Lsn found;
  const Lsn last = replica_.last_appended().lsn;
  for (Lsn at = applied_.applied.lsn.Next(); at <= last;) {
    std::vector<EntryPtr> entries;
    if (EntryPtr held = replica_.log().Held(at)) {
      entries.push_back(std::move(held));
    } else {
      EBLA_ASSIGN(std::vector<LogEntry> read, readers_.log(at, last, options_.apply_bytes_max));
      for (LogEntry& entry : read) entries.push_back(std::make_shared<const LogEntry>(std::move(entry)));
    }
    if (entries.empty()) return Error(Code::kInternal, "the log lacks entry " + std::to_string(at.value));
    for (const EntryPtr& entry : entries) {
      if (entry->kind != EntryKind::kSplit) continue;
      EBLA_ASSIGN(const SplitDetail detail, DecodeSplitDetail(entry->detail));
      if (wanted(*entry, detail)) found = entry->version.lsn;
    }
    at = entries.back()->version.lsn.Next();
  }
  return found;
}

// True: a SPLIT that is wanted, as somebody knows it to be committed, is not applied yet. It will be now: an entry
// names its whole log.
bool TabletCore::AppliesSplitFirst(const std::function<bool(const LogEntry&, const SplitDetail&)>& wanted) {
  if (replica_.role() == RoleKind::kAbsent || replica_.state().incomplete || !failure_.ok()) return false;
  const Result<Lsn> split = LastUnappliedSplit(wanted);
  if (!split) {
    Die(split.error());
    return false;
  }
  if (!*split) return false;
  replica_.Step(KnownCommitted{*split});
  return true;
}

}  // namespace ebla::tabletserver
