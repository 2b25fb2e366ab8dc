// tabletserver/replication/rules.h
// The part of docs/design/replication-rules.md that a replica's core and the sender of its orders must keep.
// Tests:   tests/stories/story_test.cc, tests/sim/runner/run_test.cc
// Threads: any.
#pragma once

#include "common/base/rule.h"

namespace ebla::rules {

// ---- Log and leadership ---------------------------------------------------------------------------------------------

// PROTOCOL 1: an epoch that was led is noted before it is led, and no other start of the process leads it.
EBLA_RULE(EpochIsLedOnce, lead_again_after_restart)
// PROTOCOL 1: only the incarnation that leads obeys a Configure that follows no fence.
EBLA_RULE(UnfencedNeedsItsLeader, obey_unfenced_configure)
// PROTOCOL 1: who leads holds the log that the master presumes.
EBLA_RULE(LeaderHoldsPresumedLog, lead_with_short_log)
// PROTOCOL 2: an entry that may have been sent is stored as it is, or nothing more is in this epoch.
EBLA_RULE(SentEntriesStand, replace_what_was_sent)
// PROTOCOL 3: who is fenced leads no more in that epoch.
EBLA_RULE(FenceEndsLeadership, serve_again_after_step_down)
// PROTOCOL 3: a primary releases its epoch once its whole log is committed and flushed at the target.
EBLA_RULE(ReleaseNeedsLevelTarget, release_before_level)
// PROTOCOL 27: the membership changes again once the Barrier of the last change is committed.
EBLA_RULE(OneMembershipChangeAtATime, overlapping_membership)
// PROTOCOL 28: orders of an old term, and of epochs below the promised one, are refused.
EBLA_RULE(StaleMastersAreRefused, stale_master_obeyed)
// An entry is committed once a majority has it on disk.
EBLA_RULE(CommitNeedsMajority, apply_before_commit)
// A learner is no part of a majority.
EBLA_RULE(OnlyVotersCount, learner_votes)
// PROTOCOL 26: a primary counts a majority for entries of its own epoch; they commit what is before them.
EBLA_RULE(CommitsOnlyOwnEpoch, commit_older_epoch)

// ---- Fences and promises --------------------------------------------------------------------------------------------

// PROTOCOL 4: who is fenced acknowledges nothing of lower epochs.
EBLA_RULE(FenceEndsLowerAppends, fence_acks_lower_epochs)
// PROTOCOL 4: who is fenced grants no lease for a lower epoch.
EBLA_RULE(FenceEndsGrants, fence_keeps_granting)
// PROTOCOL 4: a fence is answered once every lease that this replica granted has run out.
EBLA_RULE(FenceWaitsForGrants, fence_ignores_grants)
// PROTOCOL 4: nothing is answered by a promise that is not durable.
EBLA_RULE(PromiseIsFlushedFirst, promise_not_flushed)
// PROTOCOL 6: a promise for an unknown tablet is kept.
EBLA_RULE(UnknownTabletPromises, forget_promise_of_unknown)
// PROTOCOL 6: a tombstone refuses every epoch up to its own.
EBLA_RULE(TombstoneRefusesCreation, create_below_tombstone)
// PROTOCOL 6: a drop of an epoch below the promised one is refused.
EBLA_RULE(DropHonoursPromise, drop_despite_promise)

// ---- Incomplete and lossy replicas ----------------------------------------------------------------------------------

// PROTOCOL 5: what an incomplete replica stores is not counted.
EBLA_RULE(IncompleteIsNotCounted, incomplete_acknowledges)
// PROTOCOL 5: an incomplete replica offers no log, and never leads.
EBLA_RULE(IncompleteOffersNoLog, incomplete_offers_log)
// PROTOCOL 5: a replica that may have lost writes tells a fence.
EBLA_RULE(LossyReplicaSaysSo, lossy_replica_counts)
// PROTOCOL 5: it is sure again once it holds the entries that its primary reports as committed; those left by a crash
// prove nothing.
EBLA_RULE(SureOnlyOnceToldCommit, remember_what_is_left)

// PROTOCOL 5: a replica whose disk lost a part of its log tells a fence, and does not lead.
EBLA_RULE(LostReplicaDoesNotVote, vote_of_who_has_forgotten)
// PROTOCOL 5: what it stores is not counted, because it may have forgotten a promise not to store it.
EBLA_RULE(LostReplicaAcknowledgesNothing, lost_replica_acknowledges)
// PROTOCOL 5: it grants no lease and confirms no leadership, for the same reason.
EBLA_RULE(LostReplicaGrantsNothing, lost_replica_grants)
// PROTOCOL 5: a replica that has less than other servers remember of its disk is lost.
EBLA_RULE(ShortPeerIsNotBelieved, short_peer_believed)
// PROTOCOL 6: a tablet that is unknown after such a loss may be one that the disk has forgotten.
EBLA_RULE(UnknownMayBeForgotten, forgotten_is_newborn)

// ---- Leases ---------------------------------------------------------------------------------------------------------

// PROTOCOL 7: a lease counts from when the message that it answers was sent.
EBLA_RULE(LeaseCountsFromSending, lease_from_receipt)
// PROTOCOL 7: a lease is granted only for the epoch that is promised, and durably so.
EBLA_RULE(GrantsOnlyPromisedEpoch, lease_for_any_epoch)
// PROTOCOL 7: after a restart a promise waits for what the process before may have granted.
EBLA_RULE(GrantsOutliveRestarts, promise_at_once_after_restart)
// PROTOCOL 7: STRONG reads are served once the Barrier is applied.
EBLA_RULE(StrongWaitsForBarrier, strong_before_barrier)
// PROTOCOL 7: a read is confirmed by a round that begins after its arrival.
EBLA_RULE(ConfirmNeedsNewRound, confirm_joins_round)

// ---- Copies ---------------------------------------------------------------------------------------------------------

// PROTOCOL 9: who holds the line of a copy refuses it, and is sent the log.
EBLA_RULE(CopySparesWhoHoldsLine, copy_discards_line)
// PROTOCOL 9: a copy is complete once it has applied past every chunk.
EBLA_RULE(CopyAppliesPastItsChunks, copy_complete_at_last_chunk)
// PROTOCOL 9: ...and once a checkpoint has it.
EBLA_RULE(CopyEndsWithCheckpoint, copy_without_checkpoint)
// PROTOCOL 9: no copy continues across a split of its source.
EBLA_RULE(CopyStopsAtSplit, copy_crosses_split)

// ---- Merges, and rolled-back writes ---------------------------------------------------------------------------------

// PROTOCOL 14: the lease ends with FREEZE; no STRONG read is served after it.
EBLA_RULE(FreezeEndsLease, freeze_keeps_serving_strong)
// PROTOCOL 22: before a PRIMARY write is discarded it is kept elsewhere.
EBLA_RULE(RolledBackWritesAreKept, rolled_back_primary_vanishes)

}  // namespace ebla::rules
