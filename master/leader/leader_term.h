// master/leader/leader_term.h
// One term of one leading master: its catalog, its view of the servers, and the procedures that it runs. Made when an
// election was won and the catalog was read; destroyed, with everything it knows, the moment leadership ends.
// Place:      master_host.h makes and ends leader terms; service.h asks the present one.
// Invariants: 1. A leader term begins by resuming every table that is being created or dropped, and every tablet of
//             every live server, so it needs nothing of its predecessor.
//             2. Each request is answered exactly once, at the end of the term at the latest (request_queue.h).
//             3. No id is drawn that any server is known to hold (readiness.h).
// Parts:      table_admin.h, tablet_admin.h, server_admin.h and access_admin.h carry out requests; cluster_level.h
//             keeps the feature level; request_queue.h keeps unanswered requests; report_handler.h acts on servers'
//             reports; procedure_list.h shows running procedures.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/refusals.h"
#include "master/balancer/balance_driver.h"
#include "master/catalog/loader.h"
#include "master/cluster/options.h"
#include "master/leader/access_admin.h"
#include "master/leader/cluster_level.h"
#include "master/leader/readiness.h"
#include "master/leader/report_handler.h"
#include "master/leader/request_queue.h"
#include "master/leader/server_admin.h"
#include "master/leader/table_admin.h"
#include "master/leader/tablet_admin.h"
#include "master/procedures/adopt.h"
#include "master/procedures/procedure.h"
#include "master/procedures/replication_manager.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

class LeaderTerm {
 public:
  // The leader term's dependencies; all of them outlive it.
  struct Ports {
    const MasterOptions& options;
    Executor& executor;
    coordination::Coordinator& coordinator;
    ControlConnect connect;
    CommandRunner run_command;
    Refusals& refusals;
    std::function<void(uint64_t)> raise_term;  // servers have seen this term, above this leader term's
  };
  using Done = coordination::Callback<Status>;

  LeaderTerm(Ports ports, coordination::Leading term, LoadedCatalog loaded, std::function<void()> on_deposed);
  ~LeaderTerm();

  // Reads the live servers, then resumes everything. `done` when requests may come.
  void Start(Done done);

  // ---- what may be asked of it ----
  TableAdmin& table_admin() { return table_admin_; }
  TabletAdmin& tablet_admin() { return tablet_admin_; }
  ServerAdmin& server_admin() { return server_admin_; }
  AccessAdmin& access_admin() { return access_admin_; }
  ClusterLevel& cluster_level() { return cluster_level_; }
  // Takes a server's report and starts what it shows to be needed. INVALID_ARGUMENT: another cluster's, or of a feature
  // level below the cluster's.
  Status Heartbeat(idl::HeartbeatRequest heartbeat);
  // Shows, or adopts, the servers' reports for the catalog; CONDITION_FAILED with the first problem.
  Adoption PlanAdoption(const std::vector<ServerName>& without) const {
    return master::PlanAdoption(image(), servers_, without);
  }
  void Adopt(std::vector<ServerName> without, Duration patience, Done done);
  // Whether the planner acts: CONDITION_FAILED or UNAVAILABLE where that could not be changed.
  void SwitchPlanner(bool on, Done done);
  BalanceDriver& balance_driver() { return balance_driver_; }
  RequestQueue& requests() { return requests_; }

  // ---- what it knows ----
  uint64_t term() const { return catalog_.term(); }
  const std::string& cluster_id() const { return cluster_id_; }
  const Image& image() const { return catalog_.image(); }
  const Servers& servers() const { return servers_; }
  const Context& context() const { return context_; }
  const BalanceDriver& balance_driver() const { return balance_driver_; }
  const RequestQueue& requests() const { return requests_; }
  const TabletReconciler& reconciler() const { return reconciler_; }
  const ReplicationManager& replication_manager() const { return replication_manager_; }
  const ClusterLevel& cluster_level() const { return cluster_level_; }
  const ReportHandler& report_handler() const { return report_handler_; }
  const ProcedureRunner& runner() const { return runner_; }

 private:
  TermParts Parts();
  BalanceDriver::ActionExecutor MakeActionExecutor();

  const Ports ports_;
  const coordination::Leading leading_;
  const std::string cluster_id_;
  Catalog catalog_;
  Servers servers_;
  std::vector<idl::ServerNode> known_servers_;
  TabletServerClient tablet_server_client_;
  StaleCatalogCheck stale_catalog_;
  const Context context_;
  TabletReconciler reconciler_;
  ReplicationManager replication_manager_;
  ProcedureRunner runner_;
  BalanceDriver balance_driver_;
  RequestQueue requests_;
  TableAdmin table_admin_;
  TabletAdmin tablet_admin_;
  ServerAdmin server_admin_;
  AccessAdmin access_admin_;
  ClusterLevel cluster_level_;
  ReportHandler report_handler_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
