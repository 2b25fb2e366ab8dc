// tests/sim/nemesis/coordinator_faults.h
// Faults of the coordinator: outages for all processes or for some, and sessions that expire.
// Threads: one.
#pragma once

#include <string>
#include <vector>

#include "common/coordination/sim_coordinator.h"
#include "tests/sim/nemesis/fault.h"
#include "tests/sim/nemesis/fault_context.h"

namespace ebla::sim {

class CoordinatorFaults : FaultFamily {
 public:
  explicit CoordinatorFaults(FaultContext& context) : FaultFamily(context) {}

  bool Inject(Fault fault);
  bool Outage(Duration lasting);  // false: the coordinator is away already
  // Cuts the named processes that run off from the coordinator for a while.
  void HoldOff(const std::vector<std::string>& names, Duration lasting);
  void HoldOffMasters(Duration lasting) { HoldOff(cluster_.MasterNames(), lasting); }

 private:
  coordination::SimCoordinator* CoordinatorOf(const std::string& name);
  coordination::SimCoordinator* AnyCoordinator(std::string* who);
};

}  // namespace ebla::sim
