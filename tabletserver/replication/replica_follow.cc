#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/replication/replica_core.h"
#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

namespace {

constexpr size_t kEchoesMax = 16;

}  // namespace

// An append or heartbeat of an epoch proves that the catalog names it: it is promised then, and followed.
bool ReplicaCore::Follow(const ServerName& peer, Epoch epoch, MonotonicTime now) {
  const Epoch least = !rules::FenceEndsLowerAppends() ? configured_ : state_.promised;
  if (epoch < least || !failure_.ok()) return false;
  const bool second = epoch == configured_ && peer != primary_;
  if (second)
    LOG(ERROR) << "tablet " << options_.tablet << ": " << peer << " and " << primary_ << " lead epoch " << epoch;
  if (second || (Leads() && epoch <= configured_)) return false;
  if (epoch > configured_ || role() == RoleKind::kPrimary) {
    StepDown();
    configured_ = epoch;
    heard_ = {};
    told_committed_ = {};
    fresh_as_of_ = {};
    echoes_.clear();
    if (auto* follower = std::get_if<Follower>(&role_)) follower->matched = {};
    if (copy_ && copy_->stage < CopyStage::kApplying) AbandonCopy();
  }
  Promise(epoch);
  primary_ = peer;
  heard_ = std::max(heard_, now);
  return true;
}

// Until a lease from now, nobody is told of a promise of a higher epoch.
bool ReplicaCore::Grant(Epoch epoch, MonotonicTime now) {
  const int64_t lease_ms = std::chrono::duration_cast<std::chrono::milliseconds>(options_.lease.length).count();
  const bool promised = epoch == state_.promised && durable_.promised == epoch;
  const bool any = !rules::GrantsOnlyPromisedEpoch() || (!rules::FenceEndsGrants() && epoch == configured_);
  if (!promised && !any) return false;
  if (state_.longest_lease_ms < lease_ms) {
    state_.longest_lease_ms = lease_ms;
    state_dirty_ = true;
  }
  if (durable_.longest_lease_ms < lease_ms) return false;  // after a restart it would not be remembered
  grants_until_ = std::max(grants_until_, now + options_.lease.length);
  return true;
}

void ReplicaCore::Step(PeerRequest input) {
  CHECK(!awaiting_store_);
  now_ = std::max(now_, input.now);
  if (const auto* append = std::get_if<AppendMessage>(&input.body)) {
    OnAppend(input.token, input.peer, *append, input.now);
  } else {
    OnHeartbeat(input.token, input.peer, std::get<HeartbeatMessage>(input.body), input.now);
  }
}

// ---- appends --------------------------------------------------------------------------------------------------------

void ReplicaCore::OnAppend(RequestToken token, const ServerName& peer, const AppendMessage& append, MonotonicTime now) {
  AppendAnswer answer{.epoch = append.epoch};
  const auto say = [&](AppendResult result) {
    answer.result = result;
    answer.promised = state_.promised;
    ready_answers_.push_back({token, answer});
  };
  if (role() == RoleKind::kAbsent) return say(AppendResult::kUnknown);
  if (!Follow(peer, append.epoch, now)) {
    return say(failure_.ok() ? AppendResult::kStaleEpoch : AppendResult::kBusy);
  }
  answer.clock = now;
  answer.granted = Grant(append.epoch, now);
  retain_ = append.retain;
  answer.receiving = awaited_copy();
  if (state_.incomplete) {
    if (!copy_) return say(AppendResult::kIncomplete);
    if (copy_->stage < CopyStage::kReceiving) return say(AppendResult::kBusy);
  }
  // A log that cannot be applied yet may be long: only what the store has not taken is a reason to wait.
  log_.HoldAtMost(options_.held_bytes_max);
  if (store_failed_ || log_.held_bytes() > options_.held_bytes_max) return say(AppendResult::kBusy);

  const Result<std::optional<Version>> conflict = Conflict(append.previous);
  if (!conflict.has_value()) {
    Fail(conflict.error());
    return say(AppendResult::kBusy);
  }
  if (conflict->has_value()) {
    answer.conflict = **conflict;
    return say(AppendResult::kMismatch);
  }
  if (Status status = Take(append); !status.ok()) {
    Fail(std::move(status));
    return say(AppendResult::kBusy);
  }
  Lsn& matched = std::get<Follower>(role_).matched;
  answer.flushed = append.entries.empty() ? append.previous.lsn : append.entries.back()->version.lsn;
  matched = std::max(matched, answer.flushed);
  told_committed_ = std::max(told_committed_, append.committed);
  CommitMatched();
  held_answers_.push_back({token, answer});
  if (log_.flushed() < answer.flushed) flush_wanted_ = true;
  AnswerAppends();
}

