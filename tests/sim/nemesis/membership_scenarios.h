// tests/sim/nemesis/membership_scenarios.h
// Replicas that are added, removed and copied.
// Threads: one.
#pragma once

#include <functional>
#include <string>

#include "tests/sim/nemesis/fault.h"
#include "tests/sim/nemesis/scenarios.h"

namespace ebla::sim {

class MembershipScenarios : ScenarioFamily {
 public:
  explicit MembershipScenarios(PlainFaults& faults) : ScenarioFamily(faults) {}

  void Begin(Fault fault, const Target& target);

  // Changes the number of replicas of the clients' table for a while. False: the number is changed already, or must not
  // be changed.
  bool Resize(int replicas, Duration lasting);
  bool ResizeSomehow();
  // Cuts the first follower off from its primary until the primary has truncated the log that the follower lacks.
  void LagBehind(const Target& target);
  // A server that runs, suffers no fault and has no replica of the tablet. -1: there is none.
  int AnyNonMember(const Target& target);
  bool Votes(const std::string& name, TabletId tablet);

 private:
  void LeaveBehind(const Target& target);
  void RepeatOldOrders(const Target& target, const std::string& told);
  void DropLate(const Target& target);
  void ReadOn(int server, TabletId tablet, int times);
  void ChangeMembers(const Target& target);
  void LearnerAlone(const Target& target);
  void Overlap(const Target& target, int to);
  void OverlapOn(const Target& target, int to, const std::function<void()>& unblock);

  bool resized_ = false;  // the clients' table has another number of replicas
};

}  // namespace ebla::sim
