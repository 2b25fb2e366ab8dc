#include "tabletserver/replication/replica_core.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

namespace {

std::string EpochText(Epoch epoch) { return std::to_string(epoch.value); }

// Where a log goes on that began as another's.
Version BaseOf(const ReplicaState& state) {
  return state.merged ? state.merged->position : Version{state.lineage_epoch, state.lineage_lsn};
}

}  // namespace

ReplicaCore::ReplicaCore(ReplicaOptions options, ReplicaState state, Version first, Version last, Version applied,
                         LogReader reader)
    : options_(std::move(options)),
      state_(std::move(state)),
      durable_(state_),
      log_(first, last, applied, BaseOf(state_), std::move(reader)),
      now_(options_.started),
      committed_(applied.lsn) {
  if (state_.table && !state_.tombstone) role_ = Follower{};
  remains_ = state_.tombstone && (last || applied);
  if (options_.may_have_lost_writes && role() != RoleKind::kAbsent && !state_.may_have_lost_writes) {
    state_.may_have_lost_writes = true;
    state_dirty_ = true;
  }
  // Somebody may still read under a grant of the process before this one (PROTOCOL 7).
  if (rules::GrantsOutliveRestarts()) {
    grants_until_ = options_.started + std::chrono::milliseconds(state_.longest_lease_ms);
  }
}

// ---- what it has decided --------------------------------------------------------------------------------------------

RoleKind ReplicaCore::role() const {
  if (std::holds_alternative<Leadership>(role_)) return RoleKind::kPrimary;
  return std::holds_alternative<Follower>(role_) ? RoleKind::kFollower : RoleKind::kAbsent;
}

Lsn ReplicaCore::barrier() const {
  const auto* lead = std::get_if<Leadership>(&role_);
  return lead == nullptr ? Lsn{} : lead->barrier();
}

bool ReplicaCore::BarrierApplied() const {
  if (!rules::StrongWaitsForBarrier()) return Leads();
  return Leads() && applied() >= barrier();
}

bool ReplicaCore::BarrierCommitted() const { return Leads() && committed_ >= barrier(); }

Lsn ReplicaCore::all_flushed() const {
  const auto* lead = std::get_if<Leadership>(&role_);
  return lead == nullptr ? Lsn{} : lead->AllFlushed(log_.flushed());
}

std::vector<ServerName> ReplicaCore::Missing(Lsn lsn) const {
  const auto* lead = std::get_if<Leadership>(&role_);
  return lead == nullptr ? std::vector<ServerName>{} : lead->Missing(lsn);
}

MonotonicTime ReplicaCore::lease_until() const {
  const auto* lead = std::get_if<Leadership>(&role_);
  return lead == nullptr ? MonotonicTime{} : lead->lease_until();
}

Epoch ReplicaCore::refused_for() const {
  const auto* lead = std::get_if<Leadership>(&role_);
  return lead == nullptr ? Epoch{} : lead->refused_for();
}

std::vector<PeerProgress> ReplicaCore::Progress() const {
  const auto* lead = std::get_if<Leadership>(&role_);
  return lead == nullptr ? std::vector<PeerProgress>{} : lead->Progress();
}

Lsn ReplicaCore::NeededFrom() const {
  const Lsn next = log_.applied().lsn.Next();
  const auto* lead = std::get_if<Leadership>(&role_);
  return lead == nullptr ? std::min(next, retain_ ? retain_ : next) : lead->NeededFrom(next);
}

bool ReplicaCore::may_apply() const {
  if (role() == RoleKind::kAbsent || !failure_.ok()) return false;
  return !state_.incomplete || (copy_ && copy_->stage >= CopyStage::kApplying);
}

MonotonicTime ReplicaCore::wake_at() const {
  MonotonicTime at = MonotonicTime::Max();
  for (const HeldReply& held : held_replies_) {
    if (held.not_before > now_) at = std::min(at, held.not_before);
  }
  if (transfer_) at = std::min(at, transfer_->deadline);
  return at;
}

// ---- the master's orders --------------------------------------------------------------------------------------------