// What is applied was committed, and every later primary's log begins with it; but not that of a recovery by hand.
// Epochs never fall along a log, so an entry of a later epoch at or below what is applied shows that another history is
// here.
Status ReplicaCore::CheckHistory(Version entry) const {
  const Version applied = log_.applied();
  const bool other =
      entry.lsn == applied.lsn ? entry.epoch != applied.epoch : entry.lsn < applied.lsn && entry.epoch > applied.epoch;
  if (!other) return {};
  return Error(Code::kInternal, "the primary's log has " + entry.ToString() + ", and through " + applied.ToString() +
                                    " another history is applied here");
}

// Where the sender should look instead; none: the log holds `previous`.
Result<std::optional<Version>> ReplicaCore::Conflict(Version previous) const {
  EBLA_TRY(CheckHistory(previous));
  if (previous.lsn <= log_.applied().lsn) return std::nullopt;
  if (previous.lsn <= log_.last().lsn) {
    EBLA_ASSIGN(const std::optional<Epoch> epoch, log_.EpochAt(previous.lsn));
    if (epoch == previous.epoch) return std::nullopt;
  }
  EBLA_ASSIGN(const std::optional<Version> below, log_.LastUpTo(previous.lsn, previous.epoch));
  return std::max(below.value_or(Version{}), log_.applied());
}

Status ReplicaCore::Take(const AppendMessage& append) {
  Version before = append.previous;
  for (const EntryPtr& entry : append.entries) {
    const Version version = entry->version;
    if (version.lsn != before.lsn.Next() || version.epoch < before.epoch || version.epoch > append.epoch) {
      return Error(Code::kInternal, "the primary sent " + version.ToString() + " after " + before.ToString());
    }
    EBLA_TRY(CheckHistory(version));
    if (version.lsn > log_.applied().lsn && version.lsn <= log_.last().lsn) {
      EBLA_ASSIGN(const std::optional<Epoch> mine, log_.EpochAt(version.lsn));
      if (mine != version.epoch) {
        if (version.lsn <= committed_) {
          return Error(Code::kInternal,
                       "the primary would replace the committed entry " + std::to_string(version.lsn.value));
        }
        EBLA_TRY(log_.Remove(version.lsn, before, rolled_back_));
        if (!rules::RolledBackWritesAreKept()) rolled_back_.clear();
      }
    }
    if (version.lsn > log_.last().lsn) log_.Append(entry);
    before = version;
  }
  return {};
}

// What is known to be committed, of a log that is known to be the primary's. A copy's chunks know it too: what they
// show was applied at their source. Without that the last replica that a Barrier lacks would wait to be told of the
// very entries that nobody can commit without it.
void ReplicaCore::CommitMatched() {
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr) return;
  const Lsn shown = copy_ && copy_->stage >= CopyStage::kApplying ? copy_->upto : Lsn{};
  CommitTo(std::min(std::max(told_committed_, shown), follower->matched));
  Remember();
}

// Those that are durable, and the promise with them. What has become of a copy while they waited is told as it is now:
// a primary that hears of one that is over begins another.
void ReplicaCore::AnswerAppends() {
  std::erase_if(held_answers_, [this](HeldAnswer& held) {
    if (log_.flushed() < held.answer.flushed) return false;
    if (durable_.promised < held.answer.epoch && rules::PromiseIsFlushedFirst()) return false;
    held.answer.result = AppendResult::kStored;
    held.answer.promised = state_.promised;
    held.answer.incomplete = durable_.incomplete || state_.incomplete;
    held.answer.receiving = awaited_copy();
    ready_answers_.push_back({held.token, held.answer});
    return true;
  });
  Remember();
}

