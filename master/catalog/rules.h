// master/catalog/rules.h
// The master's part of docs/design/replication-rules.md. common/base/rule.h says how rules are used.
// Threads: any.
#pragma once

#include "common/base/rule.h"

namespace ebla::rules {

// ---- Leadership and membership --------------------------------------------------------------------------------------

// PROTOCOL 1: a server that has started anew does not lead its epoch any more.
EBLA_RULE(LedEpochIsOfOneStart, lead_again_after_restart)
// PROTOCOL 1: a transfer's target is told of its epoch once the previous primary has released the tablet.
EBLA_RULE(TargetWaitsForRelease, configure_before_release)
// PROTOCOL 3: a transfer is taken back without a fence only while the previous primary has not released the tablet.
EBLA_RULE(TakenBackByWhoLeads, take_back_unled)
// PROTOCOL 27: the membership changes again once the Barrier of the last change is committed.
EBLA_RULE(ChangeWaitsForBarrier, overlapping_membership)
// PROTOCOL 9: a voter that never had the tablet begins complete and empty only if the tablet was never split.
EBLA_RULE(OnlyNeverSplitBeginsEmpty, created_empty_after_split)

// PROTOCOL 5: a memory tablet restarts from nothing once every voter has answered that it has no log.
EBLA_RULE(AnewNeedsEveryVoter, begin_anew_early)

// ---- Splits and merges ----------------------------------------------------------------------------------------------

// PROTOCOL 12: a tablet with an open intent is not transferred, moved or changed.
EBLA_RULE(IntentExcludesOtherChanges, intent_excludes_nothing)
// PROTOCOL 12: an intent is given up once a later epoch's Barrier is applied.
EBLA_RULE(SplitSettlesAfterBarrier, split_settled_early)
// PROTOCOL 12: a report that SPLIT is applied completes the intent.
EBLA_RULE(ReportsCompleteSplit, split_reports_ignored)
// PROTOCOL 12: the child's node has the members that SPLIT names, not the catalog's present ones.
EBLA_RULE(ChildIsAsSplitSays, split_completed_as_now)
// PROTOCOL 14: two tablets are merged in the epochs of their FREEZEs.
EBLA_RULE(MergeNeedsItsEpochs, merge_unchecked_epoch)
// PROTOCOL 14: a merge's intents stay until a later epoch has ended the freeze.
EBLA_RULE(GivingUpThaws, give_up_without_thaw)
// PROTOCOL 14: ahead of the catalog, the master that wrote the intents ends the freezes, and no other.
EBLA_RULE(OnlyTheWriterThaws, thaw_after_merge)
// PROTOCOL 14: a tablet with an open intent is not failed over before the merge's fate is decided.
EBLA_RULE(MergeIsDecidedFirst, failover_in_open_merge)
// PROTOCOL 14: another master gives a merge up once a majority has promised not to carry it out.
EBLA_RULE(GivingUpNeedsFence, give_up_unexcluded)
// PROTOCOL 24: what was merged is dropped once every voter has merged it.
EBLA_RULE(MergedPartsAreNoOrphans, parents_are_orphans)

}  // namespace ebla::rules
