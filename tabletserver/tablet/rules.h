// tabletserver/tablet/rules.h
// The part of docs/design/replication-rules.md that a tablet's core and its host (shard, reads) must keep, beyond the
// rules of its replica (tabletserver/replication/rules.h).
// Threads: any.
#pragma once

#include "common/base/rule.h"

namespace ebla::rules {

// ---- Reads and discards ---------------------------------------------------------------------------------------------

// PROTOCOL 7: a STRONG read is served under a lease, or confirmed by a majority.
EBLA_RULE(StrongNeedsLease, strong_without_lease)
// PROTOCOL 8: a drop and a copy wait for readers.
EBLA_RULE(DiscardWaitsForReaders, discard_under_readers)
// PROTOCOL 9, 13: a drop and a copy discard nothing before a checkpoint has the split.
EBLA_RULE(DiscardWaitsForCheckpoint, discard_before_checkpoint)
// PROTOCOL 9: a drop applies a committed split first.
EBLA_RULE(DropAppliesSplitFirst, drop_forgets_split)
// PROTOCOL 9: so does a copy.
EBLA_RULE(CopyAppliesSplitFirst, copy_forgets_split)
// PROTOCOL 10: a replica that is about to be copied names the range that it has now.
EBLA_RULE(CopyNamesItsPlace, place_of_before_split)
// PROTOCOL 10: no replica is made where another of the same keys is.
EBLA_RULE(PlacesDoNotOverlap, overlap_taken)
// PROTOCOL 15: a STRONG read waits for the PRIMARY writes that were acknowledged before it.
EBLA_RULE(StrongWaitsForPrimaryWrites, strong_ignores_pending_primary)

// ---- Splits ---------------------------------------------------------------------------------------------------------

// PROTOCOL 11: while SPLIT is not applied, writes of the child's half wait.
EBLA_RULE(ChildsWritesWait, split_not_parked)
// PROTOCOL 11: ...and so do its reads.
EBLA_RULE(ChildsReadsWait, reads_not_parked)
// PROTOCOL 18: writes wait until the log that a leader inherited is applied.
EBLA_RULE(WritesWaitForInheritedLog, inherited_not_parked)
// PROTOCOL 11: an order that is repeated is not logged again.
EBLA_RULE(SplitIsLoggedOnce, split_logged_twice)
// PROTOCOL 11: only the leadership that logged SPLIT leads the child.
EBLA_RULE(OnlyItsLoggerLeadsChild, any_replica_leads_child)
// PROTOCOL 11: the child's log continues after SPLIT.
EBLA_RULE(ChildLogGoesOn, child_log_from_one)
// PROTOCOL 12: only the leader of the epoch that is named obeys.
EBLA_RULE(SplitNeedsItsEpoch, split_of_any_epoch)
// PROTOCOL 13: a start replays a child's parent before it.
EBLA_RULE(LineageReplaysInOrder, lineage_unordered)
// PROTOCOL 13: the child is stored with the note that its parent's log is committed through SPLIT.
EBLA_RULE(ChildNotesLineage, lineage_note_missing)
// PROTOCOL 13: what was promised for the child before its creation stays promised.
EBLA_RULE(ChildKeepsItsPromise, child_forgets_promise)
// PROTOCOL 17: the child knows where its parent's epochs began.
EBLA_RULE(ChildInheritsEpochStarts, child_forgets_epochs)
// PROTOCOL 17: answers to writes name the range that a split has left.
EBLA_RULE(AnswersNameTheRange, split_unnamed_in_answers)
// PROTOCOL 18: the child inherits what was refused, too.
EBLA_RULE(ChildInheritsRefusals, child_forgets_refusals)
// PROTOCOL 20: the child inherits the dedup window.
EBLA_RULE(ChildInheritsDedupWindow, child_dedup_window_empty)
// PROTOCOL 20: ...and the parent keeps it.
EBLA_RULE(ParentKeepsDedupWindow, parent_dedup_window_emptied)
// PROTOCOL 20: the child inherits its floor, too.
EBLA_RULE(ChildInheritsFloor, child_forgets_floor)

// ---- Merges ---------------------------------------------------------------------------------------------------------

// PROTOCOL 14: nothing is appended after FREEZE in its epoch.
EBLA_RULE(FreezeEndsWrites, freeze_keeps_writing)
// PROTOCOL 14: only the leader of the epoch that is named obeys.
EBLA_RULE(FreezeNeedsItsEpoch, freeze_of_any_epoch)
// PROTOCOL 14: FREEZE is answered once every voter has it on disk.
EBLA_RULE(FreezeIsFlushedEverywhere, merge_before_all_have_it)
// PROTOCOL 14: a later epoch's Barrier ends the freeze.
EBLA_RULE(BarrierThaws, barrier_keeps_freeze)
// PROTOCOL 14: a server that has promised a later epoch of the merged tablet does not make it for an earlier one.
EBLA_RULE(MergeHonoursPromise, merge_despite_promise)
// PROTOCOL 13: a merged tablet notes the two that it was made of.
EBLA_RULE(MergeLeavesNote, merge_forgets_notes)
// PROTOCOL 17: what was before the merge is still judged.
EBLA_RULE(MergeKeepsEpochStarts, merge_forgets_epoch_starts)
// PROTOCOL 18: both dedup windows are kept.
EBLA_RULE(MergeKeepsDedupWindows, merge_forgets_dedup_window)

// ---- Writes ---------------------------------------------------------------------------------------------------------

// PROTOCOL 16: conditions and increments see what is logged and not yet applied.
EBLA_RULE(ConditionsSeeUnapplied, conditions_miss_unapplied)
// PROTOCOL 17: a session token's versions are looked for in the history.
EBLA_RULE(LostWritesAreNoticed, lost_write_unnoticed)
// PROTOCOL 18: refusals that depend on state are logged.
EBLA_RULE(RefusalsAreLogged, refusal_not_logged)
// PROTOCOL 18: the dedup window covers what is logged and not yet applied.
EBLA_RULE(DedupWindowCoversLog, dedup_window_ignores_log)
// PROTOCOL 18: a retry is looked for before the range of its keys is judged.
EBLA_RULE(DedupWindowComesFirst, range_before_dedup_window)
// PROTOCOL 19: a retry is answered at the stronger of its level and the level logged.
EBLA_RULE(RetryKeepsStrongerLevel, retry_at_weaker_level)
// PROTOCOL 19: a sequence with another request than the first is refused.
EBLA_RULE(RetryIsTheSameRequest, digest_ignored)
// PROTOCOL 19: a sequence below the first incomplete one is refused.
EBLA_RULE(FinishedSequencesAreRefused, finished_sequence_taken)
// PROTOCOL 20: what is older than the dedup window is refused.
EBLA_RULE(ForgottenWritesAreRefused, dedup_window_forgets_silently)
// PROTOCOL 20: so is a tablet time of the future.
EBLA_RULE(FutureTimesAreRefused, future_time_taken)
// PROTOCOL 21: a new primary's tablet time continues from the greatest that is known.
EBLA_RULE(TimeNeverRunsBack, time_starts_anew)
// PROTOCOL 21: an expiry is answered once an entry commits it.
EBLA_RULE(ExpiryNeedsEntry, expired_without_entry)

}  // namespace ebla::rules
