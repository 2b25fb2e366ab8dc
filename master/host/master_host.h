// master/host/master_host.h
// A master: takes part in elections, and while it leads, runs a leader term (leader_term.h). The same class runs in
// production, in ebla-standalone and in the simulator, because it uses ports alone.
// Place:      main.cc and tools/standalone give it an event loop, a coordinator and a connector.
// Invariants: 1. It drops its knowledge of the catalog the moment it leads no longer.
//             2. A load that fails is retried while it leads.
// Threads:    everything on the executor, destruction included; construction before it runs or on it; service() answers
//             on it too.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/callback_guard.h"
#include "common/base/executor.h"
#include "common/coordination/connection_watch.h"
#include "common/coordination/coordinator.h"
#include "common/coordination/election.h"
#include "common/rpc/channel.h"
#include "idl/MasterService.h"
#include "master/balancer/planner_counts.h"
#include "master/balancer/scale_command.h"
#include "master/cluster/options.h"
#include "master/cluster/tablet_server_client.h"
#include "master/procedures/tablet_needs.h"

namespace ebla::master {

class LeaderTerm;
struct LoadedCatalog;

// The control services behind a connector, with replies on `executor`. Both outlive what this returns.
ControlConnect ConnectOver(rpc::Connector& connector, Executor& executor, Duration timeout = std::chrono::seconds(5));

// For metrics.
struct MasterStats {
  bool leading = false;
  bool ready = false;  // leads and has read the catalog
  uint64_t term = 0;
  size_t tables = 0;
  size_t tablets = 0;
  size_t servers = 0;
  size_t live_servers = 0;       // that report
  size_t unsettled_tablets = 0;  // not led as the catalog says, though the server lives
  LackingTablets lacking;
  size_t procedures = 0;
  size_t unknown_ids = 0;      // reported ids that the catalog never drew
  size_t copies = 0;           // learners
  bool stale_catalog = false;  // servers report more than the catalog ever had
  std::string safe_mode;       // why nothing is repaired; empty: it is
  std::map<std::string, size_t> procedures_by_kind;
  int level = 0;            // the cluster's feature level
  bool level_held = false;  // by an operator
  bool planner_on = false;
  PlannerCounts planner;
  std::optional<Duration> coordinator_away;  // none: it is reached
};

class Master {
 public:
  // `run_command`: runs the operator's scale commands; none: there are none.
  Master(MasterOptions options, Executor& executor, coordination::Coordinator& coordinator, ControlConnect connect,
         CommandRunner run_command = {});
  ~Master();
  Master(const Master&) = delete;
  Master& operator=(const Master&) = delete;

  // Stands for election from now on, reachable at `endpoint`. `on_refused`: told, once, why the cluster refuses this
  // master for good; it takes part no more then.
  void Start(rpc::Endpoint endpoint, std::function<void(const Status&)> on_refused = [](const Status&) {});
  // Leads no longer and lets the next candidate lead at once; `done` when that has been said.
  void Resign(std::function<void()> done);

  // Answers what clients, the shell and tablet servers ask; register it with a dispatcher whose handlers run on the
  // executor (service.h).
  std::shared_ptr<idl::MasterServiceCobSvIf> service() const { return service_; }

  MasterStats Stats() const;

  // ---- for the service ----
  const MasterOptions& options() const { return options_; }
  Executor& executor() const { return executor_; }
  // The present leader term, once it may be asked; else null.
  LeaderTerm* leader_term() const;
  bool leading() const { return leading_.has_value(); }
  // Runs the task once this master may be asked, or leads no longer: for requests that arrive while it reads the
  // catalog. False where it does not, or too many wait.
  bool WhenReady(Task task);
  const std::optional<coordination::Candidate>& leader() const { return leader_; }
  // Read in the last seconds; the cluster's id is empty until it is known.
  const std::vector<coordination::Candidate>& masters() const { return masters_; }
  // Reads them now, as far as the coordinator answers, then runs the task.
  void ListMasters(Task then);
  const std::string& cluster_id() const { return cluster_id_; }
  const coordination::ConnectionWatch& coordinator_watch() const { return coordinator_watch_; }
  const Refusals& refusals() const { return refusals_; }

 private:
  void OnRole(const coordination::Role& role);
  void Load();
  void GuardNodes();
  void OnLoaded(uint64_t term, Result<LoadedCatalog> loaded);
  std::function<void(uint64_t)> RaiseTerm();
  void EndLeaderTerm();
  void RunWaiting();
  void RefreshMasters();
  void RefuseNamesake();
  void ReadCluster();
  void Refuse(const Status& why);

  const MasterOptions options_;
  rpc::Endpoint endpoint_;
  std::function<void(const Status&)> on_refused_;  // none: it was told
  Executor& executor_;
  coordination::Coordinator& coordinator_;
  coordination::ConnectionWatch coordinator_watch_;
  const ControlConnect connect_;
  const CommandRunner run_command_;
  std::shared_ptr<idl::MasterServiceCobSvIf> service_;
  std::optional<coordination::Leading> leading_;
  std::optional<coordination::Candidate> leader_;
  std::vector<coordination::Candidate> masters_;
  std::optional<MonotonicTime> namesake_since_;  // when a master of this name was first seen before this one
  std::string cluster_id_;
  std::unique_ptr<LeaderTerm> leader_term_;
  bool leader_term_ready_ = false;
  std::vector<Task> waiting_;  // for the catalog to be read
  std::unique_ptr<coordination::LeaderElection> election_;
  std::optional<MonotonicTime> raised_;  // when a server's word last raised the term
  Refusals refusals_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
