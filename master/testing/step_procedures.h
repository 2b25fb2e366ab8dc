// master/testing/step_procedures.h
// Every procedure of the master, with its start state, its request or trigger, and its required end state;
// master_steps_test.cc kills a process at each of its steps. A new procedure is one entry of the list. A step is one
// Multi or one order to a server (step_faults.h).
// Threads: one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "master/testing/master_rig.h"

namespace ebla::master::testing {

struct StepProcedure {
  std::string name;
  MasterRig::Shape shape;
  size_t steps_least = 1;  // fewer were enumerated: nothing is proved
  std::function<void(MasterRig&)> prepare = [](MasterRig&) {};
  // Asks for it, without waiting for the answer, because the master may die. May continue until
  // cluster.faults().struck().
  std::function<void(MasterRig&)> act;
  // The fault in the end, besides those that Judge() finds; empty: none. `excused`: a process died, so the procedure
  // may not have begun, or have been undone.
  std::function<std::string(MasterRig&, bool excused)> check;
  Duration patience = 180s;  // until nothing is wrong
};

const std::vector<StepProcedure>& StepProcedures();

// The fault of the cluster after any procedure; empty: none. Every table in the catalog must serve whole, each of its
// ranges once, with all its replicas and no further ones; no intent may be open; no epoch may have had two primaries.
std::string Judge(MasterRig& cluster);

}  // namespace ebla::master::testing
