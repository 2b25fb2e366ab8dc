// tests/bench/compare/measured_process.h
// A server that is compared with others: a process of its own, and what it has cost so far.
// Written bytes are the disk's own count, of everybody on the machine: what the kernel accounts to a process is the
// size of the pages that it has changed, which may be large ones, and not what of them goes to the disk.
// Threads: thread-compatible; the process dies with the thread that starts it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "tools/cluster/child_process.h"

namespace ebla::bench {

struct ProcessCost {
  double cpu_us = 0;         // user and system, of all its threads
  double written_bytes = 0;  // to the disk that has its directory, all that is dirty included
};

class MeasuredProcess {
 public:
  // UNAVAILABLE, saying what to install, where the program is not there.
  static Result<MeasuredProcess> Start(std::vector<std::string> command, const std::string& directory);
  MeasuredProcess(MeasuredProcess&& other) noexcept
      : process_(std::exchange(other.process_, {})), disk_(std::move(other.disk_)) {}
  MeasuredProcess& operator=(MeasuredProcess&&) = delete;
  ~MeasuredProcess();

  // Writes out what is dirty first.
  ProcessCost Cost() const;
  bool alive() const { return cluster::IsAlive(process_); }

 private:
  MeasuredProcess(cluster::ProcessId process, std::string disk)
      : process_(std::move(process)), disk_(std::move(disk)) {}

  cluster::ProcessId process_;
  std::string disk_;  // its file of counters
};

}  // namespace ebla::bench
