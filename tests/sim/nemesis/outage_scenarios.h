// tests/sim/nemesis/outage_scenarios.h
// The operator asks for a planned change of a tablet, and the coordinator stops at one of its steps. Nothing else is
// broken, so clients must not notice (JudgeWaits in run.cc).
// Threads: one.
#pragma once

#include "tests/sim/nemesis/membership_scenarios.h"

namespace ebla::sim {

class OutageScenarios : ScenarioFamily {
 public:
  OutageScenarios(PlainFaults& faults, MembershipScenarios& membership)
      : ScenarioFamily(faults), membership_(membership) {}

  void Begin(const Target& target);

 private:
  void Strike();
  void StrikeAtSomeStep(const Target& target, Duration latest, const char* order = "transfer");

  MembershipScenarios& membership_;
};

}  // namespace ebla::sim
