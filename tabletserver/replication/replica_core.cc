#include "tabletserver/replication/replica_core.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

namespace {

// The last position of the log that this log continues.
Version BaseOf(const ReplicaState& state) {
  return state.merged ? state.merged->position : Version{state.lineage_epoch, state.lineage_lsn};
}

ReplicaCommon Recovered(ReplicaOptions options, ReplicaState state, Version first, Version last, Version applied,
                        LogReader reader) {
  ReplicaCommon common{.options = std::move(options),
                       .state = state,
                       .log = ReplicaLog(first, last, applied, BaseOf(state), std::move(reader)),
                       .flushes = FlushTracker(state),
                       .committed = applied.lsn};
  common.now = common.options.started;
  if (common.options.may_have_lost_writes && state.present() && !state.may_have_lost_writes) {
    common.state.may_have_lost_writes = true;
    common.state_dirty = true;
  }
  return common;
}

}  // namespace

ReplicaCore::ReplicaCore(ReplicaOptions options, ReplicaState state, Version first, Version last, Version applied,
                         LogReader reader)
    : common_(Recovered(std::move(options), std::move(state), first, last, applied, std::move(reader))),
      copies_(common_),
      followed_(common_, copies_),
      replies_(common_),
      grants_(common_),
      role_(common_, replies_, followed_, copies_),
      orders_(common_, role_, replies_, followed_, copies_, grants_),
      follower_(common_, role_, followed_, copies_, grants_) {}

// ---- what it has decided --------------------------------------------------------------------------------------------

bool ReplicaCore::may_apply() const {
  if (role() == RoleKind::kAbsent || !failure().ok()) return false;
  return !state().incomplete || copies_.applying();
}

Lsn ReplicaCore::NeededFrom() const {
  const Lsn next = log().applied().lsn.Next();
  const Leadership* lead = role_.leadership();
  return lead == nullptr ? followed_.NeededFrom(next) : lead->NeededFrom(next);
}

MonotonicTime ReplicaCore::wake_at() const { return std::min(replies_.wake_at(), role_.transfer().deadline()); }

// ---- the log --------------------------------------------------------------------------------------------------------

void ReplicaCore::Propose(EntryPtr entry) {
  common_.CheckStoreAnswered();
  CHECK(admitting());
  CHECK(entry->version == NextVersion()) << entry->version << " is not " << NextVersion();
  common_.log.Append(std::move(entry));
}

void ReplicaCore::Step(const Stored&) {
  CHECK(common_.flushes.store_busy());
  common_.flushes.OnStored();
  common_.state_dirty = false;
  if (common_.log.entries_handed_out()) common_.rolled_back.clear();  // else a state alone was stored
  common_.log.OnStored();
}

void ReplicaCore::Step(const StoreFailed& input) {
  const bool out = common_.flushes.store_busy();
  if (out) common_.log.OnRefused();
  common_.flushes.OnNotStored();
  if (!out || input.status.code() != Code::kOverloaded) {
    return role_.Fail(input.status.ok() ? Status(Code::kInternal, "the store failed without saying why")
                                        : input.status);
  }
  // Answers to the master do not wait for room, because the store always accepts a state.
  common_.flushes.StallStore();
  if (!rules::SentEntriesStand()) common_.log.DropUnstored();
  common_.flushes.Want(replies_.waiting());
  followed_.Refuse(AppendResult::kBusy);
}

void ReplicaCore::Step(const Flushed& input) {
  common_.log.OnFlushed(input.number);
  common_.flushes.OnFlushed(input.number);
  replies_.Release();
  followed_.AnswerDurable();
  AdvanceCommit();
  copies_.Advance();
}

void ReplicaCore::AdvanceCommit() {
  const Leadership* lead = role_.leadership();
  if (lead == nullptr) return;
  const Lsn own = common_.log.flushed();
  const Lsn reached = rules::CommitNeedsMajority() ? lead->MajorityFlushed(own) : own;
  if (reached >= lead->barrier() || !rules::CommitsOnlyOwnEpoch()) common_.CommitTo(reached);
  common_.CommitTo(std::min(own, lead->inherited()));
  role_.CheckTransfer();
}

void ReplicaCore::Step(const Applied& input) {
  CHECK(input.upto.lsn <= committed()) << "applied " << input.upto << " but only " << committed() << " is committed";
  common_.log.Apply(input.upto);
  followed_.Freshen();
  copies_.Advance();
}

