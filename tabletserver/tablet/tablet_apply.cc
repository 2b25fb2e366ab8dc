#include <glog/logging.h>

#include <algorithm>

#include "tabletserver/replication/rules.h"
#include "tabletserver/tablet/rules.h"
#include "tabletserver/tablet/tablet_core.h"

namespace ebla::tabletserver {

namespace {

constexpr Duration kProgressPeriod = std::chrono::seconds(1);

void ApplyBarrier(Version barrier, AppliedState& state) {
  if (rules::BarrierThaws()) state.freeze.reset();
  // A merged tablet's first epoch began where the two were merged.
  if (!state.epoch_starts.empty() && state.epoch_starts.back().epoch == barrier.epoch) return;
  state.epoch_starts.push_back({barrier.epoch, barrier.lsn});
  if (state.epoch_starts.size() <= kEpochStartsMax) return;
  state.epoch_starts.erase(state.epoch_starts.begin());
  state.former.reset();  // it is older still
}

}  // namespace

// ---- the store's answers --------------------------------------------------------------------------------------------

void TabletCore::Step(const Stored& input) { replica_.Step(input); }

void TabletCore::Step(const StoreFailed& input) {
  const Before before = Now();
  replica_.Step(input);
  if (!rules::SentEntriesStand()) {
    unapplied_.RemoveAbove(replica_.last_appended().lsn);
    dedup_window_.RemoveAbove(replica_.last_appended().lsn);
  }
  After(before);
  view_dirty_ = true;
}

void TabletCore::Step(const Flushed& input) {
  const Before before = Now();
  replica_.Step(input);
  After(before);
  Settle();
  SettleFreeze();
}

void TabletCore::Step(const Applied& input) {
  CHECK(batch_out_ && input.upto == batch_state_.applied) << "applied " << input.upto << " is not the batch offered";
  batch_out_ = false;
  applied_ = std::move(batch_state_);
  replica_.Step(input);
  unapplied_.RemoveUpTo(input.upto.lsn);
  batch_entries_.clear();
  if (split_child_ != nullptr) FinishSplit();
  Settle();
  SettleFreeze();
  view_dirty_ = true;
}

void TabletCore::Step(ApplyFailed input) {
  CHECK(batch_out_);
  batch_out_ = false;
  if (input.status.code() != Code::kOverloaded && input.status.code() != Code::kComeAgain) return Die(input.status);
  refused_batch_ = std::move(input.batch);
  apply_stalled_ = true;
}

void TabletCore::Step(const Tick& input) {
  Observe(input.now);
  const bool stalled = replica_.store_stalled();
  const Before before = Now();
  replica_.Step(input);
  After(before);
  // What a follower appends and promises is news to the master: it may have to give the tablet to the longest log there
  // is, in an epoch above all that was promised.
  const bool news =
      replica_.last_appended() != published_.last_appended || replica_.state().promised != published_.promised;
  if (stalled || news) view_dirty_ = true;
  apply_stalled_ = false;
  // How far the others have come is news even where nothing is written.
  if (replica_.Leads() && now_ - published_.at >= kProgressPeriod && !replica_.standing().Progress().empty())
    view_dirty_ = true;
  ExpireWaiters(input.now);
}

// ---- outputs --------------------------------------------------------------------------------------------------------

bool TabletCore::CanApply() const {
  const bool held = held_split_ && held_split_ == applied_.applied.lsn.Next() && replica_.state().incomplete;
  return failure_.ok() && !batch_out_ && !apply_stalled_ && !held && applied_.applied.lsn < replica_.applicable() &&
         replica_.may_apply();
}

bool TabletCore::HasOutput() const {
  return view_dirty_ || !write_replies_.empty() || !purge_replies_.empty() || !control_replies_.empty() ||
         !copy_refusals_.empty() || replica_.HasOutput() || CanApply();
}

TabletOutput TabletCore::TakeOutput() {
  TabletOutput output;
  if (CanApply()) output.apply = NextBatch();
  if (output.apply) output.split = split_child_;
  output.split_next = std::exchange(split_next_, false);
  const Before before = Now();
  ReplicaOutput replica = replica_.TakeOutput();
  if (!replica_.failure().ok()) After(before);  // the log could not be read for a peer
  output.state = std::move(replica.state);
  output.rolled_back = std::move(replica.rolled_back);
  output.remove_from = replica.remove_from;
  output.append = std::move(replica.append);
  output.flush = replica.flush;
  output.messages = std::move(replica.messages);
  for (PeerMessage& message : output.messages) {
    std::visit([this](auto& body) { body.time = clock_.Now(now_); }, message.body);
  }
  output.answers = std::move(replica.answers);
  output.confirms = std::move(replica.confirms);
  output.copies = std::move(replica.copies);
  output.prepare = std::move(replica.prepare);
  output.copy_replies = std::move(replica.copy_replies);
  for (CopyReply& refusal : std::exchange(copy_refusals_, {})) output.copy_replies.push_back(std::move(refusal));
  output.checkpoint_for_copy = replica.checkpoint_for_copy;
  for (ControlReply& reply : replica.replies) {
    reply.time = clock_.Now(now_);
    control_replies_.push_back(std::move(reply));
  }
  output.writes.swap(write_replies_);
  output.purges.swap(purge_replies_);
  output.controls.swap(control_replies_);
  if (view_dirty_) {
    output.view = MakeView();
    published_ = {now_, output.view->lease_until, output.view->last_appended, output.view->promised};
  }
  view_dirty_ = false;
  return output;
}

std::optional<ApplyBatch> TabletCore::NextBatch() {
  if (refused_batch_.has_value()) {
    batch_out_ = true;
    if (split_child_ != nullptr) split_child_->lead = LeadsChildOf(split_child_->split.version);
    return std::exchange(refused_batch_, std::nullopt);
  }
  ApplyBatch batch;
  batch.tablet = options_.tablet;
  batch.table = schema_->table;
  batch.state = applied_;
  size_t bytes = 0;
  for (Lsn lsn = applied_.applied.lsn.Next(); lsn <= replica_.applicable() && bytes < options_.apply_bytes_max;
       lsn = lsn.Next()) {
    Result<EntryPtr> entry = EntryToApply(lsn);
    // A SPLIT is a batch of its own: what comes before it is answered as of before it.
    const bool splits = entry && (*entry)->kind == EntryKind::kSplit;
    if (splits && (HoldsSplit(**entry) || !batch_entries_.empty() || TellsOfSplit(**entry))) {
      read_ahead_.push_front(*std::move(entry));
      break;
    }
    Status status = entry.has_value() ? AddToBatch(**entry, batch) : entry.error();
    if (!status.ok()) {
      batch_entries_.clear();
      Die(status);
      return std::nullopt;
    }
    bytes += (*entry)->ApproximateBytes();
    batch_entries_.push_back(*std::move(entry));
    if (split_child_ != nullptr) break;
  }
  if (batch_entries_.empty()) return std::nullopt;
  batch.dedup_window = dedup_window_.TakeChange();
  batch.state.dedup_floor = dedup_window_.floor();
  if (split_child_ != nullptr)
    split_child_->applied.dedup_floor = !rules::ChildInheritsFloor() ? TabletTime{} : dedup_window_.floor();
  batch_state_ = batch.state;
  batch_out_ = true;
  return batch;
}

// From memory, or from the store's log where a restart left it, read in pieces. What is committed is never replaced, so
// what was read ahead stays right.
Result<EntryPtr> TabletCore::EntryToApply(Lsn lsn) {
  if (EntryPtr held = replica_.log().Held(lsn)) return held;
  while (!read_ahead_.empty() && read_ahead_.front()->version.lsn < lsn) read_ahead_.pop_front();
  if (read_ahead_.empty()) {
    EBLA_ASSIGN(std::vector<LogEntry> entries, readers_.log(lsn, replica_.applicable(), options_.apply_bytes_max));
    for (LogEntry& entry : entries) read_ahead_.push_back(std::make_shared<const LogEntry>(std::move(entry)));
  }
  if (read_ahead_.empty() || read_ahead_.front()->version.lsn != lsn) {
    return Error(Code::kInternal, "the log lacks entry " + std::to_string(lsn.value));
  }
  EntryPtr entry = std::move(read_ahead_.front());
  read_ahead_.pop_front();
  return entry;
}

Status TabletCore::AddToBatch(const LogEntry& entry, ApplyBatch& batch) {
  switch (entry.kind) {
    case EntryKind::kWrite:
    case EntryKind::kPurge:
    case EntryKind::kFloor: break;
    case EntryKind::kBarrier: ApplyBarrier(entry.version, batch.state); break;
    case EntryKind::kSplit: EBLA_TRY(ApplySplit(entry, batch)); break;
    case EntryKind::kFreeze: EBLA_TRY(ApplyFreeze(entry, batch)); break;
  }
  for (const Effect& effect : entry.effects) batch.records.push_back({&effect, entry.version});
  dedup_window_.Apply(entry);
  batch.state.applied = entry.version;
  batch.state.time = std::max(batch.state.time, entry.time);
  if (split_child_ != nullptr) {
    split_child_->applied.applied = entry.version;
    split_child_->applied.time = batch.state.time;
    if (rules::ChildInheritsDedupWindow()) split_child_->dedup_window = dedup_window_.Rows();
    if (!rules::ChildInheritsRefusals()) {
      std::erase_if(split_child_->dedup_window, [](const DedupRow& row) { return row.outcome.code != Code::kOk; });
    }
  }
  return {};
}

void TabletCore::Die(const Status& status) {
  LOG(ERROR) << "tablet " << options_.tablet << ": " << status;
  Step(StoreFailed{status});
}

std::shared_ptr<const TabletView> TabletCore::MakeView() const {
  auto view = std::make_shared<TabletView>();
  view->tablet = options_.tablet;
  view->table = schema_->table;
  view->range = applied_.range;
  view->role = replica_.role();
  view->epoch = replica_.epoch();
  view->primary = replica_.standing().primary();
  view->incomplete = replica_.state().incomplete;
  view->barrier_applied = replica_.standing().BarrierApplied();
  view->lease_until = replica_.standing().lease_until();
  view->fresh_as_of = replica_.followed().fresh_as_of();
  view->applied = applied_.applied;
  view->applied_time = applied_.time;
  view->last_appended = replica_.last_appended();
  if (pending_primary_ > applied_.applied.lsn) view->pending_primary = pending_primary_;
  view->time = clock_.basis();
  view->replaying = replica_.role() != RoleKind::kAbsent && applied_.applied.lsn < replay_upto_;
  view->writes_stalled = replica_.store_stalled();
  view->pending_bytes = unapplied_.bytes();
  if (pending_split_) {
    view->splitting = pending_split_->lsn;
    view->split_key = pending_split_->detail.key;
  }
  view->frozen = Frozen() && rules::FreezeEndsLease();
  if (applied_.freeze) view->frozen_into = applied_.freeze->into;
  view->former = applied_.former;
  if (applied_.last_split) view->last_split = std::make_shared<const AppliedSplit>(*applied_.last_split);
  view->epoch_starts = applied_.epoch_starts;
  view->schema = schema_;
  view->promised = replica_.state().promised;
  view->barrier_committed = replica_.standing().BarrierCommitted();
  view->refused_for = replica_.standing().refused_for();
  view->transferred_epoch = replica_.standing().transfer().epoch();
  view->transferred_to = replica_.standing().transfer().target();
  view->may_have_lost_writes = replica_.state().may_have_lost_writes;
  view->peers = replica_.standing().Progress();
  view->failure = failure_.message();
  return view;
}

}  // namespace ebla::tabletserver
