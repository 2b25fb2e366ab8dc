#include "tabletserver/tablet/freeze_state.h"

#include <utility>

namespace ebla::tabletserver {

void FreezeState::Order(const FreezeTablet& input) {
  if (Status status = Check(input); !status.ok()) return Answer(input.token, std::move(status));
  orders_.push_back(input.token);
  if (!pending_) {
    LogEntry entry;
    entry.kind = EntryKind::kFreeze;
    entry.detail = EncodeFreezeDetail({input.into});
    pending_ = Pending{common_.Append(std::move(entry))->version, input.into};
    common_.replica.Step(EndLease{common_.now});
    common_.view_dirty = true;
  }
  Settle();  // asked again, maybe
}

Status FreezeState::Check(const FreezeTablet& input) const {
  EBLA_TRY(common_.failure());
  const ReplicaCore& replica = common_.replica;
  const TabletId self = common_.options.tablet;
  const bool this_epoch = replica.epoch() == input.epoch || !rules::FreezeNeedsItsEpoch();
  if (!replica.Leads() || !this_epoch) {
    return Error(Code::kStaleEpoch, "this replica is not primary in epoch " + std::to_string(input.epoch.value));
  }
  if (pending_) {
    if (pending_->into == input.into) return {};
    return Error(Code::kUnavailable,
                 "the tablet is frozen for its merge to tablet " + std::to_string(pending_->into.value));
  }
  if (input.into <= self) {
    return Error(Code::kInvalidArgument, "tablet " + std::to_string(self.value) + " cannot become part of tablet " +
                                             std::to_string(input.into.value));
  }
  if (!replica.admitting()) return Error(Code::kComeAgain, "the tablet's leadership is being transferred");
  if (!replica.standing().BarrierApplied() || common_.Replaying()) {
    return Error(Code::kComeAgain, "the tablet's new primary has not begun to serve yet");
  }
  if (split_.pending()) return Error(Code::kComeAgain, "a split is under way");
  if (replica.store_stalled()) return Error(Code::kOverloaded, "the disk takes no more writes for now");
  return {};
}

Status FreezeState::Apply(const LogEntry& entry, ApplyBatch& batch) const {
  EBLA_ASSIGN(const FreezeDetail detail, DecodeFreezeDetail(entry.detail));
  batch.state.freeze = AppliedFreeze{detail.into, entry.version};
  return {};
}

void FreezeState::Settle() {
  if (orders_.empty() || !pending_) return;
  const Lsn lsn = pending_->version.lsn;
  const bool everywhere = common_.replica.standing().all_flushed() >= lsn || !rules::FreezeIsFlushedEverywhere();
  if (common_.applied_lsn() < lsn || !everywhere) return;
  for (const RequestToken token : std::exchange(orders_, {})) Answer(token, {});
}

void FreezeState::Answer(RequestToken token, Status status) {
  const bool ok = status.ok();
  ControlReply& reply = replies_.Order(token, std::move(status));
  if (ok) reply.freeze = pending_->version;
  reply.time = common_.Time();
}

void FreezeState::GiveUp() {
  pending_.reset();
  for (const RequestToken token : std::exchange(orders_, {})) {
    Answer(token, Error(Code::kStaleEpoch, "the epoch ended before the freeze was applied everywhere"));
  }
}

Status FreezeState::Unready(Version freeze, TabletId into) const {
  const ReplicaCore& replica = common_.replica;
  const std::string name = "tablet " + std::to_string(common_.options.tablet.value);
  if (replica.role() == RoleKind::kAbsent) return Error(Code::kNotFound, "no replica of " + name + " is here");
  EBLA_TRY(common_.failure());
  if (replica.state().incomplete) return Error(Code::kUnavailable, "the replica of " + name + " is incomplete");
  const std::optional<AppliedFreeze>& mine = common_.applied.freeze;
  if (common_.applied.applied == freeze && mine && mine->version == freeze && mine->into == into) {
    if (replica.last_appended() == freeze) return {};
    return Error(Code::kInternal,
                 "the log of " + name + " continues beyond its FREEZE, to " + replica.last_appended().ToString());
  }
  EBLA_ASSIGN(const std::optional<Epoch> epoch, replica.log().EpochAt(freeze.lsn));
  if (common_.applied_lsn() < freeze.lsn && epoch == freeze.epoch)
    return Error(Code::kComeAgain, name + " is not applied through its FREEZE yet");
  return Error(Code::kUnavailable, "the log of " + name + " does not hold its FREEZE at " + freeze.ToString());
}

FrozenTablet FreezeState::Export() const {
  return {common_.options.tablet,      common_.replica.state(), common_.applied,
          common_.dedup_window.Rows(), common_.clock,           common_.schema};
}

}  // namespace ebla::tabletserver
