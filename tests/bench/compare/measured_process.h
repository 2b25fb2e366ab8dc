// tests/bench/compare/measured_process.h
// A server under comparison: a separate process, and the cost so far of one or several of them. Written bytes are the
// disk's own count, for the whole machine. The kernel's account of a process has the size of its changed pages instead,
// which may be large, and of which only a part reaches the disk.
// Threads: thread-compatible; the process dies with the thread that starts it.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "tools/cluster/child_process.h"

namespace ebla::bench {

// Processes that serve together, with their data on one disk.
struct Servers {
  std::vector<pid_t> pids;
  std::string directory;
};

struct ServersCost {
  double cpu_us = 0;         // user and system, of all their threads
  double written_bytes = 0;  // to the disk that has their directory, all that is dirty included
};

// Writes out what is dirty first.
ServersCost CostOf(const Servers& servers);

// The servers' resident memory at present.
double ResidentBytes(const Servers& servers);
// The most that a server's resident memory has been.
double PeakResidentBytes(pid_t pid);
// The size of all files below, except reserves: room for a full disk, and future segments of the log. Files may
// appear and vanish meanwhile.
double DiskBytes(const std::string& directory);

class MeasuredProcess {
 public:
  // UNAVAILABLE, saying what to install, where the program is not there.
  static Result<MeasuredProcess> Start(std::vector<std::string> command, const std::string& directory);
  MeasuredProcess(MeasuredProcess&& other) noexcept
      : process_(std::exchange(other.process_, {})), directory_(std::move(other.directory_)) {}
  MeasuredProcess& operator=(MeasuredProcess&&) = delete;
  ~MeasuredProcess();

  Servers servers() const { return {{process_.pid}, directory_}; }
  bool alive() const { return cluster::IsAlive(process_); }
  std::string output_file() const { return directory_ + "/output.log"; }
  // Until its output holds this. INTERNAL, with its last lines, where it ends or takes too long.
  Status AwaitSaying(const std::string& text) const;

 private:
  MeasuredProcess(cluster::ProcessId process, std::string directory)
      : process_(std::move(process)), directory_(std::move(directory)) {}

  cluster::ProcessId process_;
  std::string directory_;
};

}  // namespace ebla::bench
