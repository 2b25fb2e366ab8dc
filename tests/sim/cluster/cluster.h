// tests/sim/cluster/cluster.h
// A whole cluster in one thread, from one seed: the masters and tablet servers of production over the simulated
// coordinator, network and disks. Cluster starts, kills, pauses and stops processes; the nemesis decides when
// (nemesis.h).
// Clocks:    the true time of day is kStartOfTime and what has passed since; no process has it.
// Processes: each has clocks of its own (rate and time of day) and, as in production, several executors. A life ends
//            abruptly: its node leaves the network, its tasks are dropped, its parts are destroyed; a tablet server's
//            disk then forgets what a crash may take.
// Threads:   one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/coordination/sim_coordinator.h"
#include "common/rpc/dispatcher.h"
#include "common/testing/sim_executor.h"
#include "master/host/master_host.h"
#include "tabletserver/server/tabletserver_host.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/testing/simulated_store.h"
#include "tests/sim/checker/levels.h"
#include "tests/sim/cluster/catalog_watch.h"
#include "tests/sim/cluster/disk_failures.h"
#include "tests/sim/cluster/event_log.h"
#include "tests/sim/cluster/faulty_records.h"
#include "tests/sim/cluster/network.h"
#include "tests/sim/cluster/server_watch.h"
#include "tests/sim/cluster/state_watch.h"

namespace ebla::sim {

inline constexpr int64_t kStartOfTime = 1'700'000'000'000;
inline constexpr int64_t kClockErrorMsMax = 2'000;  // from the true time, at most, when a process starts

// The clocks and executors of one process; paused together, destroyed together.
class Process {
 public:
  Process(testing::SimScheduler& scheduler, int64_t time_of_day_ms, double rate)
      : scheduler_(scheduler), time_of_day_ms_(time_of_day_ms), rate_(rate) {}

  testing::SimExecutor& NewExecutor();
  void Pause();
  void Resume();
  // Dead: tasks and timers are dropped; the executors stay, for destructors to cancel on.
  void Halt();

 private:
  testing::SimScheduler& scheduler_;
  const int64_t time_of_day_ms_;
  const double rate_;
  std::vector<std::unique_ptr<testing::SimExecutor>> executors_;
};

class SimMaster {
 public:
  SimMaster(std::string name, rpc::Endpoint endpoint, Process process, coordination::SimCoordination& coordination,
            Network& network);
  ~SimMaster();  // a crash

  Process& process() { return process_; }
  coordination::SimCoordinator& coordinator() { return *coordinator_; }
  bool ready() const { return master_->Stats().ready; }

 private:
  Process process_;
  testing::SimExecutor& executor_;
  rpc::Dispatcher dispatcher_;
  std::shared_ptr<Network::Node> node_;
  std::unique_ptr<coordination::SimCoordinator> coordinator_;
  std::unique_ptr<master::Master> master_;
};

// The cluster that a run draws.
struct Shape {
  int masters = 2;
  int servers = 3;
  int racks = 1;
  bool interval = false;         // the clients' table is flushed at intervals: machines die one at a time
  bool memory = false;           // the clients' table is in memory alone: processes die one at a time, too
  bool memory_loss = false;      // or all at once: its data may go, and then it begins empty
  bool memory_majority = false;  // of these: while a majority of each tablet's voters has what it had
  int64_t window_ms = 600'000;   // of what tablets remember of writes
  size_t window_bytes = 16 << 20;
  uint64_t log_entries_retained_max = 1'000'000;
  bool slow_truncations = false;   // of logs: other things happen in between
  uint64_t slow_flush_one_of = 0;  // of the logs' flushes, one of so many takes long; none: zero
  size_t copy_chunk_records = 1'000;
  int64_t copy_bytes_per_second = 64 << 20;
  StoreFault store_fault = StoreFault::kNone;
};

// The part of a tablet server that outlives its process.
struct ServerDisk {
  explicit ServerDisk(uint64_t seed) : disk(seed) {}
  tabletserver::SimulatedDisk disk;
  std::string uuid;
  std::string cluster_id;
  uint64_t starts = 0;
  bool machine_crashed = false;  // under the process before the next
};

// A write that a server stores until it is delivered: a hinted write, which has no tablet, or a rolled-back one.
struct UnresolvedEntry {
  ServerName server;
  TabletId tablet;
  TableId table;
  tabletserver::LogEntry entry;
  MonotonicTime at;
  bool may_be_lost = false;  // the server's disk has lied since
};

class SimServer {
 public:
  struct Ports {
    testing::SimScheduler& scheduler;
    coordination::SimCoordination& coordination;
    Network& network;
    EventLog& log;
    StateWatch& state;
    std::string rack;
    const Shape& shape;
    UnresolvedWatch kept;
  };
  SimServer(std::string name, rpc::Endpoint endpoint, Process process, ServerDisk& disk, Ports ports);
  ~SimServer();  // a crash; the disk is then to be told

  Process& process() { return process_; }
  coordination::SimCoordinator& coordinator() { return *coordinator_; }
  // Leaves in good order; stopped() when it has.
  void Stop();
  bool stopping() const { return stopping_; }
  bool stopped() const { return stopped_; }
  bool registered() const { return server_->Registered(); }
  tabletserver::TabletStore& store() { return **store_; }
  MonotonicTime Now() const { return loop_.Now(); }  // by this machine's clock
  // The next read of this key takes long, between its right to read and its look: the process's other threads go on.
  void SlowNextRead(std::string key) { slow_key_ = std::move(key); }
  // A checkpoint is taken just when what is here of the tablet is next discarded for a copy, before anything of that is
  // stored: the process's other threads go on. `taken` when it is on the disk.
  void CheckpointOnceForgotten(TabletId tablet, std::function<void()> taken) {
    forgotten_ = {tablet, std::move(taken)};
  }
  const tabletserver::TabletServer& host() const { return *server_; }
  // The reason why it has stopped serving: a refused registration, or a dead disk. OK: it serves.
  Status fatal() const;

