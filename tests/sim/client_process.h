// tests/sim/client_process.h
// What every client of a run is: a process of its own that writes down what it asks and what it is told.
// Life:    who derives from it ends, in this order, what it has under way, its node, the process (Halt), and what lived on it.
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/sim/cluster.h"
#include "tests/sim/history.h"

namespace ebla::sim {

struct RunRecord;

class ClientProcess {
 protected:
  ClientProcess(std::string name, Process process, Cluster& cluster, RunRecord& record);
  ~ClientProcess() = default;

  // A new operation of the history, called now; the answer says how it is found there.
  size_t Begin(int group);
  Operation& Recorded(size_t index);
  uint64_t Random(uint64_t bound) { return executor_.Random() % bound; }

  const std::string name_;
  Process process_;
  testing::SimExecutor& executor_;
  EventLog& log_;
  RunRecord& record_;
  testing::SimScheduler& scheduler_;
};

}  // namespace ebla::sim
