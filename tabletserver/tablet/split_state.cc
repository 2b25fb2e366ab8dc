#include "tabletserver/tablet/split_state.h"

#include <algorithm>
#include <utility>

#include "common/base/lineage.h"
#include "tabletserver/replication/rules.h"
#include "tabletserver/tablet/merge_result.h"
#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {

// ---- the order ------------------------------------------------------------------------------------------------------

void SplitState::Order(const SplitTablet& input, bool frozen) {
  const std::optional<AppliedSplit>& applied = common_.applied.last_split;
  if (applied && applied->child == input.child) return Answer(input.token, {});
  if (Status status = Check(input, frozen); !status.ok()) return Answer(input.token, std::move(status));
  orders_.push_back(input.token);
  if (pending_ && rules::SplitIsLoggedOnce()) return;  // asked again
  Pending split;
  split.detail = {input.child, input.key, common_.options.self, common_.replica.standing().voters()};
  LogEntry entry;
  entry.kind = EntryKind::kSplit;
  entry.detail = EncodeSplitDetail(split.detail);
  split.lsn = common_.Append(std::move(entry))->version.lsn;
  pending_ = std::move(split);
  // Nothing is gathered before it, and SPLIT leaves with it: writes wait for that.
  common_.replica.Step(HeartbeatDue{common_.now});
  common_.view_dirty = true;
}

Status SplitState::Check(const SplitTablet& input, bool frozen) const {
  EBLA_TRY(common_.failure());
  const ReplicaCore& replica = common_.replica;
  const bool this_epoch = replica.epoch() == input.epoch || !rules::SplitNeedsItsEpoch();
  if (!replica.Leads() || !this_epoch) {
    return Error(Code::kStaleEpoch, "this replica is not primary in epoch " + std::to_string(input.epoch.value));
  }
  if (pending_ && pending_->detail.child == input.child) return {};
  if (!replica.admitting()) return Error(Code::kComeAgain, "the tablet's leadership is being transferred");
  if (common_.Replaying()) return Error(Code::kComeAgain, "the log is being replayed");
  if (pending_) return Error(Code::kComeAgain, "another split is under way");
  if (frozen) return Error(Code::kComeAgain, "the tablet is being merged");
  if (replica.store_stalled()) return Error(Code::kOverloaded, "the disk takes no more writes for now");
  const TabletId self = common_.options.tablet;
  if (input.child <= self || input.child.value % kLineages != self.value % kLineages) {
    return Error(Code::kInvalidArgument, "tablet " + std::to_string(input.child.value) +
                                             " cannot be split off tablet " + std::to_string(self.value));
  }
  EBLA_TRY(CheckKey(input.key));
  if (input.key.size() > kSplitKeyBytesMax) return Error(Code::kInvalidArgument, "the key to split at is too long");
  const KeyRange& range = common_.applied.range;
  if (input.key == range.start || !range.Contains(input.key)) {
    return Error(Code::kInvalidArgument,
                 "no key to split at: \"" + EscapeBytes(input.key) + "\" is not within " + range.ToString());
  }
  return {};
}

void SplitState::Answer(RequestToken token, Status status) {
  const bool ok = status.ok();
  ControlReply& reply = replies_.Order(token, std::move(status));
  if (ok) reply.split = common_.applied.last_split;
}

void SplitState::GiveUp() {
  pending_.reset();
  for (const RequestToken token : std::exchange(orders_, {})) {
    Answer(token, Error(Code::kStaleEpoch, "the epoch ended before the split was applied"));
  }
  for (const AdmitWrite& write : TakeParked()) {
    replies_.RefuseWrite(write.request.token,
                         Error(Code::kNotPrimary, "this replica is no longer the tablet's primary"));
  }
}

// ---- what waits -----------------------------------------------------------------------------------------------------

