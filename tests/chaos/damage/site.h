// tests/chaos/damage/site.h
// The processes of a case below one directory: a standalone, or a master and three tablet servers, whose ZooKeeper is
// another's (trees.h). Each server is started by itself and may refuse to start, which is an answer and no error.
//
//   <dir>/ts-1/ ...          data of each, output.log among it; m-1/ likewise
//   <dir>/standalone/        data of a standalone
//
// Place:      prepared.h makes directories with it, case_run.h runs a case in a copy of one.
// Invariants: only this class's processes are signalled.
// Threads:    one, which must outlive it, because the processes die with it.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ebla/ebla.h"
#include "tests/chaos/damage/cases.h"
#include "tests/integration/test_cluster.h"
#include "tools/cluster/cluster_state.h"
#include "tools/cluster/processes.h"

namespace ebla::chaos {

enum class StartEnd : uint8_t { kReady, kRefused, kNeither };

struct Started {
  StartEnd end = StartEnd::kNeither;
  std::string text;  // printed by the process; or why it is not ready
};

class Site {
 public:
  struct Options {
    Shape shape = Shape::kStandalone;
    std::string dir;
    std::string bin_dir;
    std::string zookeeper;  // with a root; of a standalone none
  };
  explicit Site(Options options);
  ~Site();  // kills what runs
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  std::vector<std::string> servers() const;
  std::string DataDir(const std::string& server) const { return processes_.DataDir(server); }

  // Picks ports that are free. Once, before anything is started.
  Status PickPorts();
  // Has root's processes, too, obey the permissions of files from now on.
  void ObeyPermissions();
  // The master; of a standalone nothing. Does not wait.
  Status StartControl();
  // Does not wait.
  Status Launch(const std::string& server, const std::vector<std::string>& flags);
  // Until it is ready or has ended, or for so long.
  Started Await(const std::string& server, std::chrono::milliseconds limit) const;
  bool Runs(const std::string& name) const;
  // SIGKILL, and waits for its end. OK if it does not run.
  Status Kill(const std::string& name);
  // SIGTERM, and waits.
  Status End(const std::string& name);

  Result<Client> Connect(std::chrono::milliseconds deadline) const;
  testing::Shown Ebla(const std::string& arguments) const;
  // A figure of /metrics; -1: the server does not answer.
  int64_t Figure(const std::string& server, const std::string& name) const;
  // The text that the server's present or last life printed.
  std::string Output(const std::string& server) const;

 private:
  cluster::Member& Find(const std::string& name);
  const cluster::Member& Find(const std::string& name) const;
  Status Spawn(cluster::Member& member, const std::vector<std::string>& flags);
  std::string Masters() const;

  const Options options_;
  std::vector<cluster::Member> members_;
  const cluster::Processes processes_;
  std::vector<std::string> command_prefix_;
  std::map<std::string, uintmax_t> printed_before_;  // bytes of output.log at the last start
};

}  // namespace ebla::chaos