void ReplicaCore::Step(const ConfigureReplica& input) {
  CHECK(!awaiting_store_);
  now_ = std::max(now_, input.now);
  if (Status status = CheckConfigure(input); !status.ok()) return Reply(input.token, std::move(status));
  if (role() == RoleKind::kAbsent) Create(input);
  if (input.schema != state_.schema) {
    state_.schema = input.schema;
    state_dirty_ = true;
  }
  const bool leads_it = Leads() && configured_ == input.epoch;
  if (leads_it) return Reply(input.token, {});
  voters_ = input.voters;
  learners_ = input.learners;
  if (input.primary == options_.self) {
    primary_ = input.primary;
    Lead(input);
  } else {
    Follow(input.primary, input.epoch, input.now);
  }
  Reply(input.token, {});
}

Status ReplicaCore::CheckConfigure(const ConfigureReplica& input) const {
  if (!failure_.ok()) return failure_;
  if (!input.epoch || !input.table) return Error(Code::kInvalidArgument, "a configuration needs an epoch and a table");
  if (input.epoch < state_.promised && rules::StaleMastersAreRefused()) {
    return Error(Code::kStaleEpoch,
                 "epoch " + EpochText(input.epoch) + " is below the promised epoch " + EpochText(state_.promised));
  }
  if (state_.tombstone && input.epoch <= state_.promised && rules::TombstoneRefusesCreation()) {
    return Error(Code::kStaleEpoch, "the replica was dropped in epoch " + EpochText(state_.promised));
  }
  if (remains_) return Error(Code::kComeAgain, "the dropped replica's data is still being removed");
  if (role() != RoleKind::kAbsent && input.table != state_.table) {
    return Error(Code::kInvalidArgument, "the tablet belongs to table " + std::to_string(state_.table.value));
  }
  if (std::find(input.voters.begin(), input.voters.end(), input.primary) == input.voters.end()) {
    return Error(Code::kInvalidArgument, "the primary is not a voter");
  }
  if (Leads() && configured_ == input.epoch && input.primary != options_.self) {
    return Error(Code::kInvalidArgument, "this replica leads epoch " + EpochText(input.epoch));
  }
  return input.primary == options_.self ? CheckLead(input) : Status();
}

// May this replica lead the epoch (PROTOCOL 1, 5, 6)?
Status ReplicaCore::CheckLead(const ConfigureReplica& input) const {
  const bool leads = Leads();
  if (leads && configured_ == input.epoch) return {};
  if (state_.led >= input.epoch && rules::EpochIsLedOnce()) {
    return Error(Code::kStaleEpoch,
                 "epoch " + EpochText(input.epoch) + " was led before and is over: fence a higher one");
  }
  if (role() == RoleKind::kAbsent) {
    if (!input.created_empty)
      return Error(Code::kUnavailable, "no replica is here, and the tablet was not created empty");
    return {};
  }
  // Nobody has led it yet, and the catalog has no other leader for its first epoch.
  const bool just_merged =
      input.merged && input.epoch == input.merged->position.epoch && last_appended() == input.merged->position;
  const bool fresh = !state_.led && ((input.created_empty && !last_appended()) || just_merged);
  const bool changes_membership = leads || !rules::UnfencedNeedsItsLeader();
  if (!input.fenced && !input.transfer && !changes_membership && !fresh) {
    return Error(Code::kStaleEpoch, "only the incarnation that leads may change the membership: fence a higher epoch");
  }
  // Two changes at once could leave two majorities that do not meet.
  if (!input.fenced && leads && !BarrierCommitted() && rules::OneMembershipChangeAtATime()) {
    return Error(Code::kStaleEpoch,
                 "the Barrier of epoch " + EpochText(configured_) + " is not committed: fence a higher one");
  }
  if (state_.incomplete && rules::IncompleteOffersNoLog()) {
    return Error(Code::kUnavailable, "the replica is incomplete and has no log to offer");
  }
  if (last_appended() < input.presumed && rules::LeaderHoldsPresumedLog()) {
    return Error(Code::kConditionFailed, "the log ends at " + last_appended().ToString() + ", short of the presumed " +
                                             input.presumed.ToString());
  }
  return {};
}

void ReplicaCore::Create(const ConfigureReplica& input) {
  state_.table = input.table;
  state_.tombstone = false;
  state_.incomplete = !input.created_empty;
  state_.may_have_lost_writes = false;
  state_.incomplete_range = input.range;
  state_.lineage_parent = {};
  state_.lineage_epoch = {};
  state_.lineage_lsn = {};
  state_.merged.reset();
  state_dirty_ = true;
  role_ = Follower{};
}

