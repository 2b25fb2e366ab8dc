// tests/integration/test_cluster.h
// A real cluster for a test: ZooKeeper, two masters and three tablet servers of this build, below a separate directory
// that is deleted at the end, even if the test crashes.
// Threads: thread-compatible; the thread that makes it must outlive it, because the processes die with that thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "common/testing/eventually.h"
#include "ebla/ebla.h"
#include "tools/cluster/launcher.h"

namespace ebla::testing {

struct TestClusterOptions {
  int masters = 2;
  int servers = 3;
  std::vector<std::string> master_flags;
  std::vector<std::string> server_flags;
  std::string tls_dir;  // of clients and of the shell; empty: no TLS
  std::chrono::milliseconds stop_timeout{15'000};
  // Called with the directory below which each process gets its own, by its name, before any is started.
  std::function<Status(const std::string& dir)> prepare;
  // Called with the same, when all have ended and before it is removed.
  std::function<void(const std::string& dir)> clear;
  std::function<cluster::LaunchContext(const std::string& name)> launch_context;  // as the launcher takes it
  // Other launchers start processes, too, as a master's scale commands do. They have the directory from each Release()
  // until launcher(). ebla-cluster ends their processes once the test's process is gone.
  bool shared = false;
};

// How a command ended, and what it printed on both of its streams.
struct Shown {
  int code = -1;  // -1: it could not be run, or did not exit
  std::string text;
  friend std::ostream& operator<<(std::ostream& out, const Shown& shown) {
    return out << "exit code " << shown.code << ": " << shown.text;
  }
};
// Runs a command of the shell (sh).
Shown RunCommand(const std::string& command);
// A figure without labels of the process that serves HTTP at this port of 127.0.0.1; -1: it tells none.
int64_t Figure(uint16_t http_port, const std::string& name);

class TestCluster {
 public:
  static Result<std::unique_ptr<TestCluster>> Start(TestClusterOptions options = {});
  ~TestCluster();

  // For a shared cluster: waits for the present launcher.
  cluster::Launcher& launcher();
  void Release();
  Result<Client> Connect(std::chrono::milliseconds deadline = std::chrono::seconds(10));
  // "h:p,h:p", for EBLA_MASTERS.
  std::string Masters() const { return masters_; }
  // Waits until a master leads, and returns its name ("m-2"), or that of a standby.
  Result<std::string> LeadingMaster();
  Result<std::string> StandbyMaster();
  // `ebla ARGUMENTS`, as the operator of this cluster runs it in a terminal.
  // `environment`: "NAME=VALUE " before it.
  Shown Ebla(const std::string& arguments, const std::string& environment = "") const {
    return Run(Program(), arguments, environment);
  }
  // The same of another build's shell.
  Shown Run(const std::string& program, const std::string& arguments, const std::string& environment = "") const;
  std::string Program() const;  // ebla's
  std::string GatewayProgram() const;
  const std::string& dir() const { return dir_; }

 private:
  TestCluster(std::string dir, const TestClusterOptions& options);
  Status Open(bool stop_at_end);
  Status SetWarden() const;

  const std::string dir_;
  const bool shared_;
  const std::string tls_dir_;
  cluster::LauncherOptions launching_;
  std::vector<std::string> master_addresses_;
  std::string masters_;
  std::function<void(const std::string& dir)> clear_;
  std::unique_ptr<cluster::Launcher> launcher_;
};

}  // namespace ebla::testing
