#include "tabletserver/replication/follower.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

void Follower::Step(const PeerRequest& input) {
  common_.CheckStoreAnswered();
  if (const auto* append = std::get_if<AppendMessage>(&input.body)) {
    OnAppend(input, *append);
  } else {
    OnHeartbeat(input, std::get<HeartbeatMessage>(input.body));
  }
}

// ---- appends --------------------------------------------------------------------------------------------------------

void Follower::OnAppend(const PeerRequest& request, const AppendMessage& append) {
  AppendAnswer answer{.epoch = append.epoch};
  const auto say = [&](AppendResult result) { followed_.Answer(request.token, answer, result); };
  const auto fail = [&](Status status) {
    role_.Fail(std::move(status));
    say(AppendResult::kBusy);
  };
  if (role_.kind() == RoleKind::kAbsent) return say(AppendResult::kUnknown);
  if (!role_.AcceptsPrimary(request.peer, append.epoch) || !role_.Follow(request.peer, append.epoch, request.now)) {
    return say(common_.failure.ok() ? AppendResult::kStaleEpoch : AppendResult::kBusy);
  }
  answer.clock = request.now;
  if (append.acknowledged) role_.CompareWith({append.epoch, append.acknowledged});
  answer.granted = grants_.Grant(append.epoch, request.now);
  followed_.Learn({}, append.retain);
  answer.receiving = copies_.awaited();
  if (const std::optional<AppendResult> refusal = CannotTake()) return say(*refusal);

  Result<std::optional<Version>> conflict = Conflict(append.previous);
  if (!conflict.has_value()) return fail(std::move(conflict.error()));
  if (conflict->has_value()) {
    answer.conflict = **conflict;
    return say(AppendResult::kMismatch);
  }
  if (Status status = Take(append); !status.ok()) return fail(std::move(status));
  answer.flushed = append.entries.empty() ? append.previous.lsn : append.entries.back()->version.lsn;
  followed_.Match(answer.flushed);
  followed_.Learn(append.committed, append.retain);
  followed_.CommitMatched();
  followed_.AnswerOnceDurable(request.token, answer);
}

std::optional<AppendResult> Follower::CannotTake() {
  if (common_.state.incomplete) {
    if (!copies_.under_way()) return AppendResult::kIncomplete;
    if (!copies_.takes_log()) return AppendResult::kBusy;
  }
  // A log that cannot be applied yet may be long: only what the store has not taken is a reason to wait.
  common_.log.HoldAtMost(common_.options.held_bytes_max);
  const bool full = common_.flushes.store_stalled() || common_.log.held_bytes() > common_.options.held_bytes_max;
  return full ? std::optional(AppendResult::kBusy) : std::nullopt;
}

// The position where the sender should look instead; none: the log holds `previous`.
Result<std::optional<Version>> Follower::Conflict(Version previous) const {
  const ReplicaLog& log = common_.log;
  EBLA_TRY(log.CheckHistory(previous));
  if (previous.lsn <= log.applied().lsn) return std::nullopt;
  if (previous.lsn <= log.last().lsn) {
    EBLA_ASSIGN(const std::optional<Epoch> epoch, log.EpochAt(previous.lsn));
    if (epoch == previous.epoch) return std::nullopt;
  }
  EBLA_ASSIGN(const std::optional<Version> below, log.LastUpTo(previous.lsn, previous.epoch));
  return std::max(below.value_or(Version{}), log.applied());
}

