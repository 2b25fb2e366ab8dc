#include "master/host/master_host.h"

#include <glog/logging.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/stubs.h"
#include "master/catalog/loader.h"
#include "master/host/service.h"
#include "master/leader/reign.h"

namespace ebla::master {
namespace {

constexpr Duration kLoadRetryDelay = std::chrono::milliseconds(200);
constexpr Duration kRefreshDelay = std::chrono::seconds(2);

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
      connect_(std::move(connect)),
      run_command_(std::move(run_command)),
      service_(std::make_shared<MasterService>(*this)) {}

Master::~Master() {
  static_cast<MasterService&>(*service_).Detach();
  election_.reset();
  EndReign();
  RunWaiting();
}

void Master::Start(rpc::Endpoint endpoint) {
  endpoint_ = std::move(endpoint);
  election_ = std::make_unique<coordination::LeaderElection>(
      coordinator_, executor_, coordination::Candidate{options_.name, endpoint_},
      guard_([this](const coordination::Role& role) { OnRole(role); }));
  RefreshMasters();
}

void Master::Resign(std::function<void()> done) {
  EndReign();
  leading_.reset();
  RunWaiting();
  if (!election_) {
    executor_.Post(std::move(done));
    return;
  }
  election_->Resign(std::move(done));
}

Reign* Master::reign() const { return reign_ready_ ? reign_.get() : nullptr; }

void Master::OnRole(const coordination::Role& role) {
  const auto* leading = std::get_if<coordination::Leading>(&role);
  if (leading && leading_ == *leading) return;
  EndReign();
  leading_.reset();
  RunWaiting();
  if (!leading) {
    leader_ = std::get<coordination::Following>(role).leader;
    LOG(INFO) << "standing by; " << (leader_ ? leader_->name + " leads" : std::string("nobody is known to lead"));
    return;
  }
  leading_ = *leading;
  leader_ = coordination::Candidate{options_.name, endpoint_};
  LOG(INFO) << "leading, term " << leading->term;
  Load();
}

void Master::Load() {
  LoadCatalog(coordinator_, executor_, *leading_, guard_([this, term = leading_->term](Result<LoadedCatalog> loaded) {
                OnLoaded(term, std::move(loaded));
              }));
}

void Master::OnLoaded(uint64_t term, Result<LoadedCatalog> loaded) {
  const auto current = [this, term] { return leading_ && leading_->term == term; };
  if (!current()) return;
  if (!loaded) {
    LOG(WARNING) << "cannot read the catalog, trying again: " << loaded.error();
    executor_.After(kLoadRetryDelay, guard_([this, current] {
                      if (current()) Load();
                    }));
    return;
  }
  cluster_id_ = loaded->cluster_id;
  reign_ = std::make_unique<Reign>(Reign::Ports{options_, executor_, coordinator_, connect_, run_command_, RaiseTerm()},
                                   *leading_, std::move(*loaded), guard_([this, current] {
                                     if (current()) EndReign();
                                   }));
  reign_->Start(guard_([this](Status) {
    reign_ready_ = true;
    LOG(INFO) << "catalog read: " << reign_->image().tables().size() << " tables, " << reign_->image().tablets().size()
              << " tablets, " << reign_->servers().live_count() << " live servers";
    RunWaiting();
  }));
}

// Not within the call: a new term ends the reign that asks for it.
std::function<void(uint64_t)> Master::RaiseTerm() {
  return [this](uint64_t term) {
    executor_.Post(guard_([this, term] {
      if (election_) election_->RaiseAbove(term);
    }));
  };
}

void Master::EndReign() {
  reign_ready_ = false;
  reign_.reset();
}

bool Master::WhenReady(Task task) {
  if (!leading_ || reign_ready_ || waiting_.size() >= options_.waiting_requests_max) return false;
  waiting_.push_back(std::move(task));
  return true;
}

void Master::RunWaiting() {
  for (Task& task : std::exchange(waiting_, {})) task();
}

void Master::RefreshMasters() {
  coordination::ListCandidates(coordinator_, guard_([this](Result<std::vector<coordination::Candidate>> masters) {
                                 if (masters) masters_ = std::move(*masters);
                                 executor_.After(kRefreshDelay, guard_([this] { RefreshMasters(); }));
                               }));
  if (!cluster_id_.empty()) return;
  coordinator_.Get(coordination::layout::kCluster, guard_([this](Result<coordination::Node> node) {
                     if (!node) return;
                     auto cluster =
                         coordination::DecodeNode<idl::ClusterNode>(node->data, coordination::layout::kCluster);
                     if (cluster) cluster_id_ = cluster->clusterId;
                   }),
                   nullptr);
}

MasterStats Master::Stats() const {
  MasterStats stats;
  stats.leading = leading();
  if (leading_) stats.term = leading_->term;
  if (const Reign* reign = this->reign()) {
    stats.ready = true;
    stats.tables = reign->image().tables().size();
    stats.tablets = reign->image().tablets().size();
    stats.servers = reign->servers().all().size();
    stats.live_servers = reign->servers().live_count();
    stats.unsettled_tablets = reign->unsettled_tablets();
    stats.procedures = reign->procedures();
    stats.unknown_ids = reign->unknown_ids();
    stats.copies = reign->copies();
    stats.beyond_catalog = reign->BeyondCatalog().has_value();
    stats.safe_mode = reign->SafeMode().value_or("");
    stats.procedures_by_kind = reign->ProceduresByKind();
    stats.planner_on = reign->elastic().on().value_or(false);
    stats.planner = reign->elastic().counts();
  }
  return stats;
}

}  // namespace ebla::master
