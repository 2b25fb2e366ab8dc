// tests/sim/workload.h
// The clients of a run: the production client core over the simulated network, doing every kind of operation with unique
// values, and writing down what they asked and were told (history.h).
// Judged at once: an answer that no client may ever get (an internal code, NOT_PRIMARY, a wrong shape) is a problem by
//                 itself. Writes answered UNAVAILABLE, DEADLINE_EXCEEDED or OVERLOADED were not executed, says the SDK:
//                 they are left out of the history, and the checker finds it out if they were.
// Threads:        one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/core/admin.h"
#include "client/core/client_core.h"
#include "tests/sim/cluster.h"
#include "tests/sim/history.h"

namespace ebla::sim {

struct WorkloadOptions {
  int clients = 4;
  int in_flight = 3;  // of each client
  int groups = 8;
  Duration think_max = std::chrono::milliseconds(100);
};

std::string GroupPrefix(int group);          // "g03/"
std::string KeyName(int group, int cell);    // "g03/a", "g03/b", "g03/n"

// Everything that the clients of a run share.
struct RunRecord {
  std::vector<Operation> operations;
  std::vector<std::string> problems;
  EventNumber next_event = 1;
  uint64_t answered = 0;  // with OK, NOT_FOUND or CONDITION_FAILED
  uint64_t unknown = 0;
  uint64_t not_executed = 0;
};

// One life of one client process.
class SimClient {
 public:
  SimClient(std::string name, Process process, Cluster& cluster, RunRecord& record, const WorkloadOptions& options);
  ~SimClient();  // a crash: what was under way stays of unknown outcome

  // Opens the table and works until told to stop.
  void Work(const std::string& table);
  void Finish() { finishing_ = true; }
  bool idle() const { return busy_ == 0; }

  // Reads every key of every group once, with patience; `done` with the first error, or OK.
  void ReadAll(const std::string& table, std::function<void(Status)> done);

  client::ClientCore& core() { return *core_; }
  client::Admin& admin() { return *admin_; }
  testing::SimExecutor& executor() { return executor_; }

 private:
  void OpenThen(const std::string& table, std::function<void(Status)> then);
  void Next();
  void Again();
  void ReadOne(int group, int cell, std::chrono::milliseconds deadline, std::function<void(Status)> then);
  void ReadMany();
  void ScanSome();
  void ScanOn(ScanOptions options);
  void WriteSome();
  WritePart DrawPart(int group, int cell);
  void DrawCondition(int group, WritePart& part);
  void OnWritten(size_t index, Result<BatchResult> result);
  size_t Begin(int group);
  // Writes down what a read found, or that it was not answered.
  Status Found(size_t index, const Result<Record>& result);
  void Found(size_t index, std::optional<Cell> cell);
  int DrawGroup();
  std::chrono::milliseconds DrawDeadline();
  uint64_t Random(uint64_t bound) { return executor_.Random() % bound; }

  const std::string name_;
  Process process_;
  testing::SimExecutor& executor_;
  EventLog& log_;
  RunRecord& record_;
  const WorkloadOptions options_;
  std::shared_ptr<Network::Node> node_;
  std::unique_ptr<client::ClientCore> core_;
  std::unique_ptr<client::Admin> admin_;
  client::TablePtr table_;
  std::map<std::pair<int, int>, Version> seen_;  // the last version met of each key
  int busy_ = 0;
  bool finishing_ = false;
  bool dead_ = false;
};

}  // namespace ebla::sim