// What a replica that may have lost writes acknowledged is here again once it holds all that this epoch has committed.
void ReplicaCore::Remember() {
  // Before the primary has said in this life what is committed, what is known to be committed here proves nothing: that
  // is what the crash has left.
  const bool told = told_committed_ || !rules::SureOnlyOnceToldCommit();
  if (!state_.may_have_lost_writes || !configured_ || !told || committed_ < told_committed_ ||
      log_.flushed() < committed_)
    return;
  const Result<std::optional<Epoch>> epoch = log_.EpochAt(committed_);
  if (!epoch.has_value() || *epoch != configured_) return;
  state_.may_have_lost_writes = false;
  state_dirty_ = true;
}

void ReplicaCore::RefuseAppends(AppendResult result, Lsn above) {
  std::erase_if(held_answers_, [&](HeldAnswer& held) {
    if (held.answer.flushed <= above && above) return false;
    held.answer.result = result;
    held.answer.promised = state_.promised;
    held.answer.granted = false;
    held.answer.receiving = awaited_copy();
    ready_answers_.push_back({held.token, held.answer});
    return true;
  });
}

// ---- heartbeats -----------------------------------------------------------------------------------------------------

void ReplicaCore::OnHeartbeat(RequestToken token, const ServerName& peer, const HeartbeatMessage& heartbeat,
                              MonotonicTime now) {
  HeartbeatAnswer answer{.epoch = heartbeat.epoch, .round = heartbeat.round};
  answer.known = role() != RoleKind::kAbsent;
  if (answer.known && Follow(peer, heartbeat.epoch, now)) {
    answer.granted = Grant(heartbeat.epoch, now);
    answer.clock = now;
    retain_ = heartbeat.retain;
    told_committed_ = std::max(told_committed_, heartbeat.committed);
    CommitMatched();
    // One that is still to come is of another life of this machine.
    if (heartbeat.echo_clock > fresh_as_of_ && heartbeat.echo_clock <= now && echoes_.size() < kEchoesMax) {
      echoes_.push_back({heartbeat.echo_clock, heartbeat.echo_committed});
      Freshen();
    }
  } else if (answer.known && (!rules::GrantsOnlyPromisedEpoch() || !rules::FenceEndsGrants())) {
    answer.granted = Grant(heartbeat.epoch, now);
  }
  answer.promised = state_.promised;
  answer.last = log_.last();
  ready_answers_.push_back({token, answer});
}

// Having applied what was committed when the primary, under its lease, heard of that moment, this is no older than it.
void ReplicaCore::Freshen() {
  while (!echoes_.empty() && echoes_.front().committed <= applied() && !state_.incomplete) {
    fresh_as_of_ = std::max(fresh_as_of_, echoes_.front().clock);
    echoes_.pop_front();
  }
}

// ---- being copied to (PROTOCOL 5, 9) --------------------------------------------------------------------------------