Status Follower::Take(const AppendMessage& append) {
  ReplicaLog& log = common_.log;
  Version before = append.previous;
  for (const EntryPtr& entry : append.entries) {
    const Version version = entry->version;
    if (version.lsn != before.lsn.Next() || version.epoch < before.epoch || version.epoch > append.epoch) {
      return Error(Code::kInternal, "the primary sent " + version.ToString() + " after " + before.ToString());
    }
    EBLA_TRY(log.CheckHistory(version));
    if (version.lsn > log.applied().lsn && version.lsn <= log.last().lsn) {
      EBLA_ASSIGN(const std::optional<Epoch> mine, log.EpochAt(version.lsn));
      if (mine != version.epoch) {
        if (version.lsn <= common_.committed) {
          return Error(Code::kInternal,
                       "the primary would replace the committed entry " + std::to_string(version.lsn.value));
        }
        EBLA_TRY(log.Remove(version.lsn, before, common_.rolled_back));
        if (!rules::RolledBackWritesAreKept()) common_.rolled_back.clear();
      }
    }
    if (version.lsn > log.last().lsn) log.Append(entry);
    before = version;
  }
  return {};
}

// ---- heartbeats -----------------------------------------------------------------------------------------------------

void Follower::OnHeartbeat(const PeerRequest& request, const HeartbeatMessage& heartbeat) {
  HeartbeatAnswer answer{.epoch = heartbeat.epoch, .round = heartbeat.round};
  answer.known = role_.kind() != RoleKind::kAbsent;
  const bool believed = role_.AcceptsPrimary(request.peer, heartbeat.epoch);
  if (answer.known && believed && role_.Follow(request.peer, heartbeat.epoch, request.now)) {
    if (heartbeat.acknowledged) role_.CompareWith({heartbeat.epoch, heartbeat.acknowledged});
    if (heartbeat.flushed) common_.vouched[request.peer] = {heartbeat.epoch, heartbeat.flushed};
    answer.granted = grants_.Grant(heartbeat.epoch, request.now);
    answer.clock = request.now;
    followed_.Learn(heartbeat.committed, heartbeat.retain);
    followed_.CommitMatched();
    followed_.Echo(heartbeat, request.now);
  } else if (answer.known && believed && (!rules::GrantsOnlyPromisedEpoch() || !rules::FenceEndsGrants())) {
    answer.granted = grants_.Grant(heartbeat.epoch, request.now);
  }
  // The promise that would forbid it may be lost.
  if (common_.state.lost && rules::LostReplicaGrantsNothing()) answer.known = false;
  answer.promised = common_.state.promised;
  answer.last = common_.log.last();
  followed_.Answer(request.token, answer);
}

// ---- being copied to (PROTOCOL 5, 9) --------------------------------------------------------------------------------

void Follower::Step(const ReceiveCopy& input) {
  common_.CheckStoreAnswered();
  if (role_.kind() == RoleKind::kAbsent)
    return copies_.Answer(input.token, Error(Code::kNotFound, "no replica is here"));
  if (!role_.AcceptsPrimary(input.peer, input.epoch) || !role_.Follow(input.peer, input.epoch, input.now)) {
    return copies_.Answer(input.token, Error(Code::kStaleEpoch, "a higher epoch is promised"));
  }
  const Result<bool> accepts = copies_.Accepts(input);
  if (!accepts.has_value()) {
    role_.Fail(accepts.error());
    return copies_.Answer(input.token, common_.failure);
  }
  if (!*accepts) return;
  copies_.Begin(input);
  followed_.Refuse(AppendResult::kIncomplete);
  // A replica that is incomplete already has kept what it rolls back, and what it logged since has gaps.
  if (!common_.state.incomplete) {
    if (Status status = common_.RollBackUnapplied(); !status.ok()) return role_.Fail(std::move(status));
    if (!rules::RolledBackWritesAreKept()) common_.rolled_back.clear();
    common_.state.incomplete = true;
    common_.state_dirty = true;
  }
  common_.flushes.Want();
  copies_.Advance();
}

void Follower::Step(const CopyPrepared& input) {
  common_.CheckStoreAnswered();
  if (copies_.OnPrepared(input)) followed_.Unmatch();
}

void Follower::Step(const CopyArrived& input) {
  if (!copies_.OnArrived(input)) return;
  common_.commit_news = true;
  followed_.CommitMatched();
  copies_.Advance();
}

}  // namespace ebla::tabletserver
