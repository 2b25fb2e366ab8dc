// tests/sim/nemesis/master_faults.h
// Masters that die or stop, at any moment or just when they are at work.
// Threads: one.
#pragma once

#include <vector>

#include "tests/sim/nemesis/fault.h"
#include "tests/sim/nemesis/fault_context.h"

namespace ebla::sim {

class MasterFaults : FaultFamily {
 public:
  explicit MasterFaults(FaultContext& context)
      : FaultFamily(context), busy_(static_cast<size_t>(context.cluster().masters())) {}

  bool Inject(Fault fault);
  // The one that leads, for a time that is drawn.
  void PauseLeader(Duration least, Duration most);
  // The one that leads and suffers nothing; -1: none.
  int Leader();
  void Kill(int index);  // for a while

 private:
  void Pause(int index, Duration lasting);
  void KillAtWork(int index);

  std::vector<bool> busy_;  // masters that suffer already
};

}  // namespace ebla::sim
