// common/base/planted_bug.h
// Bugs on purpose: each leaves out one rule of docs/design/replication-rules.md (or a clause of one), so that the
// simulator can prove it would see the difference. A checker that cannot fail proves nothing.
// Place:      the rules are in each component's rules.h (common/base/rule.h). Only tests include this header: tests/sim
//             plants a bug and must catch it.
// Invariants: a Debian package has no switch, and planted_bug.cc is not part of it (EBLA_PLANTED_BUGS of CMake).
// Threads:    planted before anything runs, by one thread; then only read.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ebla {

// X(name): the name is also that of the flag, and names the omission. The rule's line explains the rule.
// clang-format off
#define EBLA_PLANTED_BUG_LIST(X)                                                                                      \
  X(lead_again_after_restart) X(obey_unfenced_configure) X(lead_with_short_log) X(replace_what_was_sent)              \
  X(serve_again_after_step_down) X(fence_acks_lower_epochs) X(fence_keeps_granting) X(fence_ignores_grants)           \
  X(promise_not_flushed) X(incomplete_acknowledges) X(incomplete_offers_log) X(lossy_replica_counts)                  \
  X(remember_what_is_left) X(forget_promise_of_unknown) X(create_below_tombstone) X(drop_despite_promise)             \
  X(begin_anew_early) X(release_before_level)                                                                         \
  X(lease_from_receipt) X(lease_for_any_epoch) X(strong_without_lease) X(strong_before_barrier)                       \
  X(promise_at_once_after_restart) X(discard_under_readers) X(copy_discards_line) X(copy_complete_at_last_chunk)      \
  X(copy_without_checkpoint) X(copy_crosses_split) X(drop_forgets_split) X(copy_forgets_split)                        \
  X(discard_before_checkpoint) X(created_empty_after_split) X(place_of_before_split) X(overlap_taken)                 \
  X(split_not_parked) X(reads_not_parked) X(inherited_not_parked) X(split_logged_twice) X(any_replica_leads_child)    \
  X(child_log_from_one) X(split_of_any_epoch) X(split_settled_early) X(split_completed_as_now)                        \
  X(intent_excludes_nothing) X(split_reports_ignored) X(lineage_unordered) X(merge_unchecked_epoch)                   \
  X(give_up_without_thaw) X(parents_are_orphans) X(freeze_keeps_serving_strong) X(freeze_keeps_writing)               \
  X(freeze_of_any_epoch) X(merge_before_all_have_it) X(barrier_keeps_freeze) X(merge_forgets_notes)                   \
  X(merge_forgets_dedup_window) X(merge_forgets_epoch_starts) X(lineage_note_missing) X(child_forgets_promise)        \
  X(thaw_after_merge) X(failover_in_open_merge) X(give_up_unexcluded) X(merge_despite_promise)                        \
  X(commit_older_epoch) X(apply_before_commit) X(learner_votes) X(overlapping_membership) X(stale_master_obeyed)      \
  X(confirm_joins_round) X(strong_ignores_pending_primary) X(conditions_miss_unapplied) X(lost_write_unnoticed)       \
  X(token_forgets_pending) X(child_forgets_epochs) X(split_unnamed_in_answers) X(refusal_not_logged)                  \
  X(dedup_window_ignores_log) X(range_before_dedup_window) X(child_forgets_refusals) X(retry_at_weaker_level)         \
  X(digest_ignored) X(finished_sequence_taken) X(dedup_window_forgets_silently) X(future_time_taken)                  \
  X(child_dedup_window_empty) X(parent_dedup_window_emptied) X(child_forgets_floor) X(time_starts_anew)               \
  X(expired_without_entry) X(rolled_back_primary_vanishes) X(configure_before_release) X(take_back_unled)             \
  X(end_is_believed) X(vote_of_who_has_forgotten) X(lost_replica_acknowledges) X(lost_replica_grants)                 \
  X(forgotten_is_newborn) X(short_peer_believed)
// clang-format on

enum class PlantedBug : uint8_t {
  none,
#define EBLA_X(name) name,
  EBLA_PLANTED_BUG_LIST(EBLA_X)
#undef EBLA_X
};

// clang-format off
inline constexpr auto kPlantedBugNames = std::to_array<std::string_view>({
    "none",
#define EBLA_X(name) #name,
    EBLA_PLANTED_BUG_LIST(EBLA_X)
#undef EBLA_X
});
// clang-format on

// Plants one bug at a time; an earlier one is removed.
void Plant(PlantedBug bug);
bool Planted(PlantedBug bug);

}  // namespace ebla
