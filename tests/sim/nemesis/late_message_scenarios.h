// tests/sim/nemesis/late_message_scenarios.h
// Orders and answers that arrive late, when another replica is primary, or another life of the process has begun.
// Threads: one.
#pragma once

#include "tests/sim/nemesis/fault.h"
#include "tests/sim/nemesis/membership_scenarios.h"
#include "tests/sim/nemesis/scenarios.h"

namespace ebla::sim {

class LateMessageScenarios : ScenarioFamily {
 public:
  LateMessageScenarios(PlainFaults& faults, MembershipScenarios& membership)
      : ScenarioFamily(faults), membership_(membership) {}

  void Begin(Fault fault, const Target& target);
  // While a tablet is made, one of its voters gets its orders late. False: fewer than three servers suffer no fault.
  bool DelayCreate();

 private:
  void OldOrdersAfterRestart(const Target& target);
  void SlowAnswers(const Target& target);
  void AnswerOldQuestions(const Target& target);
  void FencedPrimaryReachesVoter(const Target& target);
  void HoldOrders(const Target& target);
  void ChooseAgain(const Target& target);

  MembershipScenarios& membership_;
};

}  // namespace ebla::sim