void ReplicaCore::Lead(const ConfigureReplica& input) {
  // A change of the membership goes on with the same log: what the store has refused so far may be at the others
  // already.
  StepDown(/*keep_log=*/Leads());
  Promise(input.epoch);
  state_.led = input.epoch;
  state_.may_have_lost_writes = false;
  if (!rules::IncompleteOffersNoLog()) state_.incomplete = false;
  state_dirty_ = true;
  configured_ = input.epoch;
  AbandonCopy();
  role_.emplace<Leadership>(
      Leadership::Start{options_.self, options_.lease, input.epoch, last_appended().lsn.Next(), messages_}, voters_,
      learners_);

  auto barrier = std::make_shared<LogEntry>();
  barrier->kind = EntryKind::kBarrier;
  barrier->version = NextVersion();
  barrier->time = input.barrier_time;
  log_.Append(std::move(barrier));
}

void ReplicaCore::Step(const FenceReplica& input) {
  CHECK(!awaiting_store_);
  now_ = std::max(now_, input.now);
  // Whatever code its store failed with: it promises nothing and has no log to offer, and is not to be asked again.
  if (!failure_.ok())
    return Reply(input.token, Error(Code::kInternal, "the replica has failed: " + failure_.ToString()));
  if (!input.epoch) return Reply(input.token, Error(Code::kInvalidArgument, "a fence needs an epoch"));
  if (input.epoch < state_.promised || input.epoch <= state_.led) {
    return Reply(input.token, Error(Code::kStaleEpoch, "epoch " + EpochText(state_.promised) + " is promised already"));
  }
  if (rules::FenceEndsLeadership()) StepDown();
  if (!Leads()) DropUnstored();  // refused by the store so far: no part of what is reported
  const bool absent = role() == RoleKind::kAbsent;
  if (!absent || rules::UnknownTabletPromises()) Promise(input.epoch);
  // Silent first: until what it has granted has run out, a primary that does not know may serve reads.
  Reply(input.token, {}, !rules::FenceWaitsForGrants() ? MonotonicTime{} : grants_until_);
}

// The one order that a replica which has failed obeys: it is made anew after it.
void ReplicaCore::Step(const DropReplica& input) {
  CHECK(!awaiting_store_);
  if (!input.epoch) return Reply(input.token, Error(Code::kInvalidArgument, "a drop needs an epoch"));
  if (input.epoch < state_.promised && rules::DropHonoursPromise()) {
    return Reply(input.token, Error(Code::kStaleEpoch, "epoch " + EpochText(state_.promised) + " is promised already"));
  }
  failure_ = {};
  store_failed_ = false;
  StepDown();
  Promise(input.epoch);
  // What was acknowledged at PRIMARY and is in no other log is kept, before all of it goes (PROTOCOL 22).
  if (role() != RoleKind::kAbsent && !state_.incomplete && log_.last().lsn > log_.applied().lsn) {
    if (Status status = log_.Remove(log_.applied().lsn.Next(), log_.applied(), rolled_back_); !status.ok()) {
      Fail(status);
      return Reply(input.token, std::move(status));
    }
    committed_ = std::min(committed_, log_.applied().lsn);
  }
  if (!state_.tombstone) {
    remains_ = role() != RoleKind::kAbsent;
    state_.tombstone = true;
    state_.incomplete = false;
    state_.may_have_lost_writes = false;
    state_dirty_ = true;
    AbandonCopy();
    RefuseAppends(AppendResult::kUnknown);
    role_ = Absent{};
  }
  Reply(input.token, {});
}

void ReplicaCore::Step(const AlterReplica& input) {
  CHECK(!awaiting_store_);
  if (!failure_.ok()) return Reply(input.token, failure_);
  if (role() == RoleKind::kAbsent) return Reply(input.token, Error(Code::kNotFound, "no replica is here"));
  if (state_.schema != input.schema) {
    state_.schema = input.schema;
    state_dirty_ = true;
  }
  Reply(input.token, {});
}

