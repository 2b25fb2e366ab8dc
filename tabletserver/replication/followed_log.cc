#include "tabletserver/replication/followed_log.h"

#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

namespace {

constexpr size_t kEchoesMax = 16;

}  // namespace

// ---- what the primary says ------------------------------------------------------------------------------------------

void FollowedLog::BeginEpoch() {
  last_contact_ = {};
  told_committed_ = {};
  fresh_as_of_ = {};
  echoes_.clear();
  matched_ = {};
}

void FollowedLog::Learn(Lsn committed, Lsn retain) {
  retain_ = retain;
  told_committed_ = std::max(told_committed_, committed);
}

void FollowedLog::Echo(const HeartbeatMessage& heartbeat, MonotonicTime now) {
  const MonotonicTime latest = echoes_.empty() ? fresh_as_of_ : echoes_.back().clock;
  // A moment in the future is of an earlier boot of this machine.
  if (heartbeat.echo_clock > latest && heartbeat.echo_clock <= now) {
    // The first keep their turn: were each to wait for the latest, a log that is always written would never be fresh.
    if (echoes_.size() == kEchoesMax) echoes_.pop_back();
    echoes_.push_back({heartbeat.echo_clock, heartbeat.echo_committed});
  }
  Freshen();
}

// Once this replica has applied the entries that were committed when the primary, under its lease, received that
// moment, its state is no older than it.
void FollowedLog::Freshen() {
  while (!echoes_.empty() && echoes_.front().committed <= common_.log.applied().lsn && !common_.state.incomplete) {
    fresh_as_of_ = std::max(fresh_as_of_, echoes_.front().clock);
    echoes_.pop_front();
  }
}

// A copy's chunks prove commits, too, because their source had applied them. Otherwise the last replica that a Barrier
// needs would wait for news of entries that cannot be committed without it.
void FollowedLog::CommitMatched() {
  common_.CommitTo(std::min(std::max(told_committed_, copies_.shown()), matched_));
  ClearDoubtOfLostWrites();
}

// A replica that may have lost writes has its acknowledged ones again once it holds all committed entries of this
// epoch.
void FollowedLog::ClearDoubtOfLostWrites() {
  ReplicaState& state = common_.state;
  if (!state.may_have_lost_writes || state.incomplete || !common_.epoch) return;
  // Before the primary has said in this life what is committed, what is known to be committed here proves nothing: that
  // is what the crash has left.
  if (!told_committed_ && rules::SureOnlyOnceToldCommit()) return;
  if (common_.committed < told_committed_ || common_.log.flushed() < common_.committed) return;
  const Result<std::optional<Epoch>> epoch = common_.log.EpochAt(common_.committed);
  if (!epoch.has_value() || *epoch != common_.epoch) return;
  state.may_have_lost_writes = false;
  common_.state_dirty = true;
}

// ---- answers --------------------------------------------------------------------------------------------------------

void FollowedLog::Answer(RequestToken token, AppendAnswer answer, AppendResult result) {
  answer.result = result;
  answer.promised = common_.state.promised;
  ready_.push_back({token, answer});
}

void FollowedLog::AnswerOnceDurable(RequestToken token, const AppendAnswer& answer) {
  held_.push_back({token, answer});
  if (common_.log.flushed() < answer.flushed) common_.flushes.Want();
  AnswerDurable();
}

// The answers report the copy's present state, because a primary that is told of a finished copy begins another.
void FollowedLog::AnswerDurable() {
  const ReplicaState& durable = common_.flushes.durable();
  std::erase_if(held_, [&](Held& held) {
    if (common_.log.flushed() < held.answer.flushed) return false;
    if (durable.promised < held.answer.epoch && rules::PromiseIsFlushedFirst()) return false;
    const bool lost = common_.state.lost && rules::LostReplicaAcknowledgesNothing();
    held.answer.incomplete = durable.incomplete || common_.state.incomplete || lost;
    held.answer.synced = common_.KeepsFlushed();
    held.answer.receiving = copies_.awaited();
    Answer(held.token, held.answer, AppendResult::kStored);
    return true;
  });
  ClearDoubtOfLostWrites();
}

void FollowedLog::Refuse(AppendResult result, Lsn above) {
  std::erase_if(held_, [&](Held& held) {
    if (held.answer.flushed <= above && above) return false;
    held.answer.granted = false;
    held.answer.receiving = copies_.awaited();
    Answer(held.token, held.answer, result);
    return true;
  });
}

}  // namespace ebla::tabletserver
