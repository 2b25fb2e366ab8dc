#include "tests/sim/bugs.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace ebla::sim {

std::string_view Bug::name() const {
  return lie != StoreLie::kNone ? kStoreLieNames[static_cast<size_t>(lie)] : kPlantedBugNames[static_cast<size_t>(rule)];
}

bool Bug::of_splits() const {
  constexpr std::array kOfSplits = {PlantedBug::copy_crosses_split,     PlantedBug::drop_forgets_split,
                                    PlantedBug::split_not_parked,       PlantedBug::any_replica_leads_child,
                                    PlantedBug::split_of_any_epoch,     PlantedBug::split_settled_early,
                                    PlantedBug::split_completed_as_now, PlantedBug::family_unordered};
  return std::ranges::find(kOfSplits, rule) != kOfSplits.end();
}

bool Bug::of_merges() const {
  constexpr std::array kOfMerges = {PlantedBug::merge_unchecked_epoch, PlantedBug::give_up_without_thaw, PlantedBug::parents_are_strays};
  return std::ranges::find(kOfMerges, rule) != kOfMerges.end();
}

std::vector<Bug> AllBugs() {
  std::vector<Bug> bugs;
  for (size_t i = 1; i < kStoreLieNames.size(); ++i) bugs.push_back({.lie = static_cast<StoreLie>(i)});
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
