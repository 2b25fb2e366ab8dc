#include "tabletserver/replication/replica_core.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::tabletserver {

namespace {

std::string EpochText(Epoch epoch) { return std::to_string(epoch.value); }

// The greatest position that a majority has reached.
Lsn MajorityOf(const std::map<ServerName, Lsn>& flushed) {
  std::vector<Lsn> positions;
  positions.reserve(flushed.size());
  for (const auto& [voter, lsn] : flushed) positions.push_back(lsn);
  std::sort(positions.begin(), positions.end(), std::greater<>());
  return positions[positions.size() / 2];
}

}  // namespace

ReplicaCore::ReplicaCore(ReplicaOptions options, ReplicaState state, Version last_logged, Lsn applied)
    : options_(std::move(options)),
      state_(std::move(state)),
      stored_(last_logged),
      committed_(applied),
      applied_(applied),
      handed_out_(last_logged) {
  if (state_.table && !state_.tombstone) role_ = Follower{};
  remains_ = state_.tombstone && (last_logged || applied);
}

RoleKind ReplicaCore::role() const {
  if (std::holds_alternative<Primary>(role_)) return RoleKind::kPrimary;
  return std::holds_alternative<Follower>(role_) ? RoleKind::kFollower : RoleKind::kAbsent;
}

Version ReplicaCore::last_appended() const { return held_.empty() ? stored_ : std::max(stored_, held_.back()->version); }

Version ReplicaCore::NextVersion() const { return {configured_, last_appended().lsn.Next()}; }

bool ReplicaCore::BarrierApplied() const {
  const auto* primary = std::get_if<Primary>(&role_);
  return primary != nullptr && applied_ >= primary->barrier;
}

MonotonicTime ReplicaCore::lease_until() const {
  return Leads() && voters_.size() == 1 ? MonotonicTime::Max() : MonotonicTime{};
}

EntryPtr ReplicaCore::Held(Lsn lsn) const {
  if (held_.empty() || lsn < held_.front()->version.lsn || lsn > held_.back()->version.lsn) return nullptr;
  return held_[lsn.value - held_.front()->version.lsn.value];
}

// ---- the master's requests ------------------------------------------------------------------------------------------

void ReplicaCore::Step(const ConfigureReplica& input) {
  CHECK(!awaiting_store_);
  if (Status status = CheckConfigure(input); !status.ok()) return Reply(input.token, std::move(status));
  if (role() == RoleKind::kAbsent) Create(input);
  if (input.schema != state_.schema) {
    state_.schema = input.schema;
    state_dirty_ = true;
  }
  const bool leads_it = Leads() && configured_ == input.epoch;
  voters_ = input.voters;
  learners_ = input.learners;
  primary_ = input.primary;
  if (input.primary != options_.self) {
    StepDown();
    Promise(input.epoch);
    configured_ = input.epoch;
  } else if (!leads_it) {
    Lead(input);
  }
  Reply(input.token, {});
}

Status ReplicaCore::CheckConfigure(const ConfigureReplica& input) const {
  if (!failure_.ok()) return failure_;
  if (!input.epoch || !input.table) return Error(Code::kInvalidArgument, "a configuration needs an epoch and a table");
  if (input.epoch < state_.promised) {
    return Error(Code::kStaleEpoch, "epoch " + EpochText(input.epoch) + " is below the promised epoch " +
                                        EpochText(state_.promised));
  }
  if (state_.tombstone && input.epoch <= state_.promised) {
    return Error(Code::kStaleEpoch, "the replica was dropped in epoch " + EpochText(state_.promised));
  }
  if (remains_) return Error(Code::kComeAgain, "the dropped replica's data is still being removed");
  if (role() != RoleKind::kAbsent && input.table != state_.table) {
    return Error(Code::kInvalidArgument, "the tablet belongs to table " + std::to_string(state_.table.value));
  }
  if (input.voters.size() != 1) return Error(Code::kInvalidArgument, "a tablet has exactly one voter in this version");
  if (input.voters.front() != input.primary) return Error(Code::kInvalidArgument, "the primary is not a voter");
  return input.primary == options_.self ? CheckLead(input) : Status();
}

