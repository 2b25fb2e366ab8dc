// tests/sim/nemesis/split_scenarios.h
// Splits tablets while messages of the split are lost, while replicas are copied or dropped, and before a server has
// applied the split or knows the table. Requests of before a split are sent again afterwards.
// Threads: one.
#pragma once

#include <set>

#include "tests/sim/nemesis/fault.h"
#include "tests/sim/nemesis/membership_scenarios.h"
#include "tests/sim/nemesis/scenarios.h"

namespace ebla::sim {

class SplitScenarios : ScenarioFamily {
 public:
  SplitScenarios(PlainFaults& faults, MembershipScenarios& membership)
      : ScenarioFamily(faults), membership_(membership) {}

  void Begin(Fault fault, const Target& target);
  // A server is not told of a table that is made, until that has been split; false: too few servers suffer nothing.
  bool SplitBeforeCreate();
  // Only a scenario may split the tablet.
  bool StaysWhole(TabletId tablet) const { return whole_.contains(tablet); }

 private:
  void SplitCommitUnseen(const Target& target);
  void SplitThenMove(const Target& target, int to);
  void SplitLate(const Target& target);
  void SplitInCopy(const Target& target);
  void SplitMeanwhile(const Target& target);
  void ChangeWhileSplit(const Target& target);
  void SplitUnseen(const Target& target);
  void SplitUnreported(const Target& target);
  void WriteThenReadAtFormer(const Target& target);
  void SplitUnapplied(const Target& target);
  void SplitBehind(const Target& target);
  void CopyFromBehind(const Target& target, int to);
  void SplitThenDiscard(const Target& target);
  void SplitThenDrop(const Target& target, int to);
  void SplitThenLag(const Target& target);
  void DieDiscarding(const Target& target);
  void WriteOn(const Target& target, int times);
  void SplitRemembered(const Target& target);
  void LeadAnew(const Target& target, TabletId child);
  bool IsSplitting(TabletId tablet) const;
  bool IsSplit(int server, TabletId tablet);
  // For a while only a scenario may split it.
  void KeepWhole(TabletId tablet);
  const CatalogWatch::Tablet* RightOf(TabletId tablet) const;

  MembershipScenarios& membership_;
  std::set<TabletId> whole_;
  int aside_ = 0;  // tables made beside the clients'
};

}  // namespace ebla::sim