void ReplicaCore::Step(const ReceiveCopy& input) {
  CHECK(!awaiting_store_);
  now_ = std::max(now_, input.now);
  const auto say = [&](Status status) { ready_copies_.push_back({input.token, std::move(status)}); };
  if (role() == RoleKind::kAbsent) return say(Error(Code::kNotFound, "no replica is here"));
  if (!Follow(input.peer, input.epoch, input.now)) return say(Error(Code::kStaleEpoch, "a higher epoch is promised"));
  if (copy_ && copy_->order.id == input.id && copy_->stage >= CopyStage::kReceiving) return say({});
  if (input.id < latest_copy_) return say(Error(Code::kComeAgain, "a newer copy has begun"));
  const bool arrived = copy_ && copy_->stage >= CopyStage::kApplying;
  if ((!state_.incomplete || arrived) && rules::CopySparesWhoHoldsLine()) {
    // Who holds the line may have been counted when what follows it was committed. Who has applied another history
    // holds nothing, and what it has is not discarded on a primary's word alone: it fails, and is dropped and made
    // anew.
    if (Status status = CheckHistory(input.line); !status.ok()) {
      Fail(std::move(status));
      return say(failure_);
    }
    bool holds = input.line.lsn <= log_.applied().lsn;
    if (!holds) {
      const Result<std::optional<Epoch>> epoch = log_.EpochAt(input.line.lsn);
      if (!epoch.has_value()) return say(epoch.error());
      holds = *epoch == input.line.epoch;
    }
    if (holds) return say(Error(Code::kConditionFailed, "the log holds " + input.line.ToString()));
  }
  AbandonCopy();
  latest_copy_ = input.id;
  copy_ = Copy{.order = input, .marked_by = next_flush_};
  RefuseAppends(AppendResult::kIncomplete);
  // What was acknowledged at PRIMARY and is in no other log is kept, before all of it goes (PROTOCOL 22). A replica
  // that is incomplete already has kept it, and what it logged since has gaps.
  if (!state_.incomplete && log_.last().lsn > log_.applied().lsn) {
    if (Status status = log_.Remove(log_.applied().lsn.Next(), log_.applied(), rolled_back_); !status.ok()) {
      return Fail(std::move(status));
    }
    if (!rules::RolledBackWritesAreKept()) rolled_back_.clear();
    committed_ = std::min(committed_, log_.applied().lsn);
  }
  if (!state_.incomplete) {
    state_.incomplete = true;
    state_dirty_ = true;
  }
  flush_wanted_ = true;
  AdvanceCopy();
}

// Whoever waits for it to be prepared is told.
void ReplicaCore::AbandonCopy() {
  if (copy_ && copy_->stage < CopyStage::kReceiving) {
    ready_copies_.push_back({copy_->order.token, Error(Code::kComeAgain, "the copy was given up")});
  }
  copy_.reset();
}

void ReplicaCore::Step(const CopyPrepared& input) {
  CHECK(!awaiting_store_);
  if (!copy_ || copy_->order.id != input.id || copy_->stage != CopyStage::kPreparing) return;
  log_.Reset(copy_->order.start);
  committed_ = copy_->order.start.lsn;
  std::get<Follower>(role_).matched = {};
  copy_->stage = CopyStage::kReceiving;
  ready_copies_.push_back({copy_->order.token, {}});
}

void ReplicaCore::Step(const CopyArrived& input) {
  if (!copy_ || copy_->order.id != input.id || copy_->stage < CopyStage::kReceiving) {
    ready_copies_.push_back({input.token, Error(Code::kNotFound, "no such copy is under way")});
    return;
  }
  if (copy_->stage == CopyStage::kReceiving) {
    copy_->upto = input.upto;
    copy_->stage = CopyStage::kApplying;
    commit_news_ = true;
    CommitMatched();
    AdvanceCopy();
  }
  ready_copies_.push_back({input.token, {}});
}

// Chunks were read at different moments, up to `upto`: only with the log through there are they one state.
void ReplicaCore::AdvanceCopy() {
  if (!copy_) return;
  const bool marked = durable_.incomplete && rolled_back_.empty() && flushed_number_ >= copy_->marked_by;
  if (copy_->stage == CopyStage::kMarking && marked) {
    copy_->stage = CopyStage::kPreparing;
    copy_->announced = false;
  }
  const bool through = applied() >= copy_->upto || !rules::CopyAppliesPastItsChunks();
  if (copy_->stage == CopyStage::kApplying && through) {
    copy_->stage = CopyStage::kCheckpointing;
    copy_->announced = false;
    if (!rules::CopyEndsWithCheckpoint()) Step(CopyCheckpointed{copy_->order.id});
  }
}

void ReplicaCore::Step(const CopyCheckpointed& input) {
  if (!copy_ || copy_->order.id != input.id || copy_->stage != CopyStage::kCheckpointing) return;
  copy_.reset();
  state_.incomplete = false;
  state_.may_have_lost_writes = false;
  state_dirty_ = true;
}

}  // namespace ebla::tabletserver
