// tests/sim/nemesis/merge_scenarios.h
// Faults that strike in the middle of a merge: when a primary is told to freeze, when the primary has frozen its
// tablet, when only one of the two tablets is frozen, or when the catalog has the merged tablet and no replica has
// merged yet. In other scenarios a tablet that is frozen, or is to be, gets a later epoch.
// Threads: one.
#pragma once

#include <optional>
#include <string>

#include "tests/sim/nemesis/fault.h"
#include "tests/sim/nemesis/scenarios.h"

namespace ebla::sim {

class MergeScenarios : ScenarioFamily {
 public:
  explicit MergeScenarios(PlainFaults& faults) : ScenarioFamily(faults) {}

  bool Begin(Fault fault, const Target& target);  // false: there is no tablet to merge with

 private:
  bool StrikeMerge(const Target& target);
  void StrikeAtMerge(int server, const std::string& when);
  void Strike(int server, const std::string& when);
  bool MergeUnseen(const Target& target);
  bool FreezeLate(const Target& target);
  bool FreezeOutlived(const Target& target);
  void OutliveFreeze(const Target& target);
  const CatalogWatch::Tablet* TheOneBefore(TabletId tablet) const;
  std::optional<Target> TargetMerged(const CatalogWatch::Tablet& first, int but_for);
};

}  // namespace ebla::sim
