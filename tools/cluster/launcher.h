// tools/cluster/launcher.h
// A whole cluster on one machine: ZooKeeper, masters and tablet servers, each a process with its own data, log and
// ports below one directory. The processes outlive the launcher; what it knows of them is in a state file, so that the
// next launcher goes on from there.
//
//   <dir>/cluster.json     names, ports, process ids (replaced by rename); <dir>/lock is held while a launcher changes
//                          them, and not while it only waits
//   <dir>/zookeeper/       and m-1/, m-2/, ... ts-1/, ...: data; output.log is what the process printed
//
//   auto launcher = Launcher::Open({.dir = dir, .die_with_parent = true, .stop_at_end = true});
//   launcher->Start({.masters = 2, .servers = 3});
//   ConnectTo(launcher->Masters());
//   launcher->Kill("ts-2", SIGKILL);  launcher->Restart("ts-2");
//
// Place:      main.cc is its command line; integration and chaos tests use it as above.
// Invariants: 1. A process keeps its name, data directory and ports for life, so clients' addresses stay right; the
//                name and directory of one that was removed are nobody else's.
//             2. Only processes of the state file are ever signalled, and none whose pid has been recycled.
// Errors:     name what did not start and its log, and show the log's last lines.
// Threads:    thread-compatible; other threads may go on using the cluster meanwhile.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
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

struct StartOptions {
  int masters = 0;    // how many there shall be: 0: as many as there were; at first 2
  int servers = 0;    // at first 3
  int base_port = 0;  // at first: ports from here on, Thrift and HTTP of each process; 0: any that are free
  std::vector<std::string> master_flags;  // further flags, kept for later starts
  std::vector<std::string> server_flags;
  bool wait = true;  // until all are ready, not only started
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

class Launcher {
 public:
  // Reads the state in the directory, when there is any, and locks it: one launcher at a time changes it. One that
  // waits for a process to be ready lets others work, and goes on from what they left.
  // INVALID_ARGUMENT when the state cannot be read.
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
  std::string DataDir(const std::string& name) const { return dir_ + "/" + name; }
  std::string LogFile(const std::string& name) const { return DataDir(name) + "/output.log"; }
  // What it printed and, where it keeps one, its own newest log.
  std::vector<std::string> LogFiles(const std::string& name) const;
  const std::string& dir() const { return dir_; }

 private:
  class Lock;
  Launcher(LauncherOptions options, std::string dir, std::unique_ptr<Lock> lock, ClusterState state);

  Status Plan(const StartOptions& options);
  Status AddMember(Role role, int number);
  Status ChoosePorts(Member& member) const;
  Status StartMember(Member& member);
  Status AwaitAddress(const Member& member, std::chrono::steady_clock::time_point deadline);
  Status AwaitReady(const Member& member, std::chrono::steady_clock::time_point deadline);
  Status AwaitOne(Member member, bool ready);  // `ready`: that, or only started
  Status WhileOthersWork(const std::function<Status()>& wait);
  Result<std::vector<std::string>> Command(const Member& member) const;
  LaunchContext LaunchContextOf(const Member& member) const;
  std::string Address(const Member& member) const;
  std::string HttpAddress(const Member& member) const;
  bool ZooKeeperAnswers(const Member& member) const;
  Status AskIfReady(const Member& member) const;
  bool AskToEnd(const Member& member);  // false when it does not run
  Status AwaitEnd(const Member& member);
  Status Failed(const Member& member, const std::string& what) const;
  Result<Member*> Find(const std::string& name);
  Result<const Member*> Find(const std::string& name) const;
  ProcessView View(const Member& member) const;
  Status Save() const;
  void Say(const std::string& text) const;

  LauncherOptions options_;
  std::string dir_;  // absolute
  std::unique_ptr<Lock> lock_;
  ClusterState state_;
};

// The last `lines` lines of a file; empty when there is none.
std::string LastLines(const std::string& file, int lines);

}  // namespace ebla::cluster
