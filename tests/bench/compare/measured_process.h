// tests/bench/compare/measured_process.h
// A server that is compared with others: a process of its own, and what it has cost so far.
// Threads: thread-compatible; the process dies with the thread that starts it.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "tools/cluster/child_process.h"

namespace ebla::bench {

struct ProcessCost {
  double cpu_us = 0;         // user and system, of all its threads
  double written_bytes = 0;  // handed to the disk, as the kernel accounts it
};

class MeasuredProcess {
 public:
  // UNAVAILABLE, saying what to install, where the program is not there.
  static Result<MeasuredProcess> Start(std::vector<std::string> command, const std::string& directory);
  MeasuredProcess(MeasuredProcess&& other) noexcept : process_(std::exchange(other.process_, {})) {}
  MeasuredProcess& operator=(MeasuredProcess&&) = delete;
  ~MeasuredProcess();

  ProcessCost Cost() const;
  bool alive() const { return cluster::IsAlive(process_); }

 private:
  explicit MeasuredProcess(cluster::ProcessId process) : process_(std::move(process)) {}

  cluster::ProcessId process_;
};

}  // namespace ebla::bench
