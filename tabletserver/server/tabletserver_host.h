// tabletserver/server/tabletserver_host.h
// A whole tablet server but for its sockets: shards, directory, read paths, services, registration, heartbeats,
// checkpoints, purges, deliveries. It sees the world through its ports alone, so that the simulator runs this very
// class.
// Life:       construct; Recover(); register its services with a Dispatcher; when that is reachable, Start(); Stop();
//             destroy when its executors run nothing more (they are stopped, or they are the simulator's).
// Place:      server_process.cc wires production; tests/sim and host_fixture.h wire virtual time.
// Invariants: 1. Nothing is served before the server is registered and its directory bound to the cluster
//             (PROTOCOL 23).
//             2. Heartbeats, registration and the watch of the masters run on `control`, which never waits for the
//             disk.
// Threads:    Recover, Start and destruction by the owner; Stop, Ready and the services from any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/features.h"
#include "common/base/mutex.h"
#include "common/base/refusals.h"
#include "common/base/turn_end.h"
#include "common/coordination/registration.h"
#include "common/rpc/channel.h"
#include "tabletserver/hints/hint_delivery.h"
#include "tabletserver/hints/hinted_writes.h"
#include "tabletserver/maintenance/checkpointer.h"
#include "tabletserver/maintenance/compactor.h"
#include "tabletserver/maintenance/evictor.h"
#include "tabletserver/maintenance/purge_and_size_tasks.h"
#include "tabletserver/maintenance/replica_comparer.h"
#include "tabletserver/maintenance/scrubber.h"
#include "tabletserver/reads/read_path.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/server/clock_guard.h"
#include "tabletserver/server/heartbeat_report.h"
#include "tabletserver/server/identity.h"
#include "tabletserver/service/control_service.h"
#include "tabletserver/service/operation_stats.h"
#include "tabletserver/service/replication_service.h"
#include "tabletserver/service/tablet_service.h"
#include "tabletserver/shard/shard_types.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/transport/copy_throttle.h"
#include "tabletserver/transport/heartbeater.h"
#include "tabletserver/transport/peer_book.h"
#include "tabletserver/transport/peer_memory.h"

namespace ebla::tabletserver {

class Shard;

struct TabletServerPorts {
  std::vector<Executor*> loops;    // where requests arrive
  std::vector<Executor*> shards;   // may be the loops
  std::vector<Executor*> readers;  // for reads that wait for the disk; none: they run on the loops
  Executor& background;            // slow work on the store
  Executor& control;               // the coordinator's; never waits for the disk
  TabletStore& store;
  coordination::Coordinator& coordinator;
  rpc::Connector& connector;
  std::vector<rpc::Connector*> shard_connectors;  // one for each shard, to peers; none: `connector` serves all
  Executor* delivery = nullptr;  // takes and delivers writes of level ANY; may wait for the disk. Null: `background`
  // long tasks without a waiting caller: compactions, logs of merged tablets. Null: `background`
  Executor* housekeeping = nullptr;
  Executor* snapshots = nullptr;      // waits for readers of backups. Null: none is read
  Executor* scrubber = nullptr;       // reads files, and rests. Null: nothing is scrubbed
  std::vector<TurnEnd*> shard_turns;  // of each shard's executor; empty: a task ends a turn
  ClockGuard* clock = nullptr;        // null: one over `control`, with TabletServerOptions::clock

  Executor& OrBackground(Executor* one) const { return one == nullptr ? background : *one; }
};

struct TabletServerOptions {
  Identity identity;
  std::string rack;
  std::string build_version;
  int store_format = 0;  // the greatest that this build reads
  // The features of this process, and its knowledge of the cluster's; shared with the access control.
  std::shared_ptr<Features> features = std::make_shared<Features>();
  bool insecure = false;             // others reach an address that nothing guards
  ShardOptions shard;                // self, index and meter_slot are filled in
  Checkpointer::Options checkpoint;  // on_finished is filled in
  PurgeAndSizeTasks::Options purge_and_size_tasks;
  Evictor::Options evictor;
  Scrubber::Options scrub;  // compare is filled in
  ReplicaComparer::Options compare;
  HintedWrites::Options hinted_writes;
  HintDelivery::Options hint_delivery;
  Heartbeater::Options master;
  coordination::ServerRegistration::Options registration;
  size_t reads_waiting_max = 1024;
  // A primary that sends nothing for this time is reported to the master at once.
  Duration suspect_after = std::chrono::milliseconds(700);
  std::function<Duration()> slow_operation = [] { return std::chrono::milliseconds(100); };
  std::function<int64_t()> copy_bytes_per_second = [] { return CopyThrottle::kDefaultBytesPerSecond; };
  // Binds the data directory to the cluster before anything is served.
  std::function<Status(const std::string& cluster_id)> join_cluster = [](const std::string&) { return Status::Ok(); };
  // Raises the data directory's life mark after a checkpoint, on `background`; none: it has no such thing.
  std::function<Result<uint64_t>()> raise_life_mark;
  // The cluster refuses this server for good; it serves nothing.
  std::function<void(const Status&)> on_refused = [](const Status&) {};
  std::function<double()> cpu_seconds = [] { return 0.0; };  // used by the process so far
  ClockGuardOptions clock;                                   // where no port gives one
  // Notes on the disk that the clock is accepted, so that the next start accepts it, too. On `background`.
  std::function<Status()> note_clock = [] { return Status::Ok(); };
  // Found in the database of a coordinator in this process; empty: none was, or there is none.
  std::function<std::string()> catalog_damage = [] { return std::string(); };
};

class TabletServer {
 public:
  TabletServer(TabletServerPorts ports, TabletServerOptions options);
  ~TabletServer();
  TabletServer(const TabletServer&) = delete;
  TabletServer& operator=(const TabletServer&) = delete;

