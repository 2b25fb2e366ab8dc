#include "tests/sim/runner/bugs.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace ebla::sim {

std::string_view Bug::name() const {
  return store_fault != StoreFault::kNone ? kStoreFaultNames[static_cast<size_t>(store_fault)]
                                          : kPlantedBugNames[static_cast<size_t>(rule)];
}

bool Bug::of_splits() const {
  constexpr std::array kOfSplits = {PlantedBug::copy_crosses_split,
                                    PlantedBug::drop_forgets_split,
                                    PlantedBug::copy_forgets_split,
                                    PlantedBug::discard_before_checkpoint,
                                    PlantedBug::created_empty_after_split,
                                    PlantedBug::place_of_before_split,
                                    PlantedBug::overlap_taken,
                                    PlantedBug::split_not_parked,
                                    PlantedBug::reads_not_parked,
                                    PlantedBug::inherited_not_parked,
                                    PlantedBug::split_logged_twice,
                                    PlantedBug::any_replica_leads_child,
                                    PlantedBug::child_log_from_one,
                                    PlantedBug::split_of_any_epoch,
                                    PlantedBug::split_settled_early,
                                    PlantedBug::split_completed_as_now,
                                    PlantedBug::intent_excludes_nothing,
                                    PlantedBug::split_reports_ignored,
                                    PlantedBug::lineage_unordered,
                                    PlantedBug::lineage_note_missing,
                                    PlantedBug::child_forgets_promise,
                                    PlantedBug::child_forgets_epochs,
                                    PlantedBug::split_unnamed_in_answers,
                                    PlantedBug::range_before_dedup_window,
                                    PlantedBug::child_forgets_refusals,
                                    PlantedBug::child_dedup_window_empty,
                                    PlantedBug::parent_dedup_window_emptied,
                                    PlantedBug::child_forgets_floor};
  return std::ranges::find(kOfSplits, rule) != kOfSplits.end();
}

bool Bug::of_merges() const {
  constexpr std::array kOfMerges = {PlantedBug::merge_unchecked_epoch,      PlantedBug::give_up_without_thaw,
                                    PlantedBug::parents_are_orphans,        PlantedBug::freeze_keeps_serving_strong,
                                    PlantedBug::freeze_keeps_writing,       PlantedBug::freeze_of_any_epoch,
                                    PlantedBug::merge_before_all_have_it,   PlantedBug::barrier_keeps_freeze,
                                    PlantedBug::merge_forgets_notes,        PlantedBug::merge_forgets_dedup_window,
                                    PlantedBug::merge_forgets_epoch_starts, PlantedBug::thaw_after_merge,
                                    PlantedBug::failover_in_open_merge,     PlantedBug::give_up_unexcluded,
                                    PlantedBug::merge_despite_promise};
  return std::ranges::find(kOfMerges, rule) != kOfMerges.end();
}

std::vector<Bug> AllBugs() {
  std::vector<Bug> bugs;
  for (size_t i = 1; i < kStoreFaultNames.size(); ++i) bugs.push_back({.store_fault = static_cast<StoreFault>(i)});
  for (size_t i = 1; i < kPlantedBugNames.size(); ++i) bugs.push_back({.rule = static_cast<PlantedBug>(i)});
  return bugs;
}

std::optional<Bug> ParseBug(std::string_view name) {
  if (name == Bug().name()) return Bug();
  const std::vector<Bug> bugs = AllBugs();
  const auto found = std::ranges::find(bugs, name, &Bug::name);
  return found == bugs.end() ? std::nullopt : std::optional(*found);
}

}  // namespace ebla::sim
