// master/testing/step_procedures.h
// Every procedure of the master, as master_steps_test.cc has somebody die at each of its steps: what is there before,
// how it is asked for or comes about, and what must hold in the end. A new procedure is one entry of the list.
// A step is one Multi or one order to a server (step_faults.h).
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
  // Asks for it, without waiting for the answer: the one who was asked may die.
  // May go on until cluster.faults().struck().
  std::function<void(MasterRig&)> act;
  // What is wrong in the end, besides what Judge() finds; empty: nothing. `excused`: somebody died, so that what was
  // asked for may not have begun, or have been undone.
  std::function<std::string(MasterRig&, bool excused)> check;
  Duration patience = 180s;  // until nothing is wrong
};

const std::vector<StepProcedure>& StepProcedures();

// What is wrong with the cluster, whatever procedure has run: every table that stands in the catalog serves whole, each
// of its ranges once, with all its replicas and none besides; no intent is open; nobody led what another led. Empty:
// nothing.
std::string Judge(MasterRig& cluster);

}  // namespace ebla::master::testing
