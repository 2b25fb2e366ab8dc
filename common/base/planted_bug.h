// common/base/planted_bug.h
// Bugs on purpose: each leaves out one rule of docs/design/replication-rules.md (or a clause of one), so that the
// simulator can prove it would see the difference. A checker that cannot fail proves nothing.
// Place:      cores and hosts ask Planted(...) where the rule is kept; tests/sim plants one and must catch it.
// Invariants: a build without tests has no switch: Planted() is the constant false there.
// Threads:    planted before anything runs, by one thread; then only read.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ebla {

// X(name): the name is that of the flag too, and says what is left out.
#define EBLA_PLANTED_BUG_LIST(X)                                                                                              \
  X(none)                                                                                                                     \
  X(lead_again_after_restart)    /* 1: led is not noted, and orders for an earlier start are obeyed */                        \
  X(obey_unfenced_configure)     /* 1: any replica, in any start, obeys a membership change */                                \
  X(lead_with_short_log)         /* 1: the presumed log end is not compared */                                                \
  X(replace_what_was_sent)       /* 2: after a failed append another entry is stored */                                       \
  X(serve_again_after_step_down) /* 3: who is fenced goes on leading */                                                       \
  X(fence_acks_lower_epochs)     /* 4 */                                                                                      \
  X(fence_keeps_granting)        /* 4 */                                                                                      \
  X(fence_ignores_grants)        /* 4: answers before its grants have run out */                                              \
  X(promise_not_flushed)         /* 4: answers before the promise is durable */                                               \
  X(incomplete_acknowledges)     /* 5 */                                                                                      \
  X(incomplete_offers_log)       /* 5: and leads with it */                                                                   \
  X(lossy_replica_counts)        /* 5 */                                                                                      \
  X(remember_what_is_left) /* 5: sure again by what its checkpoint knows, before its primary has said what is committed */    \
  X(forget_promise_of_unknown)     /* 6 */                                                                                    \
  X(create_below_tombstone)        /* 6 */                                                                                    \
  X(drop_despite_promise)          /* 6 */                                                                                    \
  X(lease_from_receipt)            /* 7: counted from when the answer came */                                                 \
  X(lease_for_any_epoch)           /* 7: granted whatever is promised */                                                      \
  X(strong_without_lease)          /* 7: answered alone, with a majority's grants or without */                               \
  X(strong_before_barrier)         /* 7 */                                                                                    \
  X(promise_at_once_after_restart) /* 7 */                                                                                    \
  X(discard_under_readers)         /* 8: neither a drop nor a copy waits for who reads */                                     \
  X(copy_discards_line)            /* 9: who holds the last truncated entry is copied too */                                  \
  X(copy_complete_at_last_chunk)   /* 9: complete before it has applied past every chunk */                                   \
  X(copy_without_checkpoint)       /* 9: complete before its checkpoint */                                                    \
  X(copy_crosses_split)            /* 9: a copy goes on over a split of its source */                                         \
  X(drop_forgets_split)            /* 9: a drop discards a committed split that is not applied */                             \
  X(copy_forgets_split)            /* 9: so does a copy */                                                                    \
  X(discard_before_checkpoint)     /* 9, 13: a drop or a copy discards before a checkpoint has the split */                   \
  X(created_empty_after_split) /* 9: a voter that never had the tablet begins complete and empty, though it was split */      \
  X(place_of_before_split)     /* 10: a replica about to be copied names the range that it had before its split */            \
  X(overlap_taken)             /* 10: a replica is made where another of the same keys is */                                  \
  X(split_not_parked)          /* 11: the parent takes writes for the child's half while SPLIT is not applied */              \
  X(reads_not_parked)          /* 11: and answers reads of it */                                                              \
  X(inherited_not_parked)      /* 11: and takes writes before the log that it inherited is applied */                         \
  X(split_logged_twice)        /* 11: a repeated order is logged again */                                                     \
  X(any_replica_leads_child)   /* 11: whoever leads the parent when it applies SPLIT leads the child */                       \
  X(child_log_from_one)        /* 11: the child's log begins anew, not after SPLIT */                                         \
  X(split_of_any_epoch)        /* 12: a later epoch's leader obeys the order */                                               \
  X(split_settled_early)       /* 12: an intent is given up before a later epoch's Barrier is applied */                      \
  X(split_completed_as_now) /* 12: the child's znode copies the present catalog, whose primary leads by the parent's fence */ \
  X(intent_excludes_nothing)     /* 12: a tablet with an open intent is transferred, moved and changed as any other */        \
  X(split_reports_ignored)       /* 12: an intent is given up though a report says that SPLIT is applied */                   \
  X(lineage_unordered)           /* 13: a child's parent is not replayed before it */                                         \
  X(merge_unchecked_epoch)       /* 14: the two are replaced whatever epoch their FREEZEs are of */                           \
  X(give_up_without_thaw)        /* 14: a merge's intents go before a later epoch ends the freeze */                          \
  X(parents_are_orphans)         /* 24: what was merged is dropped before every voter has merged it */                        \
  X(freeze_keeps_serving_strong) /* 14: STRONG reads go on after FREEZE */                                                    \
  X(freeze_keeps_writing)        /* 14: writes go on after FREEZE, in its epoch */                                            \
  X(freeze_of_any_epoch)         /* 14: a later epoch's leader obeys the order */                                             \
  X(merge_before_all_have_it)    /* 14: answered before every voter has flushed FREEZE */                                     \
  X(barrier_keeps_freeze)        /* 14: a later epoch's Barrier does not thaw */                                              \
  X(merge_forgets_notes)         /* 13: a merged tablet is not brought back from the two it was made of */                    \
  X(merge_forgets_dedup_window)  /* 18: the right one's dedup window is lost */                                               \
  X(merge_forgets_epoch_starts)  /* 17: what was before the merge is not judged any more */                                   \
  X(lineage_note_missing) /* 13: the child is stored without the note that its parent's log is committed through SPLIT */     \
  X(child_forgets_promise) /* 13: what was promised for the child before its creation is forgotten */                         \
  X(commit_older_epoch)    /* a commit counted from an older epoch */                                                         \
  X(apply_before_commit)                                                                                                      \
  X(learner_votes)                                                                                                            \
  X(overlapping_membership)         /* the next before the Barrier is committed */                                            \
  X(stale_master_obeyed)            /* orders of an old term, of epochs below the promised one */                             \
  X(confirm_joins_round)            /* a confirmed read joins a round already begun */                                        \
  X(strong_ignores_pending_primary) /* 15 */                                                                                  \
  X(conditions_miss_unapplied)      /* 16: conditions and increments see what is applied alone */                             \
  X(lost_write_unnoticed)           /* 17: a token's versions are not looked for in the history */                            \
  X(token_forgets_pending)          /* 17: a token's applied position replaces its PRIMARY versions */                        \
  X(child_forgets_epochs)           /* 17: the child does not know where its parent's epochs began */                         \
  X(split_unnamed_in_answers)       /* 17: answers to writes do not name the range that a split has left */                   \
  X(refusal_not_logged)             /* 18 */                                                                                  \
  X(dedup_window_ignores_log)       /* 18: what is not yet applied is not in the dedup window */                              \
  X(range_before_dedup_window)      /* 18: whether a batch lies within one tablet is asked before the dedup window */         \
  X(child_forgets_refusals)         /* 18: the child inherits what was done, and not what was refused */                      \
  X(retry_at_weaker_level)          /* 19 */                                                                                  \
  X(digest_ignored)                 /* 19 */                                                                                  \
  X(finished_sequence_taken)        /* 19: one below the first incomplete is executed */                                      \
  X(dedup_window_forgets_silently)  /* 20: what is older than the dedup window is executed */                                 \
  X(future_time_taken)              /* 20: so is what was learnt in the future */                                             \
  X(child_dedup_window_empty)       /* 20: the child inherits no dedup window */                                              \
  X(parent_dedup_window_emptied)    /* 20: the dedup window goes to the child, and the parent keeps none */                   \
  X(child_forgets_floor)            /* 20: the child inherits the dedup window without its floor */                           \
  X(time_starts_anew)               /* 21: the new primary's clock is its own */                                              \
  X(expired_without_entry)          /* 21: an expiry is answered before an entry commits it */                                \
  X(rolled_back_primary_vanishes)   /* 22 */

enum class PlantedBug : uint8_t {
#define EBLA_X(name) name,
  EBLA_PLANTED_BUG_LIST(EBLA_X)
#undef EBLA_X
};

inline constexpr auto kPlantedBugNames = std::to_array<std::string_view>({
#define EBLA_X(name) #name,
    EBLA_PLANTED_BUG_LIST(EBLA_X)
#undef EBLA_X
});

#ifdef EBLA_PLANTED_BUGS
inline PlantedBug g_planted_bug = PlantedBug::none;
inline bool Planted(PlantedBug bug) { return g_planted_bug == bug; }
inline void Plant(PlantedBug bug) { g_planted_bug = bug; }
#else
constexpr bool Planted(PlantedBug) { return false; }
#endif

}  // namespace ebla