// A write to the child's half would be in the parent's log beyond the SPLIT, for a key that the parent no longer has.
// It waits for the commit, and then belongs to the child.
bool SplitState::Park(AdmitWrite& input) {
  if (!pending_ || !rules::ChildsWritesWait()) return false;
  const std::vector<Write>& writes = input.request.writes;
  if (std::ranges::none_of(writes, [this](const Write& write) { return TakesKey(write.key); })) return false;
  for (const Write& write : writes) parked_bytes_ += write.key.size() + write.value.size();
  parked_.push_back(std::move(input));
  return true;
}

std::vector<AdmitWrite> SplitState::TakeParked() {
  parked_bytes_ = 0;
  return std::exchange(parked_, {});
}

void SplitState::ExpireParked(MonotonicTime now) {
  if (parked_.empty() || !pending_) return;
  for (AdmitWrite& write : TakeParked()) {
    if (write.request.deadline <= now) {
      replies_.RefuseWrite(write.request.token,
                           Error(Code::kDeadlineExceeded, "the deadline passed while the tablet was being split"));
    } else {
      Park(write);
    }
  }
}

// Names the range in answers to writes after a split, or to PRIMARY writes between its SPLIT and the commit. A position
// of the shrunken tablet does not cover the child's keys, and tablet and epoch no longer determine the range. Nor do
// they for a client that believes in another tablet, such as this one's parent.
void SplitState::NameRange(Lsn entry, TabletId believed, WriteReply& reply) const {
  if (!rules::AnswersNameTheRange()) return;
  const AppliedState& applied = common_.applied;
  if (applied.last_split && entry && entry < applied.last_split->version.lsn) {
    reply.applied = {};
  } else if (pending_ && entry > pending_->lsn) {
    reply.range = KeyRange{applied.range.start, pending_->detail.key};
  } else if (applied.last_split || (believed && believed != common_.options.tablet)) {
    reply.range = applied.range;
    reply.epoch = common_.replica.epoch();
  }
}

// ---- its application ------------------------------------------------------------------------------------------------

// The primary of a later epoch has not promised the child's epoch. A lost SPLIT that is logged again names no primary,
// because the catalog names the child's.
bool SplitState::LeadsChildOf(const AppliedSplit& split) const {
  return common_.replica.Leads() && !split.primary.empty() &&
         (common_.replica.epoch() == split.version.epoch || !rules::OnlyItsLoggerLeadsChild());
}

// A copy that reaches beyond the SPLIT shows what the child wrote since, and is given up (PROTOCOL 9).
bool SplitState::Holds(const LogEntry& entry) {
  if (!common_.replica.state().incomplete || !rules::CopyStopsAtSplit()) return false;
  held_ = entry.version.lsn;
  common_.replica.Step(SplitInCopy{held_});
  return true;
}

// The followers hear that it is committed by an output of its own, before the one that applies it here.
bool SplitState::TellsFirst(const LogEntry& entry) {
  const Lsn lsn = entry.version.lsn;
  if (!common_.replica.standing().AnnouncesSplit(lsn)) return false;
  common_.replica.Step(SplitNext{lsn});
  next_ = true;
  return true;
}

Status SplitState::Apply(const LogEntry& entry, ApplyBatch& batch) {
  EBLA_ASSIGN(SplitDetail detail, DecodeSplitDetail(entry.detail));
  KeyRange& range = batch.state.range;
  if (!range.Contains(detail.key) || detail.key == range.start) {
    return Error(Code::kInternal, "the log splits " + range.ToString() + " at \"" + EscapeBytes(detail.key) + "\"");
  }
  child_ = std::make_shared<SplitChild>();
  child_->parent = common_.options.tablet;
  child_->split = {
      detail.child, detail.key, range.end, entry.version, std::move(detail.primary), std::move(detail.voters)};
  child_->applied = batch.state;
  child_->applied.range = {detail.key, range.end};
  child_->applied.former = Clip(batch.state.former, child_->applied.range);
  child_->applied.last_split.reset();
  if (!rules::ChildInheritsEpochStarts()) {
    child_->applied.epoch_starts = {{entry.version.epoch, entry.version.lsn}};
  }
  child_->lost = common_.replica.state().lost;
  child_->clock = common_.clock;
  child_->schema = common_.schema;
  child_->lead = LeadsChildOf(child_->split);
  range.end = detail.key;
  batch.state.former = Clip(batch.state.former, range);
  batch.state.last_split = child_->split;
  return {};
}

