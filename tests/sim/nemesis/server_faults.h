// tests/sim/nemesis/server_faults.h
// Tablet servers that die, stop and stall, and their disks.
// Threads: one.
#pragma once

#include <functional>

#include "tests/sim/nemesis/fault.h"
#include "tests/sim/nemesis/fault_context.h"

namespace ebla::sim {

class ServerFaults : FaultFamily {
 public:
  using CrashKind = tabletserver::SimulatedDisk::CrashKind;
  explicit ServerFaults(FaultContext& context) : FaultFamily(context) {}

  bool Inject(Fault fault);

  void KillAndRestart(int index, CrashKind kind, Duration away);
  // Its machine dies, as everybody knows at once, until what is returned is called, or for so long.
  std::function<void()> TakeDown(int index, Duration at_most);
  // No entry finds room there until appends are taken again.
  void RefuseAllAppends(int index);
  void TakeAppends(int index) { cluster_.disk(index).disk.RefuseAppends(0); }
  // Nothing that is committed is applied there, for so long or until its process ends.
  void RefuseToApply(int index, Duration at_most);
  void TakeApplies(int index);

 private:
  bool InjectAt(Fault fault, int index);
  bool CrashPrimary();
  bool LoseAllPower();
  bool FillThenLosePower();
  bool RefuseAppends();
  void FailRecords(Fault fault, int index);
  void CrashInCheckpoint(int index);
  void Pause(int index, Duration lasting);
  void ReplaceStopped(int index);
  void Restart(int index);  // one that is dead; it suffers nothing any more
  void RestartAfter(int index, Duration away);
};

}  // namespace ebla::sim
