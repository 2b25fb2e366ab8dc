#include "tabletserver/replication/replica_orders.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/base/number_limits.h"
#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

namespace {

constexpr char kPromisesMayLack[] =
    "the disk of this server lost a part of its log, and this replica may have lost writes and promises with it: it "
    "leads once it is made anew, or once an operator accepts the loss (ebla tablet recover)";

std::string EpochText(Epoch epoch) { return std::to_string(epoch.value); }

}  // namespace

ReplicaOrders::ReplicaOrders(ReplicaCommon& common, ReplicaRole& role, OrderReplies& replies, FollowedLog& followed,
                             CopyReceiver& copies, const LeaseGrants& grants)
    : common_(common),
      state_(common.state),
      role_(role),
      replies_(replies),
      followed_(followed),
      copies_(copies),
      grants_(grants),
      remains_(common.state.tombstone && (common.log.last() || common.log.applied())) {}

// ---- configurations -------------------------------------------------------------------------------------------------

void ReplicaOrders::Step(const ConfigureReplica& input) {
  if (Status status = CheckConfigure(input); !status.ok()) return replies_.Reply(input.token, std::move(status));
  if (absent()) {
    Create(input);
  } else if (RestartsEmpty(input)) {
    LOG(WARNING) << "tablet " << common_.options.tablet << " starts again here, empty, in epoch " << input.epoch;
    Begin(input, /*complete=*/true);
    common_.log.Reset({});
    common_.committed = {};
  }
  if (input.schema != state_.schema) {
    state_.schema = input.schema;
    common_.state_dirty = true;
  }
  const bool leads_it = role_.Leads() && common_.epoch == input.epoch;
  if (leads_it) return replies_.Reply(input.token, {});
  const bool lead = input.primary == common_.options.self;
  role_.SetMembers(lead ? input.primary : role_.primary(), input.voters, input.learners);
  if (lead) {
    role_.Lead(input);
  } else {
    role_.Follow(input.primary, input.epoch, input.now);
  }
  replies_.Reply(input.token, {});
}

Status ReplicaOrders::CheckConfigure(const ConfigureReplica& input) const {
  EBLA_TRY(common_.failure);
  if (!input.epoch || !input.table) return Error(Code::kInvalidArgument, "a configuration needs an epoch and a table");
  if (input.epoch < state_.promised && rules::StaleMastersAreRefused()) {
    return Error(Code::kStaleEpoch,
                 "epoch " + EpochText(input.epoch) + " is below the promised epoch " + EpochText(state_.promised));
  }
  if (state_.tombstone && input.epoch <= state_.promised && rules::TombstoneRefusesCreation()) {
    return Error(Code::kStaleEpoch, "the replica was dropped in epoch " + EpochText(state_.promised));
  }
  if (remains_) return Error(Code::kComeAgain, "the dropped replica's data is still being removed");
  if (!absent() && input.table != state_.table) {
    return Error(Code::kInvalidArgument, "the tablet belongs to table " + std::to_string(state_.table.value));
  }
  if (std::find(input.voters.begin(), input.voters.end(), input.primary) == input.voters.end()) {
    return Error(Code::kInvalidArgument, "the primary is not a voter");
  }
  if (role_.Leads() && common_.epoch == input.epoch && input.primary != common_.options.self) {
    return Error(Code::kInvalidArgument, "this replica is primary in epoch " + EpochText(input.epoch));
  }
  return input.primary == common_.options.self ? CheckLead(input) : Status();
}

