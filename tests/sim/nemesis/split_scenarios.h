// tests/sim/nemesis/split_scenarios.h
// Tablets that are split while nobody hears of it, while replicas are copied or dropped, before a server has applied
// it, or has heard of the table; and what a split leaves to be remembered.
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
  // A scenario is to split the tablet, nobody else.
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
  // Nobody else splits it for a while.
  void KeepWhole(TabletId tablet);
  const CatalogWatch::Tablet* RightOf(TabletId tablet) const;

  MembershipScenarios& membership_;
  std::set<TabletId> whole_;
  int aside_ = 0;  // tables made beside the clients'
};

}  // namespace ebla::sim