void ReplicaCore::Step(const TransferReplica& input) {
  CHECK(!awaiting_store_);
  if (!failure_.ok()) return Reply(input.token, failure_);
  if (transferred_epoch_ == input.epoch) return Reply(input.token, {});  // asked again
  if (!Leads() || configured_ != input.epoch) {
    return Reply(input.token, Error(Code::kStaleEpoch, "this replica does not lead epoch " + EpochText(input.epoch)));
  }
  if (transfer_ && transfer_->target != input.target) {
    return Reply(input.token, Error(Code::kComeAgain, "a transfer to " + transfer_->target + " is under way"));
  }
  if (transfer_) Reply(transfer_->token, Error(Code::kComeAgain, "the transfer was asked for again"));
  transfer_ = Transfer{input.token, input.target, input.deadline};
  CheckTransfer();
}

// Released once the target has everything and everything is committed: nothing is left that could be rolled back.
void ReplicaCore::CheckTransfer() {
  if (!transfer_) return;
  const auto& lead = std::get<Leadership>(role_);
  const Lsn last = last_appended().lsn;
  const RequestToken token = transfer_->token;
  if (committed_ == last && lead.IsLevel(transfer_->target, last)) {
    transferred_epoch_ = configured_;
    transferred_to_ = transfer_->target;
    transfer_.reset();
    StepDown();
    Reply(token, {});
  } else if (now_ >= transfer_->deadline) {
    const std::string target = transfer_->target;
    transfer_.reset();
    Reply(token, Error(Code::kUnavailable, target + " did not come level in time: the tablet stays where it is"));
  }
}

void ReplicaCore::Step(const ReplicaForgotten&) {
  CHECK(!awaiting_store_);
  CHECK(state_.tombstone) << "only a dropped replica is forgotten";
  remains_ = false;
  log_.Reset({});
  committed_ = {};
}

// PROTOCOL 3: for good. What the store never got is given up; the rest stays in the log for whoever leads next.
void ReplicaCore::StepDown(bool keep_log) {
  auto* lead = std::get_if<Leadership>(&role_);
  if (lead == nullptr) return;
  for (ConfirmReply& reply : lead->Abandon()) ready_confirms_.push_back(std::move(reply));
  if (transfer_) Reply(transfer_->token, Error(Code::kStaleEpoch, "the epoch ended before the transfer"));
  transfer_.reset();
  messages_ = lead->messages();
  role_ = Follower{};
  if (!keep_log) DropUnstored();
}

// What waits to be acknowledged of it is refused: a later entry at its place would be acknowledged in its stead.
void ReplicaCore::DropUnstored() {
  log_.DropUnstored();
  const Lsn last = log_.last().lsn;
  RefuseAppends(AppendResult::kBusy, last);
  committed_ = std::min(committed_, last);
  if (auto* follower = std::get_if<Follower>(&role_)) follower->matched = std::min(follower->matched, last);
}

void ReplicaCore::Promise(Epoch epoch) {
  if (epoch <= state_.promised) return;
  state_.promised = epoch;
  state_dirty_ = true;
  if (rules::FenceEndsLowerAppends()) RefuseAppends(AppendResult::kStaleEpoch);
}

// Held back until everything up to now is durable, the refusals too: they name the promise.
void ReplicaCore::Reply(RequestToken token, Status status, MonotonicTime not_before) {
  ControlReply reply;
  reply.token = token;
  reply.status = std::move(status);
  reply.promised = state_.promised;
  reply.last_appended = last_appended();
  reply.known = role() != RoleKind::kAbsent;
  reply.incomplete = state_.incomplete && rules::IncompleteOffersNoLog();
  reply.may_have_lost_writes = state_.may_have_lost_writes && rules::LossyReplicaSaysSo();
  reply.dropped = state_.tombstone;
  if (!failure_.ok() || !rules::PromiseIsFlushedFirst()) {
    ready_replies_.push_back(std::move(reply));
    return;
  }
  flush_wanted_ = true;
  held_replies_.push_back({next_flush_, not_before, std::move(reply)});
}

// ---- the log --------------------------------------------------------------------------------------------------------

void ReplicaCore::Propose(EntryPtr entry) {
  CHECK(!awaiting_store_);
  CHECK(admitting());
  CHECK(entry->version == NextVersion()) << entry->version << " is not " << NextVersion();
  log_.Append(std::move(entry));
}

void ReplicaCore::Step(const ConfirmLeadership& input) {
  now_ = std::max(now_, input.now);
  auto* lead = std::get_if<Leadership>(&role_);
  if (lead == nullptr) {
    ready_confirms_.push_back({input.token, Error(Code::kNotPrimary, "this replica does not lead the tablet")});
  } else if (lead->lease_ended()) {
    ready_confirms_.push_back({input.token, Error(Code::kComeAgain, "the tablet is being merged")});
  } else {
    lead->Confirm(input.token, now_);
  }
}

