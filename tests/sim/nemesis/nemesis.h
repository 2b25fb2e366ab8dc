// tests/sim/nemesis/nemesis.h
// The nemesis: breaks the cluster at random moments, each fault for a random while, and at the end heals everything. It
// decides what is broken when; how, the families of faults know.
// Swarm:   a run enables some kinds of fault only; each enabled kind is injected at least once (a first round through
//          all of them), so that a run's faults are known to have happened.
// Threads: one.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "tests/sim/nemesis/failover_scenarios.h"
#include "tests/sim/nemesis/fault.h"
#include "tests/sim/nemesis/fault_context.h"
#include "tests/sim/nemesis/hooks.h"
#include "tests/sim/nemesis/late_message_scenarios.h"
#include "tests/sim/nemesis/membership_scenarios.h"
#include "tests/sim/nemesis/merge_scenarios.h"
#include "tests/sim/nemesis/outage_scenarios.h"
#include "tests/sim/nemesis/scenarios.h"
#include "tests/sim/nemesis/split_scenarios.h"

namespace ebla::sim {

class Nemesis {
 public:
  Nemesis(Cluster& cluster, std::vector<Fault> enabled, NemesisHooks hooks);

  void Start() { Next(); }
  // Injects nothing more, and undoes everything: in the end all processes run and all wires carry.
  void Heal();

  int injected(Fault fault) const { return injected_[static_cast<size_t>(fault)]; }
  const std::vector<Fault>& enabled() const { return enabled_; }
  // A scenario is to split the tablet, nobody else.
  bool StaysWhole(TabletId tablet) const { return splits_.StaysWhole(tablet); }

 private:
  void Next();
  bool Inject(Fault fault);
  bool InjectDirected(Fault fault);
  // Some tablet, of the clients' table or any, of three voters or more whose servers are all up and suffer nothing.
  std::optional<Target> ChooseTarget(bool clients);
  void HealMasters();
  void HealServers();

  Cluster& cluster_;
  testing::SimScheduler& scheduler_;
  FaultContext context_;
  const std::vector<Fault> enabled_;
  std::array<int, kFaultCount> injected_{};
  size_t round_ = 0;  // of the first one: which of the enabled kinds is next
  Fault theme_;       // comes more often than the others
  PlainFaults faults_;
  FailoverScenarios failovers_;
  MembershipScenarios membership_;
  LateMessageScenarios late_messages_;
  SplitScenarios splits_;
  MergeScenarios merges_;
  OutageScenarios outages_;
};

}  // namespace ebla::sim
