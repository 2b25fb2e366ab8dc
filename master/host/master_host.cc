#include "master/host/master_host.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/base/count.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/stubs.h"
#include "idl/types_constants.h"
#include "master/catalog/loader.h"
#include "master/host/service.h"
#include "master/leader/leader_term.h"
#include "master/leader/procedure_list.h"

namespace ebla::master {
namespace {

constexpr Duration kRaiseAgain = std::chrono::seconds(2);
constexpr Duration kLoadRetryDelay = std::chrono::milliseconds(200);
constexpr Duration kRefreshDelay = std::chrono::seconds(2);
constexpr Duration kGuardRetryDelay = std::chrono::seconds(5);

// Stalls without a coordinator; serving tablets continue to serve.
constexpr char kStalls[] =
    "no failover happens, nothing is split, merged, moved, created or dropped, and no server or master can join";

}  // namespace

ControlConnect ConnectOver(rpc::Connector& connector, Executor& executor, Duration timeout) {
  return [&connector, &executor, timeout](const rpc::Endpoint& endpoint) {
    return rpc::MakeControlStub(connector.Connect(endpoint, executor), timeout);
  };
}

Master::Master(MasterOptions options, Executor& executor, coordination::Coordinator& coordinator,
               ControlConnect connect, CommandRunner run_command)
    : options_(std::move(options)),
      executor_(executor),
      coordinator_(coordinator),
      coordinator_watch_(coordinator, executor, kStalls),
      connect_(std::move(connect)),
      run_command_(std::move(run_command)),
      service_(std::make_shared<MasterService>(*this)) {}

Master::~Master() {
  static_cast<MasterService&>(*service_).Detach();
  election_.reset();
  EndLeaderTerm();
  RunWaiting();
}

void Master::Start(rpc::Endpoint endpoint, std::function<void(const Status&)> on_refused) {
  endpoint_ = std::move(endpoint);
  on_refused_ = std::move(on_refused);
  election_ = std::make_unique<coordination::LeaderElection>(
      coordinator_, executor_,
      coordination::Candidate{options_.name, endpoint_, options_.version, idl::g_types_constants.PROTOCOL_VERSION,
                              options_.features->own()},
      if_alive_([this](const coordination::Role& role) { OnRole(role); }));
  RefreshMasters();
}

void Master::Resign(std::function<void()> done) {
  EndLeaderTerm();
  leading_.reset();
  RunWaiting();
  if (!election_) {
    executor_.Post(std::move(done));
    return;
  }
  election_->Resign(std::move(done));
}

LeaderTerm* Master::leader_term() const { return leader_term_ready_ ? leader_term_.get() : nullptr; }

void Master::OnRole(const coordination::Role& role) {
  const auto* leading = std::get_if<coordination::Leading>(&role);
  if (leading && leading_ == *leading) return;
  EndLeaderTerm();
  leading_.reset();
  RunWaiting();
  if (!leading) {
    leader_ = std::get<coordination::Following>(role).leader;
    LOG(INFO) << "standing by; " << (leader_ ? leader_->name + " leads" : std::string("no leader is known"));
    return;
  }
  leading_ = *leading;
  leader_ = coordination::Candidate{options_.name, endpoint_};
  LOG(INFO) << "leading, term " << leading->term;
  Load();
  GuardNodes();
}

// Also closes nodes from before the present secret. No step waits for it.
void Master::GuardNodes() {
  const auto current = [this, term = leading_->term] { return leading_ && leading_->term == term; };
  coordinator_.Guard(if_alive_([this, current](Result<size_t> changed) {
    if (!current() || changed) return;
    LOG(ERROR) << "cannot put the access list on ZooKeeper's nodes, trying again: " << changed.error();
    executor_.After(kGuardRetryDelay, if_alive_([this, current] {
                      if (current()) GuardNodes();
                    }));
  }));
}

void Master::Load() {
  LoadCatalog(
      coordinator_, executor_, *leading_, options_.features->own(),
      if_alive_([this, term = leading_->term](Result<LoadedCatalog> loaded) { OnLoaded(term, std::move(loaded)); }));
}

void Master::OnLoaded(uint64_t term, Result<LoadedCatalog> loaded) {
  const auto current = [this, term] { return leading_ && leading_->term == term; };
  if (!current()) return;
  if (!loaded && loaded.error().code() == Code::kInvalidArgument) ReadCluster();  // may say that it is for good
  if (!loaded) {
    LOG(WARNING) << "cannot read the catalog, trying again: " << loaded.error();
    executor_.After(kLoadRetryDelay, if_alive_([this, current] {
                      if (current()) Load();
                    }));
    return;
  }
  cluster_id_ = loaded->cluster.clusterId;
  leader_term_ = std::make_unique<LeaderTerm>(
      LeaderTerm::Ports{options_, executor_, coordinator_, connect_, run_command_, refusals_, RaiseTerm()}, *leading_,
      std::move(*loaded), if_alive_([this, current] {
        if (current()) EndLeaderTerm();
      }));
  leader_term_->Start(if_alive_([this](Status) {
    leader_term_ready_ = true;
    LOG(INFO) << "catalog read: " << Count(leader_term_->image().tables().size(), "table") << ", "
              << Count(leader_term_->image().tablets().size(), "tablet") << ", "
              << Count(leader_term_->servers().live_count(), "live server");
    RunWaiting();
  }));
}

// Not within the call, because a new term ends the leader term that asks for it. Not again and again for a server that
// claims ever higher terms.
std::function<void(uint64_t)> Master::RaiseTerm() {
  return [this](uint64_t term) {
    executor_.Post(if_alive_([this, term] {
      const MonotonicTime now = executor_.Now();
      if (!election_ || (raised_ && now - *raised_ < kRaiseAgain)) return;
      raised_ = now;
      election_->RaiseAbove(term);
    }));
  };
}

void Master::EndLeaderTerm() {
  leader_term_ready_ = false;
  leader_term_.reset();
}

bool Master::WhenReady(Task task) {
  if (!leading_ || leader_term_ready_ || waiting_.size() >= options_.waiting_requests_max) return false;
  waiting_.push_back(std::move(task));
  return true;
}

void Master::RunWaiting() {
  for (Task& task : std::exchange(waiting_, {})) task();
}

void Master::ListMasters(Task then) {
  coordination::ListCandidates(
      coordinator_,
      if_alive_([this, then = std::move(then)](Result<std::vector<coordination::Candidate>> masters) mutable {
        if (masters) {
          masters_ = std::move(*masters);
          RefuseNamesake();
        }
        then();
      }));
}

void Master::RefreshMasters() {
  ListMasters([this] { executor_.After(kRefreshDelay, if_alive_([this] { RefreshMasters(); })); });
  // A standby learns the cluster's level only from this node.
  const bool knows_level = options_.features->cluster() >= options_.features->own();
  if (cluster_id_.empty() || !knows_level) ReadCluster();
}

void Master::RefuseNamesake() {
  const auto first = std::ranges::find(masters_, options_.name, &coordination::Candidate::name);
  if (first == masters_.end() || first->endpoint == endpoint_) return namesake_since_.reset();
  const MonotonicTime now = executor_.Now();
  if (now - namesake_since_.value_or(now) >= options_.namesake_patience) {
    return Refuse(Error(Code::kInvalidArgument, "another master of the cluster is named \"" + options_.name +
                                                    "\", at " + first->endpoint.ToString() +
                                                    ": give each master a --name of its own"));
  }
  if (!namesake_since_) namesake_since_ = now;
}

void Master::ReadCluster() {
  coordinator_.Get(coordination::layout::kCluster, if_alive_([this](Result<coordination::Node> node) {
                     if (!node) return;
                     auto cluster =
                         coordination::DecodeNode<idl::ClusterNode>(node->data, coordination::layout::kCluster);
                     if (!cluster) return;
                     cluster_id_ = cluster->clusterId;
                     options_.features->Learn(LevelOr1(cluster->featureLevel));
                     Refuse(CheckLevel(options_.features->own(), LevelOr1(cluster->featureLevel)));
                   }),
                   nullptr);
}

// The next candidate leads at once.
void Master::Refuse(const Status& why) {
  if (why.ok() || !on_refused_) return;
  LOG(ERROR) << options_.name << " is refused: " << why.message();
  Resign([why, told = std::exchange(on_refused_, {})] { told(why); });
}

MasterStats Master::Stats() const {
  MasterStats stats;
  stats.leading = leading();
  stats.coordinator_away = coordinator_watch_.away();
  if (leading_) stats.term = leading_->term;
  if (const LeaderTerm* leader_term = this->leader_term()) {
    stats.ready = true;
    stats.tables = leader_term->image().tables().size();
    stats.tablets = leader_term->image().tablets().size();
    stats.servers = leader_term->servers().all().size();
    stats.live_servers = leader_term->servers().reporting_count(executor_.Now() - options_.silent_after);
    stats.unsettled_tablets = leader_term->reconciler().unsettled();
    stats.lacking = leader_term->reconciler().CountLacking();
    stats.procedures = leader_term->runner().size();
    stats.unknown_ids = leader_term->report_handler().unknown_ids();
    stats.copies = leader_term->replication_manager().copies();
    stats.stale_catalog = leader_term->context().stale_catalog.Why().has_value();
    stats.safe_mode = SafeMode(leader_term->context()).value_or("");
    stats.procedures_by_kind = CountProcedures(*leader_term);
    stats.level = leader_term->cluster_level().level();
    stats.level_held = leader_term->cluster_level().held();
    stats.planner_on = leader_term->balance_driver().on().value_or(false);
    stats.planner = leader_term->balance_driver().counts();
  }
  return stats;
}

}  // namespace ebla::master
