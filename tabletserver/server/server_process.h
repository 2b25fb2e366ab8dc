// tabletserver/server/server_process.h
// One tablet server of production in this process: data directory, WiredTiger, threads, sockets, HTTP, around the
// TabletServer that decides.
// Threads:    `event_loops` loops, which share threads, take requests and serve reads; `shards` own the tablets'
//             writes; `readers` read what is not in cache; a flusher does nothing but fsync; one thread each takes
//             checkpoints, watches the disk's room, keeps the store's inventory, runs purges and size estimates
//             (background), runs compactions (housekeeping), scrubs, reads snapshots (snapshots), delivers hinted
//             writes, speaks with coordinator and masters (control), and serves HTTP.
// Place:      main.cc and ebla-standalone make one from flags.
// Stop:       sockets first (requests in flight finish), then the cluster is told, shards drain, a checkpoint is taken,
//             threads end, the store closes.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/coordination/access_watcher.h"
#include "common/coordination/connection_watch.h"
#include "common/coordination/coordinator.h"
#include "common/http/http_server.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/loop_threads.h"
#include "common/rpc/pipelined_channel.h"
#include "common/rpc/server.h"
#include "common/rpc/stall_watch.h"
#include "tabletserver/server/clock_guard.h"
#include "tabletserver/server/metrics.h"
#include "tabletserver/server/tabletserver_host.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/storage/wiredtiger/wt_store.h"

namespace ebla::tabletserver {

struct ServerProcessOptions {
  std::string data_dir;
  Status no_changes;                          // not OK: writes and orders of people are refused with it
  bool begin_empty = false;                   // asked for: see begin_empty.h
  std::string loss_advice;                    // follows what is said of a directory that cannot be opened
  process::DirectoryLock lock;                // of data_dir; none: it is taken
  ServerName name;                            // empty: the name in the data directory
  rpc::ServerOptions rpc;                     // listen among them
  std::unique_ptr<security::AuditLog> audit;  // null: none
  std::string advertise;                      // host:port that others reach it by; empty: what it listens on
  rpc::Endpoint http_listen{"127.0.0.1", 0};
  std::vector<std::string> settable_flags;
  std::function<bool()> metrics_of_each_tablet = [] { return false; };  // besides the sums by table
  size_t event_loops = 2;
  size_t shards = 1;
  size_t readers = 4;
  WtStoreOptions store;             // directory and executors are filled in
  int64_t memory_tables_bytes = 0;  // that tables in memory take together, at most; 0: no limit
  TabletServerOptions server;       // identity, join_cluster, cpu_seconds and the clock's mark are filled in
  // Makes the coordinator on the executor given.
  std::function<Result<std::unique_ptr<coordination::Coordinator>>(Executor&)> coordinator;
  // Further services of this process at the same address, such as the master of ebla-standalone.
  std::function<void(rpc::Dispatcher&)> more_services = [](rpc::Dispatcher&) {};
  // The last word on the HTTP pages.
  std::function<void(http::HttpOptions&)> adjust_http = [](http::HttpOptions&) {};
};

class ServerProcess {
 public:
  // Runs from now on. An error names what to do about it.
  static Result<std::unique_ptr<ServerProcess>> Start(ServerProcessOptions options);
  // Opens the data directory and the store as a start does, and closes them. Takes the lock from `options`.
  static Status TryToOpen(ServerProcessOptions& options);
  ~ServerProcess();  // Stop(), without patience

  // Once: lets requests in flight finish for at most `patience`, then closes everything. An error: the store has
  // failed, while it ran or by its last checkpoint.
  Status Stop(Duration patience);

  const rpc::Endpoint& endpoint() const { return advertised_; }
  const rpc::Endpoint& http_endpoint() const { return http_->address(); }
  const TabletServer& server() const { return *server_; }
  // For calls from within this process, on these loops: they serve whatever asks there.
  const rpc::Dispatcher& dispatcher() const { return dispatcher_; }
  // For people: the parts of its data that a salvage (WtStoreOptions::salvage) cannot serve, each in a line.
  std::vector<std::string> Unsalvaged() const;
  std::vector<rpc::EventLoop*> loops() const;

 private:
  ServerProcess() = default;
  Status Open(ServerProcessOptions& options);
  Status OpenDirectory(ServerProcessOptions& options, const ServerName& name);
  Status OpenStore(ServerProcessOptions& options);
  Status OpenServer(ServerProcessOptions& options);
  Status OpenHttp(const ServerProcessOptions& options);
  void StopLoops();

  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<rpc::EventLoop> flusher_;
  std::unique_ptr<rpc::EventLoop> checkpoints_;
  std::unique_ptr<rpc::EventLoop> watcher_;
  std::unique_ptr<rpc::EventLoop> inventory_;
  std::unique_ptr<rpc::EventLoop> run_writer_;
  std::unique_ptr<rpc::EventLoop> run_merger_;
  std::unique_ptr<InMemoryStore> in_memory_;
  std::unique_ptr<ClockGuard> clock_;
  std::atomic<const ClockGuard*> marks_{nullptr};  // the same, for the store's thread; null: the store is being opened
  std::unique_ptr<WtStore> store_;
  std::vector<std::unique_ptr<rpc::EventLoop>> loops_;
  std::unique_ptr<rpc::LoopThreads> loop_threads_;
  std::vector<std::unique_ptr<rpc::EventLoop>> shards_;
  std::unique_ptr<rpc::StallWatch> stall_watch_;  // of loops_ and shards_
  std::vector<std::unique_ptr<rpc::EventLoop>> readers_;
  std::unique_ptr<rpc::EventLoop> background_;
  std::unique_ptr<rpc::EventLoop> delivery_;
  std::unique_ptr<rpc::EventLoop> housekeeping_;
  std::unique_ptr<rpc::EventLoop> snapshots_;
  std::unique_ptr<rpc::EventLoop> scrubber_;
  std::unique_ptr<rpc::EventLoop> control_;
  std::unique_ptr<rpc::PipelinedConnector> connector_;
  std::vector<std::unique_ptr<rpc::PipelinedConnector>> shard_connectors_;  // to peers, each on its shard's loop
  std::unique_ptr<coordination::Coordinator> coordinator_;
  std::unique_ptr<coordination::ConnectionWatch> coordinator_watch_;
  security::AccessControl access_;
  std::unique_ptr<security::AuditLog> audit_;
  std::unique_ptr<coordination::AccessWatcher> access_watcher_;
  std::unique_ptr<TabletServer> server_;
  rpc::Dispatcher dispatcher_{{.access = &access_}};
  std::unique_ptr<rpc::RpcServer> rpc_;
  std::shared_ptr<TabletServerMetrics> metrics_;
  std::unique_ptr<http::HttpServer> http_;
  rpc::Endpoint advertised_;
  bool stopped_ = false;
};

}  // namespace ebla::tabletserver