void ReplicaCore::Step(const Tick& input) {
  common_.ObserveTimeOf(input);
  common_.flushes.ResumeStore();
  if (Leadership* lead = role_.leadership()) lead->OnTick(common_.now);
  role_.CheckTransfer();
  replies_.Release();
}

// ---- what peers answer ----------------------------------------------------------------------------------------------

void ReplicaCore::Step(const ConfirmLeadership& input) {
  common_.ObserveTimeOf(input);
  role_.Confirm(input);
}

void ReplicaCore::Step(const PeerReply& input) {
  common_.ObserveTimeOf(input);
  Leadership* lead = role_.leadership();
  if (lead == nullptr) return;
  if (const auto* append = std::get_if<AppendAnswer>(&input.body)) {
    lead->OnAppendAnswer(input, *append, common_.log);
    AdvanceCommit();
  } else if (const auto* heartbeat = std::get_if<HeartbeatAnswer>(&input.body)) {
    lead->OnHeartbeatAnswer(input, *heartbeat, common_.log);
  } else {
    lead->OnLost(input);
  }
}

// ---- outputs --------------------------------------------------------------------------------------------------------

bool ReplicaCore::HasOutput() const {
  if (common_.commit_news || replies_.ready() || followed_.answered() || role_.confirmed() || copies_.answered()) {
    return true;
  }
  const FlushTracker& flushes = common_.flushes;
  if (flushes.store_busy() || !failure().ok()) return false;
  if (common_.state_dirty || flushes.wanted() || (log().HasWork() && !store_stalled()) || copies_.NeedsHost()) {
    return true;
  }
  const Leadership* lead = role_.leadership();
  return lead != nullptr && role_.LeadIsDurable() && lead->HasMessages(log());
}

void ReplicaCore::TakeForStore(ReplicaOutput& output) {
  const bool entries = log().HasWork() && !store_stalled();
  if (common_.state_dirty) output.state = state();
  if (entries) {
    output.rolled_back = common_.rolled_back;
    output.remove_from = log().remove_from();
    output.append = log().Unstored();
  }
  const bool stores = common_.state_dirty || entries;
  if (!stores && !common_.flushes.wanted()) return;
  // The catalog keeps for good what the master learns of a SPLIT or a FREEZE.
  const bool for_good = std::ranges::any_of(output.append, [](const EntryPtr& entry) {
    return entry->kind == EntryKind::kSplit || entry->kind == EntryKind::kFreeze;
  });
  const bool strict = output.state.has_value() || for_good || replies_.waiting();
  output.flush =
      common_.flushes.BeginFlush(strict ? FlushMode::kSync : common_.options.flush_mode, stores, output.state);
  common_.log.BeginFlush(output.flush->number, entries);
}

ReplicaOutput ReplicaCore::TakeOutput() {
  common_.CheckStoreAnswered();
  ReplicaOutput output;
  if (failure().ok()) {
    TakeForStore(output);
    Leadership* lead = role_.leadership();
    // Sent entries are on their way to the store in this very output, or were refused and are offered again (PROTOCOL
    // 2).
    if (lead != nullptr && role_.LeadIsDurable()) {
      // No peer applies an entry before this replica, although peers have flushed it already, because a client that had
      // read it there would read an older state at STRONG. A SPLIT changes no record.
      const Lsn known = std::min(committed(), std::max(log().applied().lsn, lead->split_announced()));
      Status status = lead->TakeMessages(log(), known, common_.now, output.messages, output.copies);
      if (!status.ok()) role_.Fail(std::move(status));
      const bool vouches = common_.KeepsFlushed() && log().flushed() >= lead->barrier();
      const Lsn flushed = vouches ? log().flushed() : Lsn{};
      for (PeerMessage& message : output.messages) {
        if (auto* heartbeat = std::get_if<HeartbeatMessage>(&message.body)) heartbeat->flushed = flushed;
      }
    }
    copies_.FillOutput(output);
  }
  output.commit = committed();
  common_.commit_news = false;
  output.replies = replies_.Take();
  output.answers = followed_.TakeAnswers();
  output.confirms = role_.TakeConfirms();
  output.copy_replies = copies_.TakeAnswers();
  return output;
}

}  // namespace ebla::tabletserver
