#include "master/leader/server_admin.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/count.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/idl_convert.h"
#include "master/cluster/options.h"
#include "master/procedures/move_tablet.h"

namespace ebla::master {
namespace {

using coordination::Op;
namespace layout = coordination::layout;

constexpr Duration kRereadDelay = std::chrono::milliseconds(200);
constexpr int kServerNodeTries = 5;

// An operator's drain of a server that autoscale drains already keeps it.
void SetDraining(bool draining, bool surplus, const std::string& reason, int64_t now_ms, idl::ServerNode& node) {
  if (!draining) {
    node.drainSinceMs = 0;
  } else if (!node.draining) {
    node.drainSinceMs = now_ms;
  }
  node.draining = draining;
  node.surplus = draining && surplus;
  node.drainReason = node.surplus ? reason.substr(0, kReasonBytesMax) : "";
}

struct Scrubs {
  std::vector<idl::ScrubAnswer> servers;
  ServerAdmin::ScrubDone done;
  ~Scrubs() { done(std::move(servers)); }
};

}  // namespace

Status ServerAdmin::CheckRemoval(const ServerName& name) const {
  const Server* server = parts_.servers().Find(name);
  if (!server || !(server->node || server->last_live)) return NoServer(name);
  if (server->live) {
    return Error(Code::kConditionFailed,
                 "server " + name + " is live: drain it (`ebla server drain`), end its process, then remove it");
  }
  const size_t held = parts_.image().HeldBy(name).size();
  if (held == 0) return {};
  const auto replace_after =
      std::chrono::duration_cast<std::chrono::seconds>(parts_.context.options.replace_after).count();
  return Error(
      Code::kConditionFailed,
      "server " + name + " still has " + Count(held, "replica") + ". Once it has been away for " +
          std::to_string(replace_after) + " s they are made again elsewhere, if enough servers are live. " +
          "Tablets that have lost their majority need `ebla tablet recover` (`ebla tablet list --lost` shows " +
          "them). If too few servers are left for a table's replicas, lower their number with " + "`ebla table alter`");
}

void ServerAdmin::Remove(const ServerName& name, Done done) {
  if (parts_.requests.Crowded(done)) return;
  if (Status status = CheckRemoval(name); !status.ok()) return done(std::move(status));
  // Made and deleted again: fails where the server has come to live meanwhile.
  std::vector<Op> ops = {Op::Check(layout::kTerm, parts_.leading.term_version), Op::Create(layout::LivePath(name), ""),
                         Op::Delete(layout::LivePath(name), coordination::kAnyVersion),
                         Op::Delete(layout::ServerPath(name), coordination::kAnyVersion)};
  const Answer answer = parts_.requests.Track(std::move(done));
  parts_.coordinator.Multi(std::move(ops), if_alive_([this, name, answer](auto outcome) {
                             if (!outcome) {
                               Reread(name);
                               return answer(std::move(outcome.error().status));
                             }
                             LOG(WARNING) << "server " << name << " is removed for good, as an operator asked";
                             Forget(name);
                             answer({});
                           }));
}

void ServerAdmin::Scrub(const ServerName& name, ScrubDone done) {
  if (!name.empty() && !parts_.servers().Find(name)) return done(NoServer(name));
  std::vector<ServerName> asked;
  for (const auto& [server, state] : parts_.servers().all()) {
    if (name.empty() ? state.live.has_value() : server == name) asked.push_back(server);
  }
  auto all = std::make_shared<Scrubs>();  // shared by the replies: the last one answers
  all->done = std::move(done);
  all->servers.resize(asked.size());
  for (size_t i = 0; i < asked.size(); ++i) {
    all->servers[i].server = asked[i];
    parts_.context.tablet_server_client.Scrub(asked[i], [all, i](const Status& status) {
      all->servers[i].code = rpc::ToIdl(status.code());
      all->servers[i].message = status.message();
    });
  }
}

void ServerAdmin::AcceptClock(const ServerName& name, Done done) {
  if (!parts_.servers().Find(name)) return done(NoServer(name));
  parts_.context.tablet_server_client.AcceptClock(name, std::move(done));
}

void ServerAdmin::Forget(const ServerName& name) {
  parts_.context.servers.Forget(name);
  if (!parts_.servers().IsLive(name)) parts_.stale_catalog.Forget(name);
}

// Reads the server's node again after a change whose outcome is unknown, or a concurrent one.
void ServerAdmin::Reread(const ServerName& name) {
  parts_.coordinator.Get(layout::ServerPath(name), if_alive_([this, name](Result<coordination::Node> read) {
                           if (!read) {
                             if (read.error().code() == Code::kNotFound) return Forget(name);
                             parts_.context.executor.After(kRereadDelay, if_alive_([this, name] { Reread(name); }));
                             return;
                           }
                           auto node = coordination::DecodeNode<idl::ServerNode>(read->data, layout::ServerPath(name));
                           if (node) {
                             parts_.context.servers.SetNode(std::move(*node));
                           } else {
                             LOG(ERROR) << node.error();
                           }
                         }),
                         nullptr);
}

// A server that is about to drain counts as draining. Otherwise two concurrent drains might each plan to use the other
// server.
Status ServerAdmin::MayDrain(const ServerName& name) const {
  ClusterView view = ViewCluster(parts_.image(), parts_.servers());
  for (PlannedServer& server : view.servers) server.draining = server.draining || to_drain_.contains(server.name);
  return CheckDrain(parts_.image(), std::move(view), name);
}

void ServerAdmin::Set(const ServerName& name, Change change, Done done) {
  if (parts_.requests.Crowded(done)) return;
  const Server* server = parts_.servers().Find(name);
  if (!server || !(server->node || server->last_live)) {
    return done(NoServer(name));
  }
  const bool drain = change.draining.value_or(false);
  if (drain && !(server->node && server->node->draining)) {
    if (Status status = MayDrain(name); !status.ok()) return done(std::move(status));
    to_drain_.insert(name);
    done = [this, name, done = std::move(done)](Status status) mutable {
      to_drain_.erase(to_drain_.find(name));
      done(std::move(status));
    };
  }
  Write(name, change, kServerNodeTries, parts_.requests.Track(std::move(done)));
}

// The server writes this node too, when it starts and with every checkpoint: then it is read once more.
void ServerAdmin::Write(const ServerName& name, const Change& wanted, int tries, const Answer& answer) {
  parts_.coordinator.Get(layout::ServerPath(name),
                         if_alive_([this, name, wanted, tries, answer](Result<coordination::Node> read) {
                           OnRead(read, name, wanted, tries, answer);
                         }),
                         nullptr);
}

void ServerAdmin::OnRead(const Result<coordination::Node>& read, const ServerName& name, const Change& wanted,
                         int tries, const Answer& answer) {
  if (!read) return answer(read.error());
  auto node = coordination::DecodeNode<idl::ServerNode>(read->data, layout::ServerPath(name));
  if (!node) return answer(node.error());
  if (wanted.draining.value_or(false) && !node->draining) {  // again: servers may have gone meanwhile
    if (Status status = MayDrain(name); !status.ok()) return answer(std::move(status));
  }
  if (wanted.draining) {
    SetDraining(*wanted.draining, wanted.surplus, wanted.reason, parts_.context.executor.TimeOfDayMs(), *node);
  }
  if (wanted.maintenance) node->maintenance = *wanted.maintenance;
  std::vector<Op> ops = {Op::Check(layout::kTerm, parts_.leading.term_version),
                         Op::Set(layout::ServerPath(name), coordination::EncodeNode(*node), read->version)};
  parts_.coordinator.Multi(std::move(ops), if_alive_([this, wanted, tries, answer, node = *node](auto outcome) {
                             if (!outcome) {
                               const bool changed = outcome.error().failed_op == 1 &&
                                                    outcome.error().status.code() == Code::kConditionFailed;
                               if (changed && tries > 1) return Write(node.name, wanted, tries - 1, answer);
                               Reread(node.name);
                               return answer(std::move(outcome.error().status));
                             }
                             LOG(INFO) << "server " << node.name << (node.draining ? " drains" : " does not drain")
                                       << (node.surplus ? ", as it is one too many" : "")
                                       << (node.maintenance ? ", under maintenance" : "");
                             parts_.context.servers.SetNode(node);
                             parts_.replication_manager.Wake();
                             answer({});
                           }));
}

void ServerAdmin::EndDrain(const ServerName& server, Change change, Duration patience, Done done) {
  change.draining = false;
  Set(server, std::move(change), [this, server, patience, done = std::move(done)](Status status) mutable {
    if (!status.ok()) return done(std::move(status));  // also where the term has ended meanwhile
    EndMovesOf(server, patience, std::move(done));
  });
}

void ServerAdmin::EndMovesOf(const ServerName& server, Duration patience, Done done) {
  RequestQueue::Request request;
  request.done = std::move(done);
  request.decide = [server](const Image& image) -> Result<master::Change> {
    std::vector<TabletId> ended;
    for (const TabletId id : image.HeldBy(server)) {
      const TabletEntry& tablet = *image.Tablet(id);
      const idl::MoveIntent& move = tablet.node.move;
      const bool its = tablet.node.__isset.move && move.fromServer == server && move.askedBy == idl::AskedBy::DRAIN;
      if (its && CheckCancel(image, id).ok()) ended.push_back(id);
    }
    return CancelMoves(image, ended);
  };
  request.start = [] {};
  parts_.requests.Submit(std::move(request), patience);
}

}  // namespace ebla::master
