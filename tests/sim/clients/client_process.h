// tests/sim/clients/client_process.h
// The base of every client of a run: a process of its own that records its requests and their answers.
// Life:    a derived class ends, in this order, its work under way, its node, the process (Halt), and the objects that
//          lived on the process.
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

// The record that all clients of a run write.
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
  std::vector<Token> tokens;  // handed on by sessions, for any client to continue
  uint64_t answered = 0;      // with OK, NOT_FOUND or CONDITION_FAILED
  uint64_t unknown = 0;
  uint64_t not_executed = 0;
};

class ClientProcess {
 protected:
  ClientProcess(std::string name, Process process, Cluster& cluster, RunRecord& record);
  ~ClientProcess() = default;

  // Adds an operation, called now, to the history. Returns its index there, for Recorded().
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