// May this replica lead the epoch (PROTOCOL 1, 5, 6)?
Status ReplicaCore::CheckLead(const ConfigureReplica& input) const {
  const bool leads = Leads();
  if (leads && configured_ == input.epoch) return {};
  if (state_.led >= input.epoch) {
    return Error(Code::kStaleEpoch,
                 "epoch " + EpochText(input.epoch) + " was led before and is over: fence a higher one");
  }
  if (role() == RoleKind::kAbsent) {
    if (!input.born) return Error(Code::kUnavailable, "no replica is here, and the tablet was not born empty");
    return {};
  }
  const bool fresh = input.born && !state_.led && !last_appended();
  if (!input.fenced && !leads && !fresh) {
    return Error(Code::kStaleEpoch, "only the incarnation that leads may change the membership: fence a higher epoch");
  }
  if (state_.incomplete) return Error(Code::kUnavailable, "the replica is incomplete and has no log to offer");
  if (last_appended() < input.presumed) {
    return Error(Code::kConditionFailed, "the log ends at " + last_appended().ToString() + ", short of the presumed " +
                                             input.presumed.ToString());
  }
  return {};
}

void ReplicaCore::Create(const ConfigureReplica& input) {
  state_.table = input.table;
  state_.tombstone = false;
  state_.incomplete = !input.born;
  state_.incomplete_range = input.range;
  state_.family_epoch = {};
  state_.family_lsn = {};
  state_dirty_ = true;
  role_ = Follower{};
}

void ReplicaCore::Lead(const ConfigureReplica& input) {
  Promise(input.epoch);
  state_.led = input.epoch;
  state_dirty_ = true;
  configured_ = input.epoch;
  Primary primary;
  primary.barrier = last_appended().lsn.Next();
  for (const ServerName& voter : voters_) primary.flushed[voter] = {};
  role_ = std::move(primary);

  auto barrier = std::make_shared<LogEntry>();
  barrier->kind = EntryKind::kBarrier;
  barrier->version = NextVersion();
  barrier->time = input.barrier_time;
  Propose(std::move(barrier));
}

void ReplicaCore::Step(const FenceReplica& input) {
  CHECK(!awaiting_store_);
  if (!failure_.ok()) return Reply(input.token, failure_);
  if (!input.epoch) return Reply(input.token, Error(Code::kInvalidArgument, "a fence needs an epoch"));
  if (input.epoch < state_.promised || input.epoch <= state_.led) {
    return Reply(input.token, Error(Code::kStaleEpoch, "epoch " + EpochText(state_.promised) + " is promised already"));
  }
  StepDown();
  Promise(input.epoch);
  Reply(input.token, {});
}

