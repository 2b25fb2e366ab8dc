// tests/sim/nemesis/disk_lies.h
// Disks that lose, when their machine loses power, what they had: the end of the log from some frame on, or all that
// was written since an older copy of its last file. The server sees it when it starts (simulated_disk.h), and its
// replicas do not count until they are made anew (PROTOCOL 5).
// Bound:   one disk lies at a time. It may lie only while a majority of each of its tablets' voters is on other servers
//          that run and have all that they acknowledged, and the next one only when all replicas are sure again. Other
//          servers may die meanwhile, but their disks keep what they had.
// How:     each such fault is a scenario directed at one tablet. In runs with these faults a disk may also lie when
//          another fault takes its machine's power.
// Threads: one.
#pragma once

#include <optional>
#include <vector>

#include "tests/sim/nemesis/fault.h"
#include "tests/sim/nemesis/scenarios.h"

namespace ebla::sim {

class DiskLies : ScenarioFamily {
 public:
  explicit DiskLies(PlainFaults& faults) : ScenarioFamily(faults) {}

  // Disks may also lie when another fault ends a machine, by those of these faults that are of this family.
  void Enable(const std::vector<Fault>& faults);
  // False: no disk of the tablet may lie now.
  bool Begin(Fault fault, const Target& target);

 private:
  using Loss = tabletserver::SimulatedDisk::Loss;

  Loss LossBy(Fault fault);
  std::optional<Loss> LossAt(int index);
  bool MayLie(int index);
  bool IsWhole(const ServerName& server, TabletId tablet);
  void Die(int index, Fault fault, Duration away);
  void LieBesideOneBehind(Fault fault, const Target& target);
  void LieUnderSuccessor(Fault fault, const Target& target);
  void LieUnderSuccessorOn(Fault fault, const Target& target);

  std::vector<Fault> enabled_;
  std::optional<Loss> now_;  // of the machine that is about to lose power
};

}  // namespace ebla::sim
