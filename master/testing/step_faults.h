// master/testing/step_faults.h
// One fault at a chosen step of the masters of a MasterRig. A step is one Multi or one order to a server, as a master
// makes them. At it that master dies, before the step is carried out or after it was but before its outcome is known;
// or the step is lost; or a server dies.
// Threads: one.
#pragma once

#include <cstddef>

#include "common/base/executor.h"

namespace ebla::master::testing {

class MasterRig;

enum class Fault { kNone, kDieBefore, kDieAfter, kLoseRequest, kLoseOutcome, kServerDies };

class StepFaults {
 public:
  explicit StepFaults(MasterRig& rig) : rig_(rig) {}

  // The fault strikes the leading master at its step `number` from now (1 is the next one).
  void StrikeAt(Fault fault, size_t number);
  // A server dies as the leading master, or any later one, takes its step `number` from now, and restarts. A server
  // that is down then is left alone.
  void KillServerAt(size_t server, size_t number, Duration away);
  void Spare() { fault_ = Fault::kNone; }
  bool struck() const { return struck_; }
  size_t steps() const { return steps_; }

  // Counts a step of the master, and returns its fault; none if a server dies instead.
  Fault Step(size_t master);

 private:
  MasterRig& rig_;
  Fault fault_ = Fault::kNone;
  size_t steps_ = 0;
  size_t strike_at_ = 0;
  size_t victim_ = 0;  // a master; of kServerDies, a server
  Duration away_{};    // of a server that dies
  bool struck_ = false;
};

}  // namespace ebla::master::testing
