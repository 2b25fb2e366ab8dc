#include <glog/logging.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "master/leader/leader_term.h"

namespace ebla::master {
namespace {

// How long the planner waits for what it has begun before it plans for the tablet again. A move that is slower goes on.
constexpr Duration kSplitPatience = std::chrono::seconds(30);
constexpr Duration kMergePatience = std::chrono::seconds(30);
constexpr Duration kTransferPatience = std::chrono::seconds(10);
constexpr Duration kMovePatience = std::chrono::hours(24);

}  // namespace

using coordination::Op;

namespace {
constexpr Duration kRereadDelay = std::chrono::milliseconds(200);
constexpr int kServerNodeTries = 5;

// An operator's drain of a server that autoscale drains already keeps it.
void Drain(bool draining, bool surplus, const std::string& reason, int64_t now_ms, idl::ServerNode& node) {
  if (!draining) {
    node.drainSinceMs = 0;
  } else if (!node.draining) {
    node.drainSinceMs = now_ms;
  }
  node.draining = draining;
  node.surplus = draining && surplus;
  node.drainReason = node.surplus ? reason.substr(0, kReasonBytesMax) : "";
}
}  // namespace

Status LeaderTerm::CheckRemoval(const ServerName& name) const {
  const Server* server = servers_.Find(name);
  if (!server || !(server->node || server->last_live)) return Error(Code::kNotFound, "there is no server " + name);
  if (server->live) {
    return Error(Code::kConditionFailed,
                 "server " + name + " lives: end it first, and its replicas are made elsewhere");
  }
  const size_t held = image().HeldBy(name).size();
  if (held == 0) return {};
  return Error(
      Code::kConditionFailed,
      "server " + name + " still has " + std::to_string(held) + " replicas: once it has been away for " +
          std::to_string(std::chrono::duration_cast<std::chrono::seconds>(ports_.options.replace_after).count()) +
          " s they are made elsewhere, where enough servers live. Tablets that have lost their majority need " +
          "`ebla tablet recover` (`ebla tablet list --lost` shows them); where too few servers are left for a " +
          "table's replicas, lower them with `ebla table alter`");
}

void LeaderTerm::RemoveServer(const ServerName& name, Done done) {
  if (Crowded(done)) return;
  if (Status status = CheckRemoval(name); !status.ok()) return done(std::move(status));
  namespace layout = coordination::layout;
  // Made and deleted again: fails where the server has come to live meanwhile.
  std::vector<Op> ops = {Op::Check(layout::kTerm, leading_.term_version), Op::Create(layout::LivePath(name), ""),
                         Op::Delete(layout::LivePath(name), coordination::kAnyVersion),
                         Op::Delete(layout::ServerPath(name), coordination::kAnyVersion)};
  const uint64_t id = next_request_++;
  Request& request = requests_[id];
  request.done = std::move(done);
  request.decided = true;
  ports_.coordinator.Multi(std::move(ops), if_alive_([this, name, id](auto outcome) {
                             if (!outcome) {
                               Reread(name);
                               return Answer(id, std::move(outcome.error().status));
                             }
                             LOG(WARNING) << "server " << name << " is removed for good, as an operator asked";
                             Forget(name);
                             Answer(id, {});
                           }));
}

void LeaderTerm::Forget(const ServerName& name) {
  servers_.Forget(name);
  if (!servers_.IsLive(name)) stale_catalog_.Forget(name);
}

// What a change whose outcome is unknown has made of the server's node, or what somebody else has.
void LeaderTerm::Reread(const ServerName& name) {
  namespace layout = coordination::layout;
  ports_.coordinator.Get(layout::ServerPath(name), if_alive_([this, name](Result<coordination::Node> read) {
                           if (!read) {
                             if (read.error().code() == Code::kNotFound) return Forget(name);
                             ports_.executor.After(kRereadDelay, if_alive_([this, name] { Reread(name); }));
                             return;
                           }
                           auto node = coordination::DecodeNode<idl::ServerNode>(read->data, layout::ServerPath(name));
                           if (node) {
                             servers_.SetNode(std::move(*node));
                           } else {
                             LOG(ERROR) << node.error();
                           }
                         }),
                         nullptr);
}

// What is being set to drain drains already: of two at once each might find its place on the other.
Status LeaderTerm::MayDrain(const ServerName& name) const {
  ClusterView view = ViewCluster(image(), servers_);
  for (PlannedServer& server : view.servers) server.draining = server.draining || to_drain_.contains(server.name);
  return CheckDrain(image(), std::move(view), name);
}

void LeaderTerm::SetServer(const ServerName& name, ServerChange wanted, Done done) {
  if (Crowded(done)) return;
  const Server* server = servers_.Find(name);
  if (!server || !(server->node || server->last_live))
    return done(Error(Code::kNotFound, "there is no server " + name));
  const bool drain = wanted.draining.value_or(false);
  if (drain && !(server->node && server->node->draining)) {
    if (Status status = MayDrain(name); !status.ok()) return done(std::move(status));
    to_drain_.insert(name);
    done = [this, name, done = std::move(done)](Status status) mutable {
      to_drain_.erase(to_drain_.find(name));
      done(std::move(status));
    };
  }
  const uint64_t id = next_request_++;
  Request& request = requests_[id];
  request.done = std::move(done);
  request.decided = true;
  WriteServer(id, name, std::move(wanted), kServerNodeTries);
}

// The server writes this node too, when it starts and with every checkpoint: then it is read once more.
void LeaderTerm::WriteServer(uint64_t id, const ServerName& name, ServerChange wanted, int tries) {
  namespace layout = coordination::layout;
  ports_.coordinator.Get(
      layout::ServerPath(name),
      if_alive_([this, id, name, wanted = std::move(wanted), tries](Result<coordination::Node> read) {
        if (!read) return Answer(id, std::move(read.error()));
        auto node = coordination::DecodeNode<idl::ServerNode>(read->data, layout::ServerPath(name));
        if (!node) return Answer(id, std::move(node.error()));
        if (wanted.draining.value_or(false) && !node->draining) {  // again: servers may have gone meanwhile
          if (Status status = MayDrain(name); !status.ok()) return Answer(id, std::move(status));
        }
        if (wanted.draining)
          Drain(*wanted.draining, wanted.surplus, wanted.reason, ports_.executor.TimeOfDayMs(), *node);
        if (wanted.maintenance) node->maintenance = *wanted.maintenance;
        std::vector<Op> ops = {Op::Check(layout::kTerm, leading_.term_version),
                               Op::Set(layout::ServerPath(name), coordination::EncodeNode(*node), read->version)};
        ports_.coordinator.Multi(std::move(ops), if_alive_([this, id, wanted, tries, node = *node](auto outcome) {
                                   if (!outcome) {
                                     const bool changed = outcome.error().failed_op == 1 &&
                                                          outcome.error().status.code() == Code::kConditionFailed;
                                     if (changed && tries > 1) return WriteServer(id, node.name, wanted, tries - 1);
                                     Reread(node.name);
                                     return Answer(id, std::move(outcome.error().status));
                                   }
                                   LOG(INFO)
                                       << "server " << node.name << (node.draining ? " drains" : " does not drain")
                                       << (node.surplus ? ", as it is one too many" : "")
                                       << (node.maintenance ? ", under maintenance" : "");
                                   servers_.SetNode(node);
                                   replication_manager_.Wake();
                                   Answer(id, {});
                                 }));
      }),
      nullptr);
}

void LeaderTerm::Move(WantedMove move, Duration patience, Done done) {
  move.origin = {idl::AskedBy::OPERATOR, "", ports_.executor.TimeOfDayMs()};
  Request request;
  request.done = std::move(done);
  request.decide = [this, move](const Image& image) -> Result<Change> {
    EBLA_TRY(CheckMove(image, servers_, move));
    return PutMoves(image, {move});
  };
  request.procedure = MoveTabletName(move);
  request.start = [this, move] { StartMove(move); };
  if (Status status = CheckMove(image(), servers_, move); !status.ok()) return request.done(std::move(status));
  balance_driver_.Hold(move.tablet, ports_.executor.Now() + ports_.options.transfer_hold);
  Submit(std::move(request), patience);
}

void LeaderTerm::StartMove(const WantedMove& move) {
  runner_.Start(MoveTabletName(move), std::make_unique<MoveTablet>(context_, move));
  replication_manager_.Wake();
}

void LeaderTerm::CancelMove(TabletId tablet, Duration patience, Done done) {
  if (Status status = CheckCancel(image(), tablet); !status.ok()) return done(std::move(status));
  Request request;
  request.done = std::move(done);
  request.decide = [tablet](const Image& image) -> Result<Change> {
    EBLA_TRY(CheckCancel(image, tablet));
    return CancelMoves(image, {tablet});
  };
  request.procedure = "";  // over with the commit
  request.start = [this, tablet] { runner_.PokeAll(MovesOfTablet(tablet)); };
  Submit(std::move(request), patience);
}

// Not tried again where it cannot begin: the planner will see.
void LeaderTerm::MoveByPlan(WantedMove move, Done done) {
  move.origin.by = idl::AskedBy::PLANNER;
  move.origin.since_ms = ports_.executor.TimeOfDayMs();
  catalog_.Commit(
      [this, move](const Image& image) -> Result<Change> {
        EBLA_TRY(CheckMove(image, servers_, move));
        return PutMoves(image, {move});
      },
      if_alive_([this, move, done = std::move(done)](Status status) mutable {
        if (!status.ok()) return done(std::move(status));
        StartMove(move);
        runner_.Await(MoveTabletName(move), kMovePatience, std::move(done));
      }));
}

BalanceDriver::ActionExecutor LeaderTerm::MakeActionExecutor() {
  BalanceDriver::ActionExecutor action_executor;
  action_executor.ready = [this] {
    const auto why = SafeMode();
    return why ? Status(Error(Code::kUnavailable, "nothing is changed in safe mode: " + *why)) : AllReported();
  };
  action_executor.split = [this](TabletId tablet, const std::string& key, const std::string& reason, Done done) {
    Split(tablet, key, {idl::AskedBy::PLANNER, reason}, kSplitPatience, std::move(done));
  };
  action_executor.merge = [this](const Neighbours& two, const std::string& reason, Done done) {
    SubmitMerge(two, {idl::AskedBy::PLANNER, reason}, kMergePatience, std::move(done));
  };
  action_executor.transfer = [this](TabletId tablet, const ServerName& to, Done done) {
    SubmitTransfer(tablet, to, kTransferPatience, std::move(done));
  };
  action_executor.move = [this](const WantedMove& move, Done done) { MoveByPlan(move, std::move(done)); };
  action_executor.servers.run = ports_.run_command;
  action_executor.servers.drain = [this](const ServerName& server, bool draining, const std::string& reason,
                                         Done done) {
    SetServer(server, {.draining = draining, .maintenance = std::nullopt, .surplus = draining, .reason = reason},
              std::move(done));
  };
  action_executor.servers.forget = [this](const ServerName& server, Done done) {
    RemoveServer(server, std::move(done));
  };
  return action_executor;
}

void LeaderTerm::SwitchPlanner(bool on, Done done) {
  const uint64_t id = next_request_++;
  Request& request = requests_[id];
  request.done = std::move(done);
  request.decided = true;
  balance_driver_.power().Set(on, if_alive_([this, id](Status status) { Answer(id, std::move(status)); }));
}

}  // namespace ebla::master
