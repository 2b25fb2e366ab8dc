// master/leader/leader_term.h
// One term of one leading master: its catalog, its view of the servers, and the procedures that it runs. Made when an
// election was won and the catalog was read; destroyed, with everything it knows, the moment leadership ends.
// Place:      master_host.h makes and ends leader terms; service.h asks the present one.
// Invariants: 1. A leader term begins by taking up every table that is being created or dropped, and every tablet of every
//                server that lives: nothing of its predecessor is needed.
//             2. Each request is answered exactly once; those that a leader term's end cuts are answered NOT_PRIMARY when
//                they have changed nothing, else UNKNOWN_OUTCOME (the successor finishes what stands in the catalog).
//             3. No id is drawn before every server that lives has said what it holds, nor while any is known to hold
//                an id that the catalog never drew (PROTOCOL 24).
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "master/balancer/balance_driver.h"
#include "master/catalog/loader.h"
#include "master/cluster/options.h"
#include "master/procedures/adopt.h"
#include "master/procedures/config_resender.h"
#include "master/procedures/context.h"
#include "master/procedures/merge_tablets.h"
#include "master/procedures/move_tablet.h"
#include "master/procedures/procedure.h"
#include "master/procedures/recover_tablet.h"
#include "master/procedures/replication_manager.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

class LeaderTerm {
 public:
  // What the leader term stands on; all of it outlives the leader term.
  struct Ports {
    const MasterOptions& options;
    Executor& executor;
    coordination::Coordinator& coordinator;
    ControlConnect connect;
    CommandRunner run_command;
    std::function<void(uint64_t)> raise_term;  // servers have heard of this term, above this leader term's
  };
  using Done = coordination::Callback<Status>;

  LeaderTerm(Ports ports, coordination::Leading term, LoadedCatalog loaded, std::function<void()> on_deposed);
  ~LeaderTerm();

  // Reads who lives, then resumes everything. `done` when requests may come.
  void Start(Done done);

  uint64_t term() const { return catalog_.term(); }
  const std::string& cluster_id() const { return cluster_id_; }
  const Image& image() const { return catalog_.image(); }
  const Servers& servers() const { return servers_; }
  size_t unsettled_tablets() const { return reconciler_.unsettled(); }
  size_t procedures() const { return runner_.size(); }
  // What is under way by kind, as of the last second: cheap, for metrics.
  std::map<std::string, size_t> ProceduresByKind() const;
  size_t unknown_ids() const { return unknown_ids_; }
  size_t copies() const { return replication_manager_.copies(); }
  // Why nothing is repaired at present; none: it is.
  std::optional<std::string> SafeMode() const;

  // Each answers when its procedure has finished, or after `patience` with DEADLINE_EXCEEDED and how far it came, when
  // what was asked stands in the catalog and goes on. A creation waits within `patience` for as many servers that live
  // as it names replicas, or for one where it names no number.
  void Create(std::string table, idl::TableOptions options, std::vector<std::string> split_points, Duration patience,
              Done done);
  void Alter(std::string table, idl::TableOptions options, Duration patience, Done done);
  void Drop(std::string table, Duration patience, Done done);
  // INVALID_ARGUMENT: the server has no vote in the tablet; UNAVAILABLE: it could not be handed over in time.
  void Transfer(TabletId tablet, const ServerName& to, Duration patience, Done done);
  // Splits the tablet at the key; OK also where it was split there before. Refused as CheckSplit() says; UNAVAILABLE:
  // it was not settled in time, or a failover undid the split.
  void Split(TabletId tablet, std::string key, RequestOrigin origin, Duration patience, Done done);
  // Makes one tablet of two neighbours, moving the smaller one's replicas first where they lie on different servers.
  // Refused as CheckMerge() says; UNAVAILABLE: it could not be begun in time, or came to nothing.
  void Merge(const Neighbours& two, Duration patience, Done done);
  // Gives a tablet that has lost its majority to `server` alone (empty: the longest complete log); what may be lost is
  // accepted. Refused as Survey() says; UNAVAILABLE: it could not be done in time.
  void Recover(TabletId tablet, const ServerName& server, Duration patience, Done done);
  RecoverySurvey Survey(TabletId tablet, const ServerName& server) const {
    return SurveyRecovery(context_, tablet, server);
  }
  // What the catalog would take from the servers' reports, and takes: CONDITION_FAILED with the first problem.
  // OK once every server that lives has reported to this master; else UNAVAILABLE.
  Status AllReported() const;
  std::optional<std::string> WhyCatalogStale() const { return stale_catalog_.Why(); }
  Adoption PlanAdoption(const std::vector<ServerName>& without) const {
    return master::PlanAdoption(image(), servers_, without);
  }
  void Adopt(std::vector<ServerName> without, Duration patience, Done done);
  // Forgets a server that is gone for good. NOT_FOUND; CONDITION_FAILED: it lives, or still has replicas.
  void RemoveServer(const ServerName& server, Done done);
  // Brings a replica elsewhere; OK once it is there. Cancel: ends what is under way for the tablet.
  void Move(WantedMove move, Duration patience, Done done);
  void CancelMove(TabletId tablet, Duration patience, Done done);
  // Drains a server, or puts it into maintenance, or ends these. NOT_FOUND; CONDITION_FAILED: the others cannot take
  // what it has.
  struct ServerChange {
    std::optional<bool> draining;
    std::optional<bool> maintenance;
    bool surplus = false;     // where it begins to drain: autoscale's wish, to release it once it is empty
    std::string reason = {};  // for that, in numbers
  };
  void SetServer(const ServerName& server, ServerChange change, Done done);
  // Ends the moves that a drain of the server has begun, as far as they can be ended: it drains no longer.
  void EndMovesOf(const ServerName& server, Duration patience, Done done);
  std::string WhyNotDrained(const ServerName& server) const { return replication_manager_.WhyNotDrained(server); }