 private:
  Process process_;
  testing::SimExecutor& loop_;
  testing::SimExecutor& control_;
  rpc::Dispatcher dispatcher_;
  void OnRead(testing::SimScheduler& scheduler, std::string_view key);
  void OnForgotten(testing::SimScheduler& scheduler, TabletId tablet);
  std::string slow_key_;                                  // none: empty
  std::pair<TabletId, std::function<void()>> forgotten_;  // the tablet, and what runs after its checkpoint
  testing::SimExecutor* disk_thread_ = nullptr;           // of the process
  std::vector<const testing::SimExecutor*> others_;       // all but the one that reads
  std::shared_ptr<Network::Node> node_;
  tabletserver::InMemoryStore in_memory_;
  std::unique_ptr<tabletserver::SimulatedStore> store_;
  std::unique_ptr<coordination::SimCoordinator> coordinator_;
  std::unique_ptr<tabletserver::TabletServer> server_;
  Status refused_;
  bool stopping_ = false;
  bool stopped_ = false;
};

class Cluster {
 public:
  Cluster(testing::SimScheduler& scheduler, EventLog& log, Shape shape);
  ~Cluster();

  Network& network() { return network_; }
  coordination::SimCoordination& coordination() { return coordination_; }
  EventLog& log() { return log_; }
  DiskFailures& disk_failures() { return disk_failures_; }
  testing::SimScheduler& scheduler() { return scheduler_; }
  std::vector<rpc::Endpoint> master_endpoints() const;

  int masters() const { return static_cast<int>(masters_.size()); }
  bool interval() const { return shape_.interval; }
  bool memory() const { return shape_.memory && !shape_.memory_loss; }  // one process forgets at a time
  int servers() const { return static_cast<int>(servers_.size()); }
  SimMaster* master(int index) { return masters_[static_cast<size_t>(index)].get(); }  // null: dead
  SimServer* server(int index) { return servers_[static_cast<size_t>(index)].get(); }
  ServerDisk& disk(int index) { return *disks_[static_cast<size_t>(index)]; }
  const std::vector<UnresolvedEntry>& kept() const { return kept_; }  // of all servers, since the beginning
  std::vector<std::string> MasterNames() const;
  static std::string MasterName(int index) { return "master-" + std::to_string(index + 1); }
  static std::string ServerName(int index) { return "ts-" + std::to_string(index + 1); }

  // Whether a server's process may be killed now; else it is spared.
  void SetMayDie(std::function<bool(int index)> may_die) { may_die_ = std::move(may_die); }
  // Asked when a machine loses power: what its disk loses of what it had. None: nothing.
  using Loss = tabletserver::SimulatedDisk::Loss;
  void SetLies(std::function<std::optional<Loss>(int index)> lies) { lies_ = std::move(lies); }
  bool disks_lie() const { return lies_ != nullptr; }
  uint64_t lies() const { return lies_told_; }  // by disks, so far
  // A disk that has lied may have forgotten whole replicas. `catalog` outlives the cluster's use.
  void SetCatalog(CatalogWatch& catalog) { catalog_ = &catalog; }
  // Before a server's process ends, however it does.
  void OnDeath(std::function<void(int index)> told) { on_death_ = std::move(told); }
  // Copies go as fast as they can from now on.
  void LiftCopyThrottle() { shape_.copy_bytes_per_second = Shape().copy_bytes_per_second; }
  void StartMaster(int index);
  void KillMaster(int index);
  void StartServer(int index);
  void KillServer(int index, tabletserver::SimulatedDisk::CrashKind kind);
  // A clean end: what was flushed at Stop() stays, and so does the rest.
  void EndServer(int index);
  // Empty once every server is up and has all that it ever acknowledged in a table that is flushed at intervals. Until
  // then the first server or replica of which that is not known. No server may lose anything more meanwhile, so
  // KillServer kills a process and not its machine.
  std::string Unsure();
  // A process with clocks of its own.
  Process NewProcess();

  // Looks at the primaries of this moment; to be called often.
  void Look();
  // Compares what complete replicas hold that have applied equally much.
  void CompareRecords();
  // Writes the state of each replica of the table to the event log.
  void Describe(TableId table);
  const StateWatch& state() const { return state_; }

 private:
  testing::SimScheduler& scheduler_;
  EventLog& log_;
  Shape shape_;
  StateWatch state_;
  DiskFailures disk_failures_;
  std::set<std::pair<int, TabletId>> incomplete_;  // replicas, as last looked at
  void Check(int server, const tabletserver::TabletView& view);
  void LookAtStore(int server);
  void LoseEnd(int server, Loss loss);
  coordination::SimCoordination coordination_;
  Network network_;
  std::vector<UnresolvedEntry> kept_;
  std::function<bool(int index)> may_die_;
  std::function<void(int index)> on_death_;
  std::function<std::optional<Loss>(int index)> lies_;
  uint64_t lies_told_ = 0;
  std::set<int> liars_;              // servers whose disks have lied
  CatalogWatch* catalog_ = nullptr;  // null: replicas are not missed
  std::set<int> spared_;             // that were to be killed, and are to be started again
  std::vector<std::unique_ptr<ServerDisk>> disks_;
  std::vector<std::unique_ptr<SimMaster>> masters_;
  std::vector<std::unique_ptr<SimServer>> servers_;
};

// The epochs of a key's history in a replica's view, with those of the tablets that its tablet was merged of.
Epochs EpochsOf(const tabletserver::TabletView& view, const std::string& key);

}  // namespace ebla::sim
