// tests/sim/nemesis/disk_lies.h
// Disks that lose, when their machine loses power, what they had: the end of the log from some frame on, or all that
// was written since an older copy of its last file. The server sees it when it starts (simulated_disk.h), and its
// replicas do not count until they are made anew (PROTOCOL 5).
// Bound:   one disk lies at a time. It may lie only while a majority of each of its tablets' voters is on other servers
//          that run and have all that they acknowledged, and the next one only when all replicas are sure again. Other
//          servers may die meanwhile, but their disks keep what they had. No clients' table has fewer replicas than
//          three.
// How:     each such fault is a scenario directed at one tablet. In runs with these faults a disk may also lie when
//          another fault takes its machine's power.
//          A whole disk returns to an earlier moment in a scenario of its own alone, because no start sees that. A
//          primary lives there that remembers more than the disk has then, of every tablet that lacks a promise.
// Threads: one.
#pragma once

#include <map>
#include <optional>
#include <utility>
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
  void GoBack(const Target& target);
  bool LooksAgain(const std::vector<int>& servers);
  bool IsRemembered(int index);
  void LieBesideOneBehind(Fault fault, const Target& target);
  void LieUnderSuccessor(Fault fault, const Target& target);
  void LieUnderSuccessorOn(Fault fault, const Target& target);

  struct Before {
    Epoch promised;
    Version last;  // or somewhat later
  };
  std::map<std::pair<int, TabletId>, Before> before_;  // of replicas whose disks may go back to that moment
  std::vector<Fault> enabled_;                         // for any machine that dies
  std::optional<Loss> now_;                            // of the machine that is about to lose power
};

}  // namespace ebla::sim
