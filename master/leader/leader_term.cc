#include "master/leader/leader_term.h"

#include <glog/logging.h>

#include <algorithm>
#include <memory>

#include "common/base/key_range.h"
#include "common/base/number_limits.h"
#include "master/cluster/report_check.h"

namespace ebla::master {
namespace {

// How long the planner waits for what it has begun before it plans for the tablet again. A slower move continues.
constexpr Duration kSplitPatience = std::chrono::seconds(30);
constexpr Duration kMergePatience = std::chrono::seconds(30);
constexpr Duration kTransferPatience = std::chrono::seconds(10);
constexpr Duration kMovePatience = std::chrono::hours(24);

}  // namespace

LeaderTerm::LeaderTerm(Ports ports, coordination::Leading term, LoadedCatalog loaded, std::function<void()> on_deposed)
    : ports_(std::move(ports)),
      leading_(term),
      cluster_id_(loaded.cluster.clusterId),
      catalog_(ports_.coordinator, ports_.executor, term, std::move(loaded.image), std::move(on_deposed)),
      servers_(ports_.coordinator, ports_.executor,
               [this](const ServerName& server) { report_handler_.OnServerChange(server); }),
      known_servers_(std::move(loaded.servers)),
      tablet_server_client_(ports_.executor, servers_, ports_.connect, {cluster_id_, term.term, ports_.options.boot}),
      context_{ports_.options,        ports_.executor, catalog_,       servers_,
               tablet_server_client_, stale_catalog_,  ports_.refusals},
      reconciler_(context_,
                  [this](const std::vector<TabletId>& tablets) { report_handler_.OnTabletsChanged(tablets); }),
      replication_manager_(context_, reconciler_, [this] { return !SafeMode(context_); }),
      runner_(ports_.executor),
      balance_driver_(context_, reconciler_, ports_.coordinator, term, MakeActionExecutor()),
      requests_(context_, runner_),
      table_admin_(Parts()),
      tablet_admin_(Parts()),
      server_admin_(Parts()),
      access_admin_(Parts()),
      cluster_level_(Parts(), std::move(loaded.cluster), loaded.cluster_version),
      report_handler_(Parts(), table_admin_) {}

LeaderTerm::~LeaderTerm() { requests_.Cut(); }

TermParts LeaderTerm::Parts() {
  return {context_, ports_.coordinator, leading_, stale_catalog_, reconciler_, replication_manager_,
          runner_,  balance_driver_,    requests_};
}

void LeaderTerm::Start(Done done) {
  servers_.Start(std::move(known_servers_), if_alive_([this, done = std::move(done)](Status status) mutable {
                   report_handler_.Begin();
                   table_admin_.Resume();
                   tablet_admin_.Resume();
                   for (const auto& [name, server] : servers_.all()) reconciler_.ConsiderServer(name);
                   replication_manager_.Start();
                   balance_driver_.Start();
                   done(std::move(status));
                 }));
}

Status LeaderTerm::Heartbeat(idl::HeartbeatRequest heartbeat) {
  if (heartbeat.clusterId != cluster_id_) {
    return Error(Code::kInvalidArgument, "server " + heartbeat.server + " belongs to cluster " +
                                             EscapeBytes(heartbeat.clusterId) + ", this is cluster " + cluster_id_);
  }
  const ServerName server = heartbeat.server;
  const auto refuse = [&](Status why) { return context_.refusals.Refuse(server, std::move(why)); };
  const Status believable = CheckReport(heartbeat, limits::LatestTime(ports_.executor.TimeOfDayMs()));
  if (!believable.ok()) return refuse(believable);
  const auto present = static_cast<int64_t>(term());
  if (!limits::IsWithin(heartbeat.seenTerm, std::min(limits::kEpochMax, present + limits::kTermLeapMax))) {
    return refuse(Error(Code::kInvalidArgument, "term " + std::to_string(heartbeat.seenTerm) +
                                                    " is further beyond this one, " + std::to_string(present) +
                                                    ", than masters come"));
  }
  if (heartbeat.seenTerm > present) {
    LOG_EVERY_N(WARNING, 10) << "server " << server << " knows of term " << heartbeat.seenTerm << ", this one is "
                             << term() << ": was the coordinator restored from an older state?";
    ports_.raise_term(static_cast<uint64_t>(heartbeat.seenTerm));
  }
  // A build that knows levels refuses itself when it registers.
  if (const Status fits = CheckLevel(LevelOr1(heartbeat.featureLevel), cluster_level_.level()); !fits.ok())
    return refuse(fits);
  EBLA_TRY(servers_.Record(std::move(heartbeat)));
  report_handler_.Consider(server);
  cluster_level_.Consider();
  return {};
}

void LeaderTerm::Adopt(std::vector<ServerName> without, Duration patience, Done done) {
  // The last reports may hold nothing unknown any more.
  auto on_adopted = [this, without] {
    ports_.executor.Post(if_alive_([this, without] { report_handler_.ConsiderAll(without); }));
  };
  runner_.Start(kAdoptName, std::make_unique<AdoptCluster>(context_, std::move(without),
                                                           ports_.executor.Now() + patience, std::move(on_adopted)));
  runner_.Await(kAdoptName, patience, std::move(done));
}

BalanceDriver::ActionExecutor LeaderTerm::MakeActionExecutor() {
  const auto planner = [](const std::string& reason) { return RequestOrigin{idl::AskedBy::PLANNER, reason}; };
  BalanceDriver::ActionExecutor executor;
  executor.ready = [this] {
    const auto why = SafeMode(context_);
    return why ? Status(Error(Code::kUnavailable, "nothing is changed in safe mode: " + *why)) : AllReported(context_);
  };
  executor.split = [this, planner](TabletId tablet, const std::string& key, const std::string& reason, Done done) {
    tablet_admin_.Split(tablet, key, planner(reason), kSplitPatience, std::move(done));
  };
  executor.merge = [this, planner](const Neighbours& two, const std::string& reason, Done done) {
    tablet_admin_.Merge(two, planner(reason), kMergePatience, std::move(done));
  };
  executor.transfer = [this, planner](TabletId tablet, const ServerName& to, Done done) {
    tablet_admin_.Transfer(tablet, to, planner(""), kTransferPatience, std::move(done));
  };
  executor.move = [this](const WantedMove& move, Done done) {
    tablet_admin_.MoveByPlan(move, kMovePatience, std::move(done));
  };
  executor.servers.run = ports_.run_command;
  executor.servers.drain = [this](const ServerName& server, bool draining, const std::string& reason, Done done) {
    server_admin_.Set(server,
                      {.draining = draining, .maintenance = std::nullopt, .surplus = draining, .reason = reason},
                      std::move(done));
  };
  executor.servers.forget = [this](const ServerName& server, Done done) {
    server_admin_.Remove(server, std::move(done));
  };
  return executor;
}

void LeaderTerm::SwitchPlanner(bool on, Done done) {
  balance_driver_.power().Set(on, requests_.Track(std::move(done)));
}

}  // namespace ebla::master
