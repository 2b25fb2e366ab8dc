#include "tests/sim/clients/client_process.h"

#include <utility>

namespace ebla::sim {

ClientProcess::ClientProcess(std::string name, Process process, Cluster& cluster, RunRecord& record)
    : name_(std::move(name)),
      process_(std::move(process)),
      executor_(process_.NewExecutor()),
      log_(cluster.log()),
      record_(record),
      scheduler_(cluster.scheduler()) {}

size_t ClientProcess::Begin(int group) {
  History& history = record_.history;
  Operation operation;
  operation.id = history.operations.size() + 1;
  operation.client = name_;
  operation.group = group;
  operation.invoked = history.Event(scheduler_.Now());
  history.operations.push_back(std::move(operation));
  return history.operations.size() - 1;
}

Operation& ClientProcess::Recorded(size_t index) { return record_.history.operations[index]; }

}  // namespace ebla::sim
