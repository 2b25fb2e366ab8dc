// tests/sim/nemesis/scenarios.h
// The tools of families of scenarios: the plain faults, and the tablet that a scenario is directed at.
// Threads: one.
#pragma once

#include <vector>

#include "tests/sim/nemesis/coordinator_faults.h"
#include "tests/sim/nemesis/fault_context.h"
#include "tests/sim/nemesis/master_faults.h"
#include "tests/sim/nemesis/network_faults.h"
#include "tests/sim/nemesis/server_faults.h"

namespace ebla::sim {

// A tablet, and the servers of its replicas by their indexes.
struct Target {
  TabletId tablet;
  int primary = -1;
  std::vector<int> followers;  // other voters
  std::vector<int> learners;
};

struct PlainFaults {
  explicit PlainFaults(FaultContext& context)
      : context(context), coordinator(context), network(context, coordinator), servers(context), masters(context) {}

  FaultContext& context;
  CoordinatorFaults coordinator;
  NetworkFaults network;
  ServerFaults servers;
  MasterFaults masters;
};

// Place: the base of every family of scenarios; no code holds a family by this base.
class ScenarioFamily : protected FaultFamily {
 protected:
  using CrashKind = ServerFaults::CrashKind;
  explicit ScenarioFamily(PlainFaults& faults)
      : FaultFamily(faults.context),
        coordinator_(faults.coordinator),
        network_(faults.network),
        servers_(faults.servers),
        masters_(faults.masters) {}

  // The follower that is primary by now and has applied its Barrier. -1: there is none.
  int Successor(const Target& target);

  CoordinatorFaults& coordinator_;
  NetworkFaults& network_;
  ServerFaults& servers_;
  MasterFaults& masters_;
};

}  // namespace ebla::sim