void ReplicaCore::Step(const Stored&) {
  CHECK(awaiting_store_);
  awaiting_store_ = false;
  state_dirty_ = false;
  if (log_.entries_handed_out()) rolled_back_.clear();  // else a state alone was stored
  log_.OnStored();
}

void ReplicaCore::Step(const StoreFailed& input) {
  const bool refused = awaiting_store_ && input.status.code() == Code::kOverloaded;
  if (awaiting_store_) {  // that output's flush is not begun
    flushes_.pop_back();
    log_.OnRefused();
  }
  awaiting_store_ = false;
  if (refused) {
    // What answers the master does not wait for room: a state is always taken.
    store_failed_ = true;
    if (!rules::SentEntriesStand()) log_.DropUnstored();
    flush_wanted_ = !held_replies_.empty();
    RefuseAppends(AppendResult::kBusy);
    return;
  }
  Fail(input.status.ok() ? Status(Code::kInternal, "the store failed without saying why") : input.status);
}

void ReplicaCore::Fail(Status status) {
  failure_ = std::move(status);
  StepDown();
  for (HeldReply& held : held_replies_) {
    held.reply.status = failure_;
    ready_replies_.push_back(std::move(held.reply));
  }
  held_replies_.clear();
  RefuseAppends(AppendResult::kBusy);
  AbandonCopy();
}

void ReplicaCore::Step(const Flushed& input) {
  flushed_number_ = std::max(flushed_number_, input.number);
  log_.OnFlushed(input.number);
  while (!flushes_.empty() && flushes_.front().number <= input.number) {
    if (flushes_.front().state) durable_ = *std::move(flushes_.front().state);
    flushes_.pop_front();
  }
  ReleaseHeld();
  AnswerAppends();
  AdvanceCommit();
  AdvanceCopy();
}

// Replies leave in order; one that waits for grants to run out holds up those behind it. Whoever hears of a drop
// discards what is left, so what is rolled back by it is kept first, even while the store refuses that (PROTOCOL 22).
void ReplicaCore::ReleaseHeld() {
  while (!held_replies_.empty() && held_replies_.front().after <= flushed_number_ &&
         held_replies_.front().not_before <= now_ && (rolled_back_.empty() || !held_replies_.front().reply.dropped)) {
    ready_replies_.push_back(std::move(held_replies_.front().reply));
    held_replies_.pop_front();
  }
}

void ReplicaCore::AdvanceCommit() {
  const auto* lead = std::get_if<Leadership>(&role_);
  if (lead == nullptr) return;
  const Lsn reached = !rules::CommitNeedsMajority() ? log_.flushed() : lead->MajorityFlushed(log_.flushed());
  if (reached >= lead->barrier() || !rules::CommitsOnlyOwnEpoch()) CommitTo(reached);
  CheckTransfer();
}

void ReplicaCore::CommitTo(Lsn lsn) {
  if (lsn <= committed_) return;
  committed_ = lsn;
  commit_news_ = true;
}

void ReplicaCore::Step(const Applied& input) {
  CHECK(input.upto.lsn <= committed_) << "applied " << input.upto << " but only " << committed_ << " is committed";
  log_.Apply(input.upto);
  Freshen();
  AdvanceCopy();
}

void ReplicaCore::Step(const Tick& input) {
  now_ = std::max(now_, input.now);
  store_failed_ = false;
  if (auto* lead = std::get_if<Leadership>(&role_)) lead->OnTick(now_);
  CheckTransfer();
  ReleaseHeld();
}

void ReplicaCore::Step(const HeartbeatDue& input) {
  now_ = std::max(now_, input.now);
  if (auto* lead = std::get_if<Leadership>(&role_)) lead->HeartbeatDue();
}

// ---- what peers answer ----------------------------------------------------------------------------------------------

void ReplicaCore::Step(const PeerReply& input) {
  now_ = std::max(now_, input.now);
  auto* lead = std::get_if<Leadership>(&role_);
  if (lead == nullptr) return;
  if (const auto* append = std::get_if<AppendAnswer>(&input.body)) {
    lead->OnAppendAnswer(input, *append, log_);
    AdvanceCommit();
  } else if (const auto* heartbeat = std::get_if<HeartbeatAnswer>(&input.body)) {
    lead->OnHeartbeatAnswer(input, *heartbeat, log_);
  } else {
    lead->OnLost(input);
  }
}