Status ReplicaOrders::CheckLead(const ConfigureReplica& input) const {
  const bool leads = role_.Leads();
  const Version last = common_.log.last();
  if (leads && common_.epoch == input.epoch) return {};
  if (state_.led >= input.epoch && rules::EpochIsLedOnce()) {
    return Error(Code::kStaleEpoch,
                 "epoch " + EpochText(input.epoch) + " had a primary before and is over: fence a higher one");
  }
  if (absent()) {
    if (!input.created_empty && !input.anew)
      return Error(Code::kUnavailable, "no replica is here, and the tablet was not created empty");
    if (HasForgotten(input) && !input.anew) return Error(Code::kConditionFailed, kPromisesMayLack);
    return {};
  }
  // It had no primary yet, and the catalog has no other primary for its first epoch.
  const bool just_merged =
      input.merged && input.epoch == input.merged->position.epoch && last == input.merged->position;
  const bool fresh = !state_.led && ((input.created_empty && !last) || just_merged);
  const bool changes_membership = leads || !rules::UnfencedNeedsItsLeader();
  if (!input.fenced && !input.transfer && !changes_membership && !fresh) {
    return Error(Code::kStaleEpoch,
                 "only the incarnation that is primary may change the membership: fence a higher epoch");
  }
  // Two changes at once could leave two majorities that do not meet.
  if (!input.fenced && leads && !role_.BarrierCommitted() && rules::OneMembershipChangeAtATime()) {
    return Error(Code::kStaleEpoch,
                 "the Barrier of epoch " + EpochText(common_.epoch) + " is not committed: fence a higher one");
  }
  if (state_.incomplete && rules::IncompleteOffersNoLog() && !(input.anew && HasLostAll())) {
    // A repetition changes nothing: a tablet without a primary is not copied.
    return Error(Code::kConditionFailed, "the replica is incomplete and has no log to offer");
  }
  if (state_.lost && rules::LostReplicaDoesNotVote() && !input.loss_accepted && !(input.anew && HasLostAll())) {
    return Error(Code::kConditionFailed, kPromisesMayLack);
  }
  if (last < input.presumed && rules::LeaderHoldsPresumedLog()) {
    return Error(Code::kConditionFailed,
                 "the log ends at " + last.ToString() + ", short of the presumed " + input.presumed.ToString());
  }
  return {};
}

bool ReplicaOrders::RestartsEmpty(const ConfigureReplica& input) const {
  return input.anew && input.fenced && input.primary == common_.options.self && HasLostAll() && !role_.Leads() &&
         CheckConfigure(input).ok();
}

void ReplicaOrders::Create(const ConfigureReplica& input) {
  const bool anew = input.anew && input.fenced && input.primary == common_.options.self;
  const bool lost = HasForgotten(input) && !anew;
  Begin(input, (input.created_empty || anew) && !lost);
  state_.lost = lost;
}

// A learner never voted under this configuration, and does not count before it is level.
bool ReplicaOrders::HasForgotten(const ConfigureReplica& input) const {
  return common_.Forgotten() && std::ranges::find(input.voters, common_.options.self) != input.voters.end();
}

void ReplicaOrders::Begin(const ConfigureReplica& input, bool complete) {
  state_.table = input.table;
  state_.tombstone = false;
  state_.incomplete = !complete;
  state_.may_have_lost_writes = state_.lost = false;
  state_.incomplete_range = input.range;
  state_.lineage_parent = {};
  state_.lineage_epoch = {};
  state_.lineage_lsn = {};
  state_.merged.reset();
  common_.state_dirty = true;
  followed_.Unmatch();
}

void ReplicaOrders::Step(const AlterReplica& input) {
  if (!common_.failure.ok()) return replies_.Reply(input.token, common_.failure);
  if (absent()) return replies_.Reply(input.token, Error(Code::kNotFound, "no replica is here"));
  if (state_.schema != input.schema) {
    state_.schema = input.schema;
    common_.state_dirty = true;
  }
  replies_.Reply(input.token, {});
}

void ReplicaOrders::Step(const KeepPlace& input) {
  if (state_.incomplete_range == input.range) return;  // on its way
  state_.incomplete_range = input.range;
  common_.state_dirty = true;
}

// ---- fences and transfers -------------------------------------------------------------------------------------------

void ReplicaOrders::Step(const FenceReplica& input) {
  // Whatever code its store failed with: it promises nothing and has no log to offer, and is not to be asked again.
  if (!common_.failure.ok()) {
    return replies_.Reply(input.token, Error(Code::kInternal, "the replica has failed: " + common_.failure.ToString()));
  }
  if (!input.epoch) return replies_.Reply(input.token, Error(Code::kInvalidArgument, "a fence needs an epoch"));
  if (input.epoch < state_.promised || input.epoch <= state_.led) {
    return replies_.Reply(input.token,
                          Error(Code::kStaleEpoch, "epoch " + EpochText(state_.promised) + " is promised already"));
  }
  if (limits::IsLeap(state_.promised, input.epoch) && input.leap_from != state_.promised) {
    return replies_.Reply(input.token, Error(Code::kInvalidArgument,
                                             "epoch " + EpochText(input.epoch) + " exceeds the promised epoch " +
                                                 EpochText(state_.promised) + " by more than a master ever raises it"));
  }
  if (rules::FenceEndsLeadership()) role_.StepDown();
  if (!role_.Leads()) role_.DropUnstored();  // refused by the store so far: no part of what is reported
  if (!absent() || rules::UnknownTabletPromises()) role_.Promise(input.epoch);
  if (input.had) role_.CompareWith(input.had);
  // A replica that reports "no log" must not have one a moment later, because in memory no other replica may have it
  // (PROTOCOL 5).
  if (common_.options.flush_mode == FlushMode::kMemory && copies_.under_way()) {
    if (copies_.completes_alone())
      return replies_.Reply(input.token, Error(Code::kComeAgain, "a copy that has arrived is being applied"));
    copies_.Abandon();
  }
  // Silent first: until what it has granted has run out, a primary that does not know may serve reads.
  replies_.Reply(input.token, {}, rules::FenceWaitsForGrants() ? grants_.until() : MonotonicTime{});
}