void ReplicaCore::Step(const DropReplica& input) {
  CHECK(!awaiting_store_);
  if (!failure_.ok()) return Reply(input.token, failure_);
  if (!input.epoch) return Reply(input.token, Error(Code::kInvalidArgument, "a drop needs an epoch"));
  if (input.epoch < state_.promised) {
    return Reply(input.token, Error(Code::kStaleEpoch, "epoch " + EpochText(state_.promised) + " is promised already"));
  }
  StepDown();
  Promise(input.epoch);
  if (!state_.tombstone) {
    remains_ = role() != RoleKind::kAbsent;
    state_.tombstone = true;
    state_.incomplete = false;
    state_dirty_ = true;
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

void ReplicaCore::Step(const ReplicaForgotten&) {
  CHECK(!awaiting_store_);
  CHECK(state_.tombstone) << "only a dropped replica is forgotten";
  remains_ = false;
  stored_ = handed_out_ = {};
  flushed_ = committed_ = applied_ = {};
  held_.clear();
  for (PendingFlush& flush : flushes_) flush.upto = {};
}

// PROTOCOL 3: for good. What the store never got is given up; the rest stays in the log for whoever leads next.
void ReplicaCore::StepDown() {
  if (!Leads()) return;
  role_ = Follower{};
  while (!held_.empty() && held_.back()->version > stored_) held_.pop_back();
}

void ReplicaCore::Promise(Epoch epoch) {
  if (epoch <= state_.promised) return;
  state_.promised = epoch;
  state_dirty_ = true;
}

// Held back until everything up to now is durable, the refusals too: they name the promise.
void ReplicaCore::Reply(RequestToken token, Status status) {
  ControlReply reply;
  reply.token = token;
  reply.status = std::move(status);
  reply.promised = state_.promised;
  reply.last_appended = last_appended();
  reply.known = role() != RoleKind::kAbsent;
  reply.incomplete = state_.incomplete;
  reply.dropped = state_.tombstone;
  if (!failure_.ok()) {
    ready_replies_.push_back(std::move(reply));
    return;
  }
  flush_wanted_ = true;
  held_replies_.push_back({next_flush_, std::move(reply)});
}

// ---- the log --------------------------------------------------------------------------------------------------------

void ReplicaCore::Propose(EntryPtr entry) {
  CHECK(!awaiting_store_);
  CHECK(Leads());
  CHECK(entry->version == NextVersion()) << entry->version << " is not " << NextVersion();
  held_.push_back(std::move(entry));
}

void ReplicaCore::Step(const Stored&) {
  CHECK(awaiting_store_);
  awaiting_store_ = false;
  state_dirty_ = false;
  stored_ = handed_out_;
}

void ReplicaCore::Step(const StoreFailed& input) {
  const bool refused = awaiting_store_ && input.status.code() == Code::kOverloaded;
  if (awaiting_store_) flushes_.pop_back();  // that output's flush, which is not begun
  awaiting_store_ = false;
  handed_out_ = stored_;
  if (refused) {
    store_failed_ = true;
    return;
  }
  failure_ = input.status.ok() ? Status(Code::kInternal, "the store failed without saying why") : input.status;
  StepDown();
  for (HeldReply& held : held_replies_) {
    held.reply.status = failure_;
    ready_replies_.push_back(std::move(held.reply));
  }
  held_replies_.clear();
}

void ReplicaCore::Step(const Flushed& input) {
  while (!flushes_.empty() && flushes_.front().number <= input.number) {
    flushed_ = std::max(flushed_, flushes_.front().upto);
    flushes_.pop_front();
  }
  while (!held_replies_.empty() && held_replies_.front().after <= input.number) {
    ready_replies_.push_back(std::move(held_replies_.front().reply));
    held_replies_.pop_front();
  }
  AdvanceCommit();
}

void ReplicaCore::AdvanceCommit() {
  auto* primary = std::get_if<Primary>(&role_);
  if (primary == nullptr) return;
  primary->flushed[options_.self] = flushed_;
  const Lsn reached = MajorityOf(primary->flushed);
  if (reached < primary->barrier || reached <= committed_) return;
  committed_ = reached;
  commit_news_ = true;
}

void ReplicaCore::Step(const Applied& input) {
  CHECK(input.upto <= committed_) << "applied " << input.upto << " but only " << committed_ << " is committed";
  applied_ = std::max(applied_, input.upto);
  while (!held_.empty() && held_.front()->version.lsn <= applied_) held_.pop_front();
}

void ReplicaCore::Step(const Tick&) { store_failed_ = false; }

// ---- outputs --------------------------------------------------------------------------------------------------------

bool ReplicaCore::HasOutput() const {
  if (commit_news_ || !ready_replies_.empty()) return true;
  if (store_failed_ || awaiting_store_ || !failure_.ok()) return false;
  return state_dirty_ || flush_wanted_ || last_appended() > stored_;
}

// While a stricter flush is under way the later ones must be as strict, as their completion vouches for it.
FlushMode ReplicaCore::NextFlushMode() const {
  const auto strict = [](const PendingFlush& flush) { return flush.mode == FlushMode::kSync; };
  if (!held_replies_.empty() || std::any_of(flushes_.begin(), flushes_.end(), strict)) return FlushMode::kSync;
  return options_.flush_mode;
}

ReplicaOutput ReplicaCore::TakeOutput() {
  CHECK(!awaiting_store_) << "the last output was not answered with Stored or StoreFailed";
  ReplicaOutput output;
  if (!store_failed_ && failure_.ok()) {
    if (state_dirty_) output.state = state_;
    for (size_t i = held_.size(); i > 0 && held_[i - 1]->version > stored_; --i) output.append.push_back(held_[i - 1]);
    std::reverse(output.append.begin(), output.append.end());
    handed_out_ = last_appended();
    awaiting_store_ = output.state.has_value() || !output.append.empty();
    if (awaiting_store_ || flush_wanted_) {
      output.flush = FlushRequest{next_flush_, NextFlushMode()};
      flushes_.push_back({next_flush_, handed_out_.lsn, output.flush->mode});
      next_flush_ = next_flush_.Next();
      flush_wanted_ = false;
    }
  }
  output.commit = committed_;
  commit_news_ = false;
  output.replies.swap(ready_replies_);
  return output;
}

}  // namespace ebla::tabletserver