void SplitState::Bequeath(const AppliedState& state) {
  if (child_ == nullptr) return;
  child_->applied.applied = state.applied;
  child_->applied.time = state.time;
  if (rules::ChildInheritsDedupWindow()) child_->dedup_window = common_.dedup_window.Rows();
  if (!rules::ChildInheritsRefusals()) {
    std::erase_if(child_->dedup_window, [](const DedupRow& row) { return row.outcome.code != Code::kOk; });
  }
}

void SplitState::BequeathFloor() {
  if (child_ == nullptr) return;
  child_->applied.dedup_floor = rules::ChildInheritsFloor() ? common_.dedup_window.floor() : TabletTime{};
}

void SplitState::JudgeLeadAgain() {
  if (child_ != nullptr) child_->lead = LeadsChildOf(child_->split);
}

void SplitState::Finish() {
  if (child_ == nullptr) return;
  child_.reset();
  pending_.reset();
  if (!rules::ParentKeepsDedupWindow()) {
    common_.dedup_window = DedupWindow(common_.options.dedup_window, {}, common_.dedup_window.floor());
  }
  for (const RequestToken token : std::exchange(orders_, {})) Answer(token, {});
  common_.replica.Step(SplitApplied{});
}

void SplitState::Reset() {
  child_.reset();
  GiveUp();
  held_ = {};
}

// ---- what is committed and must not be forgotten --------------------------------------------------------------------

// The last of the unapplied SPLITs of the log that are wanted; none: there is none.
Result<Lsn> SplitState::LastUnapplied(const Wanted& wanted) const {
  Lsn found;
  const Lsn last = common_.replica.last_appended().lsn;
  for (Lsn at = common_.applied_lsn().Next(); at <= last;) {
    std::vector<EntryPtr> entries;
    if (EntryPtr held = common_.replica.log().Held(at)) {
      entries.push_back(std::move(held));
    } else {
      EBLA_ASSIGN(std::vector<LogEntry> read, common_.readers.log(at, last, common_.options.apply_bytes_max));
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

Result<bool> SplitState::AppliesFirst(const Wanted& wanted) {
  ReplicaCore& replica = common_.replica;
  if (replica.role() == RoleKind::kAbsent || replica.state().incomplete || !common_.failure().ok()) return false;
  EBLA_ASSIGN(const Lsn split, LastUnapplied(wanted));
  if (!split) return false;
  replica.Step(KnownCommitted{split});
  return true;
}

Result<std::string> SplitState::LoggedEnd() const {
  std::string end = common_.applied.range.end;
  const auto note = [&end](const LogEntry&, const SplitDetail& split) {
    end = split.key;
    return true;
  };
  if (const Result<Lsn> last = LastUnapplied(note); !last.has_value()) return std::unexpected(last.error());
  return end;
}

// ---- the child ------------------------------------------------------------------------------------------------------

ReplicaState StateAtCreation(ReplicaState mine, const ServerName& self, const SplitChild& child) {
  ReplicaState state = rules::ChildKeepsItsPromise() ? std::move(mine) : ReplicaState{};
  const Epoch epoch = child.split.version.epoch;
  state.table = child.schema->table;
  state.schema = child.schema->encoded;
  state.incomplete_range = child.applied.range;
  if (rules::ChildNotesLineage()) {
    state.lineage_parent = child.parent;
    state.lineage_epoch = epoch;
    state.lineage_lsn = child.split.version.lsn;
  }
  if (state.tombstone) return state;
  state.lost = state.lost || child.lost;
  // SPLIT is the note that PROTOCOL 1 asks for, because it names the primary of its epoch. So none needs to be durable
  // before the child's first messages leave, and every later start finds one, at this creation or where SPLIT is
  // applied anew.
  if (child.split.primary == self) state.led = std::max(state.led, epoch);
  state.promised = std::max(state.promised, epoch);
  return state;
}

}  // namespace ebla::tabletserver