void ReplicaCore::Step(const PeerRestarted& input) {
  if (auto* lead = std::get_if<Leadership>(&role_)) lead->OnRestarted(input.peer);
}

void ReplicaCore::Step(const CopyNews& input) {
  now_ = std::max(now_, input.now);
  if (auto* lead = std::get_if<Leadership>(&role_)) lead->OnCopyNews(input);
}

// ---- outputs --------------------------------------------------------------------------------------------------------

bool ReplicaCore::HasOutput() const {
  if (commit_news_ || !ready_replies_.empty() || !ready_answers_.empty() || !ready_confirms_.empty() ||
      !ready_copies_.empty()) {
    return true;
  }
  if (awaiting_store_ || !failure_.ok()) return false;
  if (state_dirty_ || flush_wanted_ || (log_.HasWork() && !store_failed_) || CopyNeedsHost()) return true;
  const auto* lead = std::get_if<Leadership>(&role_);
  return lead != nullptr && LeadIsDurable() && lead->HasMessages(log_);
}

// While a stricter flush is under way the later ones must be as strict, as their completion vouches for it.
FlushMode ReplicaCore::NextFlushMode(bool with_state) const {
  const auto strict = [](const PendingFlush& flush) { return flush.mode == FlushMode::kSync; };
  if (with_state || !held_replies_.empty() || std::any_of(flushes_.begin(), flushes_.end(), strict)) {
    return FlushMode::kSync;
  }
  return options_.flush_mode;
}

void ReplicaCore::TakeForStore(ReplicaOutput& output) {
  const bool entries = log_.HasWork() && !store_failed_;
  if (state_dirty_) output.state = state_;
  if (entries) {
    output.rolled_back = rolled_back_;
    output.remove_from = log_.remove_from();
    output.append = log_.Unstored();
  }
  awaiting_store_ = state_dirty_ || entries;
  if (!awaiting_store_ && !flush_wanted_) return;
  // What the master is told of a SPLIT or a FREEZE, the catalog knows for good.
  const bool for_good = std::ranges::any_of(output.append, [](const EntryPtr& entry) {
    return entry->kind == EntryKind::kSplit || entry->kind == EntryKind::kFreeze;
  });
  output.flush = FlushRequest{next_flush_, NextFlushMode(output.state.has_value() || for_good)};
  flushes_.push_back({next_flush_, output.flush->mode, output.state});
  log_.HandOut(next_flush_, entries);
  next_flush_ = next_flush_.Next();
  flush_wanted_ = false;
}

ReplicaOutput ReplicaCore::TakeOutput() {
  CHECK(!awaiting_store_) << "the last output was not answered with Stored or StoreFailed";
  ReplicaOutput output;
  if (failure_.ok()) {
    TakeForStore(output);
    if (auto* lead = std::get_if<Leadership>(&role_)) {
      for (ConfirmReply& reply : lead->TakeConfirmed()) ready_confirms_.push_back(std::move(reply));
      // What is sent is on its way to the store in this very output, or was refused and is offered again (PROTOCOL 2);
      // nothing is sent before it is durable that this replica leads (1).
      if (LeadIsDurable()) {
        // Nobody applies what is not applied here, though the others have flushed it already: who had read it there
        // would read something older at STRONG. A SPLIT brings nothing to read.
        const Lsn known = std::min(committed_, std::max(log_.applied().lsn, lead->split_told()));
        Status status = lead->TakeMessages(log_, known, now_, output.messages, output.copies);
        if (!status.ok()) Fail(std::move(status));
      }
    }
    if (CopyNeedsHost()) {
      copy_->announced = true;
      if (copy_->stage == CopyStage::kPreparing) output.prepare = copy_->order;
      if (copy_->stage == CopyStage::kCheckpointing) output.checkpoint_for_copy = copy_->order.id;
    }
  }
  output.commit = committed_;
  commit_news_ = false;
  output.replies.swap(ready_replies_);
  output.answers.swap(ready_answers_);
  output.confirms.swap(ready_confirms_);
  output.copy_replies.swap(ready_copies_);
  return output;
}

}  // namespace ebla::tabletserver