  // Ends what is under way by that id (procedure_list.h), so that everything is as before; `done` with what becomes of
  // it, for people. NOT_FOUND: nothing has that id; CONDITION_FAILED: it cannot be, or not any more, and why.
  void CancelProcedure(const std::string& id, Duration patience, coordination::Callback<Result<std::string>> done);
  // Has the servers that hold the table, or one of them, compact its file, or only tell how that goes: one answer for
  // each, in order of name. NO_SUCH_TABLE; NOT_FOUND: the server holds nothing of it.
  struct Compaction {
    std::string table;
    ServerName server;  // empty: all
    bool start = false;
    int32_t limit_s = 0;
  };
  void Compact(const Compaction& wanted, coordination::Callback<Result<std::vector<idl::Compaction>>> done);
  // ---- for those who list what is under way ----
  const Context& context() const { return context_; }
  const TabletReconciler& reconciler() const { return reconciler_; }
  const ReplicationManager& replication_manager() const { return replication_manager_; }
  const ProcedureRunner& runner() const { return runner_; }
  // Each request that waits to be begun: what it asks for, since when, and what it waits for.
  void ForEachWaiting(const std::function<void(const Subject&, MonotonicTime, const Status&)>& visit) const;

  // The planner, and whether it acts: CONDITION_FAILED or UNAVAILABLE where that could not be changed.
  BalanceDriver& balance_driver() { return balance_driver_; }
  const BalanceDriver& balance_driver() const { return balance_driver_; }
  void SwitchPlanner(bool on, Done done);

  // Takes a server's report and starts what it shows to be needed. INVALID_ARGUMENT: another cluster's.
  Status Heartbeat(idl::HeartbeatRequest heartbeat);

 private:
  // A request under way.
  struct Request {
    Done done;
    MonotonicTime began;
    MonotonicTime deadline;
    bool decided = false;  // its Multi has been sent, or done
    std::function<Result<Change>(const Image&)> decide;
    size_t replicas = 0;   // draws ids, and needs so many servers; 0: draws none
    Subject subject = {};  // while it waits to be begun; no kind: it is not listed
    Status waits_for = {};
    std::string procedure;  // to start when decided, and to wait for
    std::function<void()> start;
  };
  void Submit(Request request, Duration patience);
  void Try(uint64_t id);
  void OnDecided(uint64_t id, Status status);
  void TryLater(uint64_t id, Status why);
  void Answer(uint64_t id, Status status);

  void StartCreate(const std::string& table);
  void StartDrop(const std::string& table);
  void StartPush(const std::string& table);
  void StartSplit(TabletId tablet);
  void StartMerge(const Neighbours& two, RequestOrigin origin, Duration begin_within);
  void CancelMerge(TabletId left);
  void StartFinishMerge(TabletId tablet);
  void StartMove(const WantedMove& move);
  void SubmitMerge(const Neighbours& two, RequestOrigin origin, Duration patience, Done done);
  void WriteServer(uint64_t id, const ServerName& name, ServerChange wanted, int tries);
  void SubmitTransfer(TabletId tablet, const ServerName& to, Duration patience, Done done);
  void MoveByPlan(WantedMove move, Done done);
  BalanceDriver::ActionExecutor MakeActionExecutor();
  void EndDrain(const ServerName& server, Duration patience, coordination::Callback<Result<std::string>> done);
  bool CancelWaiting(const Subject& subject);
  void OnServerChange(const ServerName& server);
  void ConsiderReported(const ServerName& server, const Report& report);
  void OnTabletsChanged(const std::vector<TabletId>& tablets);
  void CheckReport(const ServerName& server);
  size_t UsableServers() const;
  Status MayCreate(size_t replicas) const;
  Status MayDraw() const;  // an id
  Status CheckRemoval(const ServerName& server) const;
  Status MayDrain(const ServerName& server) const;
  void Reread(const ServerName& server);
  void Forget(const ServerName& server);
  // True: too many wait already, and this one is answered.
  bool Crowded(Done& done) const;
  Status CheckKnown(size_t replicas) const;

  const Ports ports_;
  const coordination::Leading leading_;
  const std::string cluster_id_;
  bool started_ = false;
  size_t unknown_ids_ = 0;  // reported above the next id
  Catalog catalog_;
  Servers servers_;
  std::vector<idl::ServerNode> known_servers_;
  TabletServerClient tablet_server_client_;
  StaleCatalogCheck stale_catalog_;
  const Context context_;
  TabletReconciler reconciler_;
  ConfigResender config_resender_;
  ReplicationManager replication_manager_;
  std::map<uint64_t, Request> requests_;
  uint64_t next_request_ = 1;
  std::multiset<ServerName> to_drain_;         // checked, and the node's change is under way
  std::set<TabletId> cancelled_merges_;        // by the left one
  std::map<TabletId, ServerName> recovering_;  // from whom, as last asked; empty: the longest log
  ProcedureRunner runner_;
  BalanceDriver balance_driver_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