void ReplicaOrders::Step(const TransferReplica& input) {
  if (!common_.failure.ok()) return replies_.Reply(input.token, common_.failure);
  if (role_.transfer().epoch() == input.epoch) return replies_.Reply(input.token, {});  // asked again
  if (!role_.Leads() || common_.epoch != input.epoch) {
    return replies_.Reply(input.token,
                          Error(Code::kStaleEpoch, "this replica is not primary in epoch " + EpochText(input.epoch)));
  }
  role_.Transfer(input);
}

// ---- the end --------------------------------------------------------------------------------------------------------

// The one order that a replica which has failed obeys: it is made anew after it.
void ReplicaOrders::Step(const DropReplica& input) {
  if (!input.epoch) return replies_.Reply(input.token, Error(Code::kInvalidArgument, "a drop needs an epoch"));
  if (input.epoch < state_.promised && rules::DropHonoursPromise()) {
    return replies_.Reply(input.token,
                          Error(Code::kStaleEpoch, "epoch " + EpochText(state_.promised) + " is promised already"));
  }
  common_.failure = {};
  common_.flushes.ResumeStore();
  role_.StepDown();
  role_.Promise(input.epoch);
  if (!absent() && !state_.incomplete) {
    if (Status status = common_.RollBackUnapplied(); !status.ok()) {
      role_.Fail(status);
      return replies_.Reply(input.token, std::move(status));
    }
  }
  if (!state_.tombstone) {
    remains_ = !absent();
    state_.tombstone = true;
    state_.incomplete = false;
    state_.may_have_lost_writes = state_.lost = false;
    common_.state_dirty = true;
    role_.Leave();
  }
  replies_.Reply(input.token, {});
}

void ReplicaOrders::Step(const ReplicaForgotten&) {
  CHECK(state_.tombstone) << "only a dropped replica is forgotten";
  remains_ = false;
  common_.log.Reset({});
  common_.committed = {};
}

// ---- splits and merges (PROTOCOL 9, 11 to 14) -----------------------------------------------------------------------

void ReplicaOrders::BeginAfter(const ReplicaState& state, Version at) {
  state_ = state;
  common_.state_dirty = true;
  common_.log.Reset(at);
  common_.committed = at.lsn;
  followed_.Unmatch();
}

void ReplicaOrders::Step(const BecomeChild& input) {
  CHECK(absent()) << "a split's child is here already";
  BeginAfter(input.state, input.at);
  if (state_.tombstone) {  // dropped before the split was applied here: the host removes what it is given
    remains_ = true;
    return;
  }
  if (state_.promised > input.at.epoch) return;  // fenced before it was created
  if (input.primary.empty()) return;             // of a split that was logged again: the master names its primary
  common_.epoch = input.at.epoch;
  role_.SetMembers(input.primary, input.voters, {});
  if (input.lead) role_.LeadAsChild(input.at);
}

void ReplicaOrders::Step(const BecomeMerged& input) {
  CHECK(absent() && !state_.tombstone) << "a merged tablet is here already";
  BeginAfter(input.state, input.at);  // stored by now; this asks for its flush
}

void ReplicaOrders::Step(const BecomePart& input) {
  CHECK(!absent());
  role_.StepDown();
  state_.promised = std::max(state_.promised, input.epoch);
  state_.tombstone = true;
  state_.may_have_lost_writes = state_.lost = false;
  remains_ = true;  // the log, until a checkpoint has the merge
  role_.Leave();
}

}  // namespace ebla::tabletserver
