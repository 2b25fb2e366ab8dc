#include "master/balancer/autoscaler.h"

#include <glog/logging.h>

namespace ebla::master {
namespace {

// A server whose command succeeded vanishes from the coordinator within its session; otherwise the command runs again.
constexpr Duration kEndPatience = std::chrono::minutes(2);

}  // namespace

bool Autoscaler::Busy(const Action& action) const {
  if (action.kind == ActionKind::kReleaseServer) return running_ || ended_.contains(action.from);
  return action.kind == ActionKind::kAddServer && running_;
}

void Autoscaler::Begin(const Action& action, Done done) {
  const ServerName server = action.from;
  switch (action.kind) {
    case ActionKind::kAddServer: return Run(commands_.out, "--scale_out_command", "", std::move(done));
    case ActionKind::kDrainServer: return action_executor_.drain(server, true, action.reason, std::move(done));
    case ActionKind::kKeepServer: return action_executor_.drain(server, false, action.reason, std::move(done));
    case ActionKind::kReleaseServer:
      return Run(commands_.in, "--scale_in_command", server,
                 if_alive_([this, server, done = std::move(done)](Status status) mutable {
                   if (status.ok()) ended_[server].since = executor_.Now();
                   done(std::move(status));
                 }));
    default: return done(Error(Code::kInternal, "no action on servers"));
  }
}

void Autoscaler::Run(const std::string& command, const char* flag, const ServerName& server, Done done) {
  if (command.empty() || !action_executor_.run)
    return done(Error(Code::kConditionFailed, std::string("this master has no ") + flag));
  running_ = true;
  LOG(INFO) << "running the command of " << flag << (server.empty() ? "" : " for server " + server);
  // Shared: what runs a command may be copied.
  auto told = std::make_shared<Done>(std::move(done));
  action_executor_.run(command, server, if_alive_([this, told, flag](Status status) {
                         running_ = false;
                         LOG_IF(WARNING, !status.ok()) << "the command of " << flag << " failed: " << status;
                         (*told)(std::move(status));
                       }));
}

std::set<ServerName> Autoscaler::Surplus() const {
  std::set<ServerName> surplus;
  for (const auto& [name, server] : servers_.all()) {
    if (server.node && server.node->draining && server.node->surplus) surplus.insert(name);
  }
  return surplus;
}

void Autoscaler::Tick() {
  // A surplus server that has been away for long was ended by an earlier master's command, or died while it was to be.
  for (const ServerName& name : Surplus()) {
    const Server& server = *servers_.Find(name);
    if (!server.live && !ended_.contains(name) && executor_.Now() - server.changed >= kEndPatience)
      ended_[name].since = executor_.Now();
  }
  for (auto item = ended_.begin(); item != ended_.end();) {
    const ServerName name = item->first;
    Ended& ended = item->second;
    const bool late = executor_.Now() - ended.since >= kEndPatience && servers_.IsLive(name);
    LOG_IF(WARNING, late) << "server " << name << " is still live after --scale_in_command: running it again";
    if (late || !servers_.Find(name)) {
      item = ended_.erase(item);
      continue;
    }
    ++item;
    if (servers_.IsLive(name) || ended.forgetting) continue;
    ended.forgetting = true;
    action_executor_.forget(name, if_alive_([this, name](const Status& status) {
                              LOG_IF(WARNING, !status.ok())
                                  << "server " << name << " has ended, but is not removed yet: " << status;
                              const auto found = ended_.find(name);
                              if (found == ended_.end()) return;
                              found->second.forgetting = false;
                              if (status.ok()) ended_.erase(found);
                            }));
  }
}

}  // namespace ebla::master
