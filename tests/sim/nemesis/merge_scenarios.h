// tests/sim/nemesis/merge_scenarios.h
// A merge that is struck in the midst of it: when a primary has been told to freeze, has frozen, between the one and
// the other, or when the catalog has one in the place of the two and nobody has merged them yet. And what was frozen,
// or is to be, and meets a later epoch.
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

  bool Begin(Fault fault, const Target& target);  // false: there is nothing to be merged with

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
