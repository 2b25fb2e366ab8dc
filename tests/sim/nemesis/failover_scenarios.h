// tests/sim/nemesis/failover_scenarios.h
// Primaries that are replaced: fenced, cut off, dead or told to transfer, and what their successors then count on.
// Threads: one.
#pragma once

#include "tests/sim/nemesis/fault.h"
#include "tests/sim/nemesis/scenarios.h"

namespace ebla::sim {

class FailoverScenarios : ScenarioFamily {
 public:
  explicit FailoverScenarios(PlainFaults& faults) : ScenarioFamily(faults) {}

  void Begin(Fault fault, const Target& target);

 private:
  void DeposePrimary(const Target& target);
  void ResetFollower(const Target& target);
  void ForgetFollower(const Target& target);
  void ForgetOn(const Target& target, Epoch epoch);
  void CrashFenced(const Target& target);
  void CutThenCrash(const Target& target);
  void CrashSuccessor(const Target& target);
  void ReleaseUnseen(const Target& target);
  void RapidTransfers(const Target& target);
  void TransferOn(const Target& target, int polls);
  void DieSending(const Target& target, int second);
  void CountOld(const Target& target);
  void CountOldOn(const Target& target, Epoch epoch);
  int Beginner(const Target& target, Epoch epoch);
};

}  // namespace ebla::sim
