// tests/sim/nemesis/membership_scenarios.h
// Replicas that come and go, and are copied.
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

  // The clients' table is to have another number of replicas for a while; false: it has already, or may not.
  bool Resize(int replicas, Duration lasting);
  bool ResizeSomehow();
  // The first follower hears nothing of its primary until the log that it lacks is gone.
  void LagBehind(const Target& target);
  // A server that lives, suffers nothing and has no part in the tablet; -1: there is none.
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
