// tests/sim/nemesis/nemesis.h
// The nemesis breaks the cluster at random moments, each fault for a random while, and heals everything at the end. The
// nemesis decides which fault happens when, and the families of faults carry it out.
// Swarm:   a run enables only some kinds of fault. The nemesis injects each enabled kind at least once, in a first
//          round through all of them, so that a run's faults are known to have happened.
// Threads: one.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "tests/sim/nemesis/disk_lies.h"
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
  // Injects nothing more, and undoes all faults, so that all processes run and all links work.
  void Heal();

  int injected(Fault fault) const { return injected_[static_cast<size_t>(fault)]; }
  const std::vector<Fault>& enabled() const { return enabled_; }
  // A scenario is to split the tablet, so no other part of the run may split it.
  bool StaysWhole(TabletId tablet) const { return splits_.StaysWhole(tablet); }

 private:
  void Next();
  bool Inject(Fault fault);
  bool InjectDirected(Fault fault);
  // A random tablet, of the clients' table or of any. None: the drawn tablet has fewer than three voters, or one of its
  // servers does not run or suffers a fault.
  std::optional<Target> ChooseTarget(bool clients);
  void HealMasters();
  void HealServers();

  Cluster& cluster_;
  testing::SimScheduler& scheduler_;
  FaultContext context_;
  const std::vector<Fault> enabled_;
  std::array<int, kFaultCount> injected_{};
  size_t round_ = 0;  // the first round's next of the enabled kinds
  Fault theme_;       // is injected more often than other kinds
  PlainFaults faults_;
  FailoverScenarios failovers_;
  DiskLies disk_lies_;
  MembershipScenarios membership_;
  LateMessageScenarios late_messages_;
  SplitScenarios splits_;
  MergeScenarios merges_;
  OutageScenarios outages_;
};

}  // namespace ebla::sim
