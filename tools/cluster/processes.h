// tools/cluster/processes.h
// The processes of a cluster below one directory, one at a time: how each is started, asked whether it is ready, and
// ended. Which there are is not known here.
// Place:   launcher.h has the list, and the lock on it.
// Errors:  name what did not start and its log, and show the log's last lines.
// Threads: thread-compatible.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "tools/cluster/child_process.h"
#include "tools/cluster/cluster_state.h"

namespace ebla::cluster {

// How a process is started: the address that it listens on and is reached at, and the command that it is started by.
struct LaunchContext {
  std::string host = "127.0.0.1";
  std::vector<std::string> command_prefix;  // becomes the program by exec, as nsenter does; empty: started directly
};

struct LauncherOptions {
  std::string dir = ".ebla";
  std::string bin_dir;           // where ebla-master and ebla-tabletserver are; empty: beside this program
  bool die_with_parent = false;  // processes die with the thread that starts them
  bool stop_at_end = false;      // the destructor kills what runs
  std::chrono::milliseconds start_timeout{30'000};  // until a process that was started is ready
  std::chrono::milliseconds stop_timeout{15'000};   // after SIGTERM, before SIGKILL
  std::function<void(const std::string&)> say;      // told of each step; may be empty
  std::function<LaunchContext(const std::string&)>
      launch_context;  // of a process, by its name; empty: the same for all
};

enum class ProcessState { kReady, kNotReady, kDead };  // kNotReady: runs, but is starting, or stuck
std::string_view StateName(ProcessState state);

struct ProcessView {
  std::string name;
  Role role;
  ProcessState state;
  pid_t pid = 0;  // 0 unless it runs
  std::string address;
  std::string http_address;  // empty for ZooKeeper
  std::chrono::seconds uptime{0};
  std::string log;     // the file that it prints to
  std::string reason;  // why it is not ready
};

class Processes {
 public:
  // `dir`: absolute.
  Processes(LauncherOptions options, std::string dir) : options_(std::move(options)), dir_(std::move(dir)) {}

  const std::string& dir() const { return dir_; }
  std::string DataDir(const std::string& name) const { return dir_ + "/" + name; }
  std::string LogFile(const std::string& name) const { return DataDir(name) + "/output.log"; }
  // Its output and, if it writes one, its own newest log.
  std::vector<std::string> LogFiles(const std::string& name) const;
  std::string Address(const Member& member) const;
  // The address of the cluster's ZooKeeper; empty if it has none.
  std::string ZooKeeper(const ClusterState& state) const;
  ProcessView View(const Member& member) const;

  // Starts it as a member of this cluster, and reports it.
  Result<ProcessId> Start(const Member& member, const ClusterState& state) const;
  using Deadline = std::chrono::steady_clock::time_point;
  Status AwaitAddress(const Member& member, Deadline deadline) const;
  Status AwaitReady(const Member& member, Deadline deadline) const;
  // Sends the signal; after SIGKILL, returns when the process is gone.
  Status Kill(const Member& member, int signal) const;
  bool AskToEnd(const Member& member) const;  // false when it does not run
  Status AwaitEnd(const Member& member) const;

  const LauncherOptions& options() const { return options_; }
  void Say(const std::string& text) const;

 private:
  LaunchContext ContextOf(const Member& member) const;
  Result<std::vector<std::string>> Command(const Member& member, const ClusterState& state) const;
  std::string HttpAddress(const Member& member) const;
  bool ZooKeeperAnswers(const Member& member) const;
  Status AskIfReady(const Member& member) const;
  Status Failed(const Member& member, const std::string& what) const;

  LauncherOptions options_;
  std::string dir_;
};

// The last `lines` lines of a file; empty when there is none.
std::string LastLines(const std::string& file, int lines);

}  // namespace ebla::cluster
