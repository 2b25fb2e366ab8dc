// tests/sim/run.h
// One run from one seed: a cluster is born, clients work, faults happen, everything is healed, and then
//   1. every client comes to rest and every key can be read (the healed cluster converges);
//   2. each group's history is linearizable, its batches whole, no increment applied twice, versions growing;
//   3. no client got an answer that it may never get, no server was refused, every table serves whole or is gone.
// A run that injected none of one of its faults, or did too little, fails: it proved nothing.
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "tests/sim/planted_bug.h"

namespace ebla::sim {

struct RunOptions {
  uint64_t seed = 1;
  PlantedBug bug = PlantedBug::kNone;
  Duration faults_for = std::chrono::seconds(25);  // virtual time; at least, until each enabled fault has happened
  uint64_t answered_min = 500;
  Duration patience = std::chrono::seconds(120);  // virtual time, with each of what has to come about
  std::function<void(const std::string& line)> sink;  // the event log as it comes
};

struct RunReport {
  uint64_t seed = 0;
  std::vector<std::string> problems;  // empty: good
  std::string summary;                // one line of figures
  uint64_t digest = 0;                // of the event log
  std::vector<std::string> log;
};

RunReport RunOnce(const RunOptions& options);

}  // namespace ebla::sim
