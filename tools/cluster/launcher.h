// tools/cluster/launcher.h
// A whole cluster on one machine: ZooKeeper, masters and tablet servers, each a process with its own data, log and
// ports below one directory. The processes outlive the launcher. A state file describes them, so that the next launcher
// continues from there.
//
//   <dir>/cluster.json     names, ports, process ids (replaced by rename); <dir>/lock is held while a launcher changes
//                          them, and not while it only waits
//   <dir>/zookeeper/       and m-1/, m-2/, ... ts-1/, ...: data; output.log is the process's output
//
//   auto launcher = Launcher::Open({.dir = dir, .die_with_parent = true, .stop_at_end = true});
//   launcher->Start({.masters = 2, .servers = 3});
//   ConnectTo(launcher->Masters());
//   launcher->Kill("ts-2", SIGKILL);  launcher->Restart("ts-2");
//
// Place:      processes.h starts, asks and ends single processes. main.cc is its command line; integration and chaos
//             tests use it as above.
// Invariants: 1. A process keeps its name, data directory and ports for life, so clients' addresses stay right. The
//                name and directory of a removed process are never reused.
//             2. Only processes of the state file are ever signalled, and none whose pid has been recycled.
// Errors:     name the process that did not start and its log, and show the log's last lines.
// Threads:    thread-compatible; other threads may continue to use the cluster meanwhile.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tools/cluster/child_process.h"
#include "tools/cluster/cluster_state.h"
#include "tools/cluster/processes.h"

namespace ebla::cluster {

struct StartOptions {
  int masters = 0;    // the wanted number; 0 means as many as before, at first 2
  int servers = 0;    // at first 3
  int base_port = 0;  // at first: ports from here on, Thrift and HTTP of each process; 0: any that are free
  std::vector<std::string> master_flags;  // further flags, kept for later starts
  std::vector<std::string> server_flags;
  bool wait = true;  // until all are ready, not only started
};

class Launcher {
 public:
  // Reads the state in the directory, if there is any, and locks it, because only one launcher at a time may change it.
  // A launcher that waits for a process to be ready lets others work, and continues from their state. INVALID_ARGUMENT
  // when the state cannot be read.
  static Result<Launcher> Open(LauncherOptions options);
  Launcher(Launcher&&) noexcept;
  Launcher& operator=(Launcher&&) = delete;
  ~Launcher();

  // Starts what is missing: on a running cluster, nothing.
  Status Start(const StartOptions& options);
  // Sends the signal; after SIGKILL, returns when the process is gone. NOT_FOUND for a name that is none.
  Status Kill(const std::string& name, int signal);
  // Ends it (SIGTERM, then SIGKILL) where it runs, starts it again and waits until it is ready, or only started.
  Status Restart(const std::string& name, bool wait = true);
  // Makes one more tablet server and waits until it is ready, or only started. Its name.
  Result<std::string> AddServer(bool wait = true);
  // OK where the process is a tablet server, and not the only one.
  Status CheckRemoval(const std::string& name) const;
  // Ends a process where it runs, as Stop() does.
  Status End(const std::string& name);
  // Forgets a tablet server that does not run; its data stays. CONDITION_FAILED while it does.
  Status Remove(const std::string& name);
  // SIGTERM to the servers, then to the masters, then to ZooKeeper; what is still there after stop_timeout is killed,
  // and named in an UNAVAILABLE.
  Status Stop();
  // Waits until every process is ready.
  Status WaitUntilReady();

  bool empty() const { return state_.members.empty(); }
  std::vector<ProcessView> Describe() const;
  std::vector<std::string> Masters() const;                  // host:port each, running or not
  std::string ZooKeeper() const;                             // host:port
  Result<ProcessId> Process(const std::string& name) const;  // the present or last one
  std::string DataDir(const std::string& name) const { return processes_.DataDir(name); }
  std::string LogFile(const std::string& name) const { return processes_.LogFile(name); }
  std::vector<std::string> LogFiles(const std::string& name) const { return processes_.LogFiles(name); }
  const std::string& dir() const { return processes_.dir(); }

 private:
  class Lock;
  Launcher(const LauncherOptions& options, std::string dir, std::unique_ptr<Lock> lock, ClusterState state);

  Status Plan(const StartOptions& options);
  Status CheckPorts() const;
  Status StartMembers(const StartOptions& options);
  Status AddMember(Role role, int number);
  Status ChoosePorts(Member& member) const;
  Status StartMember(Member& member);
  Status AwaitOne(Member member, bool ready);  // `ready`: that, or only started
  Status WhileOthersWork(const std::function<Status()>& wait);
  Result<Member*> Find(const std::string& name);
  Result<const Member*> Find(const std::string& name) const;
  Status Save() const;
  std::chrono::steady_clock::time_point StartDeadline() const;

  Processes processes_;
  std::unique_ptr<Lock> lock_;
  ClusterState state_;
};

}  // namespace ebla::cluster