  // Takes over what the store holds. Before Start(), on the constructing thread, and before the shards' executors run.
  Status Recover();

  std::shared_ptr<TabletService> tablet_service() const { return tablet_service_; }
  std::shared_ptr<ControlService> control_service() const { return control_service_; }
  std::shared_ptr<ReplicationService> replication_service() const { return replication_service_; }

  // Joins the cluster under these addresses and begins to serve.
  void Start(const rpc::Endpoint& endpoint, const rpc::Endpoint& http);
  // Leaves the cluster, lets admitted writes finish, takes a checkpoint; `done` runs on `control`. Once.
  void Stop(std::move_only_function<void()> done);
  // Before the scrubber's executor is stopped.
  void StopScrub() {
    asker_.Stop();
    scrubber_.Stop();
  }

  // OK while registered and the store is healthy; else why not.
  Status Ready() const;
  bool Registered() const { return serving_.load(std::memory_order_acquire); }

  // ---- for metrics and tests ----
  const TabletDirectory& directory() const { return directory_; }
  const OperationStats& stats() const { return stats_; }
  const ShardCounters& shard_counters() const { return shard_counters_; }
  const ReaderPool& readers() const { return readers_; }
  const Checkpointer& checkpointer() const { return checkpointer_; }
  const Scrubber& scrubber() const { return scrubber_; }
  const ReplicaComparer& comparer() const { return comparer_; }
  const HintDelivery& hint_delivery() const { return hint_delivery_; }
  const Refusals& refusals() const { return refusals_; }
  TabletStore& store() const { return ports_.store; }
  const ClockGuard& clock() const { return clock_; }

 private:
  void RaiseLifeMark();
  void OnRegistration(const coordination::RegistrationState& state);
  Executor& delivery() const { return ports_.OrBackground(ports_.delivery); }
  void LearnFrom(const idl::HeartbeatReply& reply);
  void LearnNextId(const idl::HeartbeatReply& reply);
  void DrainShards(size_t next, std::move_only_function<void()> done);
  std::string cluster_id() const;

  const TabletServerPorts ports_;
  const TabletServerOptions options_;

  const std::unique_ptr<ClockGuard> own_clock_;  // null: another's
  ClockGuard& clock_;
  TabletDirectory directory_;
  ShardCounters shard_counters_;
  OperationStats stats_;
  Refusals refusals_;
  SeenTerm term_;
  PeerBook peers_;
  PeerMemory peer_memory_;
  CopyThrottle copy_throttle_;
  std::atomic<bool> serving_{false};
  std::vector<std::unique_ptr<LoopMailbox>> mailboxes_;
  std::vector<std::unique_ptr<Shard>> shards_;
  ReaderPool readers_;
  std::vector<std::unique_ptr<ReadPath>> paths_;
  Checkpointer checkpointer_;
  PurgeAndSizeTasks purge_and_size_tasks_;
  Evictor evictor_;
  HintDelivery hint_delivery_;
  HintedWrites hinted_writes_;
  Compactor compactor_;
  ReplicaAsker asker_;
  ReplicaComparer comparer_;
  Scrubber scrubber_;
  SnapshotHandler snapshots_;
  HeartbeatReport report_;
  std::shared_ptr<TabletService> tablet_service_;  // shared with the dispatcher
  std::shared_ptr<ControlService> control_service_;
  std::shared_ptr<ReplicationService> replication_service_;

  mutable Mutex mutex_;
  std::string cluster_id_ EBLA_GUARDED_BY(mutex_);
  Status registration_status_ EBLA_GUARDED_BY(mutex_);  // why not registered

  // `control` only.
  std::unique_ptr<coordination::ServerRegistration> registration_;
  std::unique_ptr<Heartbeater> heartbeater_;
  std::optional<TabletId> next_id_;  // as its registration found it; none: not asked for, or no longer needed
};

}  // namespace ebla::tabletserver
