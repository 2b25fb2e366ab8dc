// tools/standalone/standalone.h
// A whole Ebla in one process: a master, a tablet server and the embedded coordinator, each the very host that runs in
// a cluster, behind one port. A client's list of masters is that one address.
// Place:      main.cc makes one from flags.
// Disk:       <data_dir>/coordinator  what a cluster keeps in ZooKeeper
//             <data_dir>/CATALOG      how often that was changed (common/coordination/change_mark.h)
//             <data_dir>              the tablet server's identity and store, ADDRESS, logs
// Stop:       the tablet server first, as it leaves the cluster through the coordinator; then the master; then the
//             rest.
// Threads:    those of ServerProcess, and one loop for the master. Start and Stop block.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/coordination/embedded_coordinator.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/pipelined_channel.h"
#include "master/host/master_host.h"
#include "master/host/metrics.h"
#include "tabletserver/server/server_process.h"

namespace ebla::standalone {

struct StandaloneOptions {
  // Its coordinator, and what else this process serves, are filled in.
  tabletserver::ServerProcessOptions server;
  master::MasterOptions master;
  bool rebuild_catalog = false;  // see catalog.h
  // The data directory of which `server` has a view; empty: it is no view (salvage_view.h).
  std::string salvaged;
};

// The outcome of a rebuild of the catalog, for people.
struct RebuiltCatalog {
  Status status;  // not OK: the catalog lacks some of what the store has; the next start tries again
  size_t tables = 0;
  size_t tablets = 0;
  std::string set_aside;  // where the former database is; empty: there was none
  std::string salvaged;   // see StandaloneOptions
  std::string ToString() const;
};

class Standalone {
 public:
  // Runs from now on; Ready() tells when it can be used. An error names what to do about it.
  static Result<std::unique_ptr<Standalone>> Start(StandaloneOptions options);
  ~Standalone();  // Stop(), without patience

  // Once: lets requests in flight finish for at most `patience`, then closes everything. An error: the
  // store has failed.
  Status Stop(Duration patience);

  Status Ready() const;
  const std::optional<RebuiltCatalog>& rebuilt() const { return rebuilt_; }
  // For people: the parts that a salvage cannot serve, each in a line.
  std::vector<std::string> Unsalvaged() const { return server_->Unsalvaged(); }
  // For clients within this process, which run on these loops: calls to it without a socket. Trusted, like the process
  // itself. The loops end with Stop(), and such a client must be destroyed after it.
  std::vector<rpc::EventLoop*> loops() const { return server_->loops(); }
  std::unique_ptr<rpc::Connector> ConnectorWithin(rpc::EventLoop& loop) const;
  // Adds further metrics to /metrics.
  void AddMetrics(std::shared_ptr<prometheus::Collectable> more);
  const rpc::Endpoint& endpoint() const { return server_->endpoint(); }
  const rpc::Endpoint& http_endpoint() const { return server_->http_endpoint(); }

 private:
  class Metrics;
  Standalone() = default;
  Status Open(StandaloneOptions options);
  void ScrubCoordinator(tabletserver::TabletServerOptions& options);
  void Rebuild(std::string set_aside, const std::string& salvaged);
  void OpenMaster(master::MasterOptions options, std::shared_ptr<security::TlsCredentials> tls);

  std::unique_ptr<coordination::EmbeddedCoordination> coordination_;
  std::unique_ptr<rpc::EventLoop> loop_;  // the master's
  std::unique_ptr<rpc::PipelinedConnector> connector_;
  std::unique_ptr<coordination::Coordinator> coordinator_;  // the master's
  std::unique_ptr<master::Master> master_;
  std::unique_ptr<master::MasterMetrics> master_metrics_;
  std::shared_ptr<Metrics> metrics_;
  std::unique_ptr<tabletserver::ServerProcess> server_;
  std::atomic<bool> rebuilding_{false};
  std::optional<RebuiltCatalog> rebuilt_;
  bool stopped_ = false;
};

}  // namespace ebla::standalone
