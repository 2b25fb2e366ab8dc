// master/balancer/autoscaler.h
// Carries out the planner's decisions on the number of servers: an operator's command starts a server, a drain empties
// one, a second command ends it, and then the cluster forgets it.
// Place:      balance_driver.h hands it the planner's actions (balancer/planner/autoscale.h), and asks which servers
//             are surplus.
// Invariants: 1. One command at a time.
//             2. Only servers that autoscale has drained as surplus are released. The server's node holds the mark, so
//                that a successor can continue. A server that an operator drains, too, is emptied and stays.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/base/callback_guard.h"
#include "common/base/executor.h"
#include "common/coordination/coordinator.h"
#include "master/balancer/planner/planner.h"
#include "master/balancer/scale_command.h"
#include "master/cluster/servers.h"

namespace ebla::master {

class Autoscaler {
 public:
  using Done = coordination::Callback<Status>;
  struct ActionExecutor {
    CommandRunner run;  // empty: no command can be run here
    std::function<void(const ServerName&, bool draining, const std::string& reason, Done)> drain;
    std::function<void(const ServerName&, Done)> forget;  // refused while the server lives
  };
  struct Commands {
    std::string out;
    std::string in;
  };
  // `executor` and `servers` outlive this.
  Autoscaler(Executor& executor, const Servers& servers, Commands commands, ActionExecutor action_executor)
      : executor_(executor),
        servers_(servers),
        commands_(std::move(commands)),
        action_executor_(std::move(action_executor)) {}

  // A command is running, or the action's server has just been ended: it is no time for it.
  bool Busy(const Action& action) const;
  // The action is one of the planner's on servers; `done` when it is over, for people.
  void Begin(const Action& action, Done done);
  // Once in each pass: forgets the servers that were ended, also by an earlier master.
  void Tick();
  std::set<ServerName> Surplus() const;

 private:
  void Run(const std::string& command, const char* flag, const ServerName& server, Done done);

  Executor& executor_;
  const Servers& servers_;
  const Commands commands_;
  const ActionExecutor action_executor_;
  bool running_ = false;
  struct Ended {
    MonotonicTime since;
    bool forgetting = false;
  };
  std::map<ServerName, Ended> ended_;  // by the command, and not forgotten yet
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
