// tests/sim/clients/client_process.h
// What every client of a run is: a process of its own that writes down what it asks and what it is told.
// Life:    who derives from it ends, in this order, what it has under way, its node, the process (Halt), and what lived
//          on it.
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/checker/history.h"
#include "tests/sim/cluster/cluster.h"

namespace ebla::sim {

// Everything that the clients of a run share.
struct RunRecord {
  History history;
  std::vector<std::string> problems;
  // operations answered: "write primary", "read bounded", "get", "scan page", ...
  std::map<std::string, uint64_t> kinds;
  uint64_t next_session = 1;
  struct Token {
    uint64_t session;
    EventNumber at;
    std::string text;
  };
  std::vector<Token> tokens;  // handed on by sessions, to be continued by whoever takes them
  uint64_t answered = 0;      // with OK, NOT_FOUND or CONDITION_FAILED
  uint64_t unknown = 0;
  uint64_t not_executed = 0;
};

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
