#include "tools/standalone/standalone.h"

#include <glog/logging.h>

#include <future>
#include <tuple>
#include <utility>

#include "common/base/count.h"
#include "common/base/mutex.h"
#include "common/process/process.h"
#include "common/rpc/local_connector.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"
#include "tools/standalone/catalog.h"

namespace ebla::standalone {
namespace {

constexpr Duration kAdoptPatience = std::chrono::seconds(30);

// Runs the task on the loop and waits for its end.
void RunOn(Executor& loop, std::function<void()> task) {
  std::promise<void> done;
  loop.Post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

// Metrics of the process, which both components report, are kept once; further samples join the family of their name.
void Join(std::vector<prometheus::MetricFamily>& all, std::vector<prometheus::MetricFamily> more) {
  for (prometheus::MetricFamily& family : more) {
    const auto same = std::ranges::find(all, family.name, &prometheus::MetricFamily::name);
    if (same == all.end()) {
      all.push_back(std::move(family));
      continue;
    }
    for (prometheus::ClientMetric& metric : family.metric) {
      if (std::ranges::find(same->metric, metric.label, &prometheus::ClientMetric::label) == same->metric.end())
        same->metric.push_back(std::move(metric));
    }
  }
}

}  // namespace

// The tablet server's page, followed by the master's numbers, and what else there is.
class Standalone::Metrics final : public prometheus::Collectable {
 public:
  Metrics(std::shared_ptr<prometheus::Collectable> server, const master::MasterMetrics& master)
      : server_(std::move(server)), master_(master) {}

  void Add(std::shared_ptr<prometheus::Collectable> more) {
    MutexLock lock(mutex_);
    more_.push_back(std::move(more));
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> families = server_->Collect();
    Join(families, master_.Collect());
    MutexLock lock(mutex_);
    for (const auto& more : more_) Join(families, more->Collect());
    return families;
  }

 private:
  const std::shared_ptr<prometheus::Collectable> server_;  // also the server's own
  const master::MasterMetrics& master_;
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<prometheus::Collectable>> more_ EBLA_GUARDED_BY(mutex_);
};

Result<std::unique_ptr<Standalone>> Standalone::Start(StandaloneOptions options) {
  std::unique_ptr<Standalone> standalone(new Standalone());
  EBLA_TRY(standalone->Open(std::move(options)));
  return standalone;
}

Status Standalone::Open(StandaloneOptions options) {
  const std::string salvaged = options.salvaged;
  EBLA_ASSIGN(Catalog catalog, OpenCatalog({.data_dir = options.server.data_dir,
                                            .rebuild = options.rebuild_catalog,
                                            .feature_level = options.server.server.features->own(),
                                            .loss_advice = options.server.loss_advice}));
  coordination_ = std::move(catalog.coordination);
  rebuilding_ = catalog.rebuilding;
  ScrubCoordinator(options.server.server);
  options.master.features = options.server.server.features;  // of one process
  OpenMaster(std::move(options.master), options.server.rpc.tls);

  options.server.coordinator = [this](Executor& executor) -> Result<std::unique_ptr<coordination::Coordinator>> {
    return coordination_->NewClient(executor);
  };
  options.server.more_services = [this](rpc::Dispatcher& dispatcher) { dispatcher.Register(master_->service()); };
  options.server.adjust_http = [this](http::HttpOptions& http) {
    http.metrics = metrics_ = std::make_shared<Metrics>(std::move(http.metrics), *master_metrics_);
    http.ready = [this, server = std::move(http.ready)]() -> Status {
      if (rebuilding_) return Error(Code::kUnavailable, "the catalog is being rebuilt from the store");
      EBLA_TRY(master_metrics_->Ready());
      return server();
    };
  };
  EBLA_ASSIGN(server_, tabletserver::ServerProcess::Start(std::move(options.server)));
  RunOn(*loop_, [this] {
    master_->Start(server_->endpoint());
    master_metrics_->Start();
  });
  if (catalog.rebuilding) Rebuild(std::move(catalog.set_aside), salvaged);
  return {};
}

void Standalone::ScrubCoordinator(tabletserver::TabletServerOptions& options) {
  options.scrub.beside_store = [this](const tabletserver::TabletStore::ScrubPace& pace) {
    const tabletserver::UncachedReads past_cache;
    return coordination_->Scrub(pace);
  };
  options.catalog_damage = [this] { return coordination_->damage(); };
}

void Standalone::Rebuild(std::string set_aside, const std::string& salvaged) {
  RebuiltCatalog rebuilt{.status = AdoptReports(*master_, *loop_, kAdoptPatience, !salvaged.empty()),
                         .set_aside = std::move(set_aside),
                         .salvaged = salvaged};
  if (rebuilt.status.ok()) rebuilt.status = EndRebuild(*coordination_);
  RunOn(*loop_, [&] {
    const master::MasterStats stats = master_->Stats();
    rebuilt.tables = stats.tables;
    rebuilt.tablets = stats.tablets;
  });
  LOG(WARNING) << rebuilt.ToString();
  rebuilt_ = std::move(rebuilt);
  rebuilding_ = false;
}

std::string RebuiltCatalog::ToString() const {
  const std::string former = set_aside.empty() ? "" : " The former catalog is in " + set_aside + ".";
  const std::string has = Count(tables, "table") + " with " + Count(tablets, "tablet");
  if (!salvaged.empty())
    return "Salvaging " + salvaged + ", which stays as it is: " + has + " can be read" +
           (status.ok() ? "." : ", and not yet the rest: " + status.message());
  if (!status.ok()) {
    return "The catalog is not rebuilt yet, and lists " + has + ": " + status.message() + "." + former +
           " ebla cluster adopt shows what the store has beyond it; the next start tries again.";
  }
  return "The catalog was rebuilt from the store: " + has + "." + former +
         " Gone with it are users, roles, grants and limits (ebla user, role, grant, limit), the planner's switch "
         "(ebla balance off) and a held feature level: set them again.";
}

void Standalone::OpenMaster(master::MasterOptions options, std::shared_ptr<security::TlsCredentials> tls) {
  loop_ = std::make_unique<rpc::EventLoop>("master");
  connector_ = std::make_unique<rpc::PipelinedConnector>(*loop_, rpc::ChannelOptions{.tls = std::move(tls)});
  coordinator_ = coordination_->NewClient(*loop_);
  options.version = process::BuildVersion();
  options.boot = process::BootId();
  master_ = std::make_unique<master::Master>(std::move(options), *loop_, *coordinator_,
                                             master::ConnectOver(*connector_, *loop_));
  master_metrics_ = std::make_unique<master::MasterMetrics>(*master_, nullptr);
  loop_->Start();
}

Status Standalone::Ready() const {
  if (rebuilding_) return Error(Code::kUnavailable, "the catalog is being rebuilt from the store");
  EBLA_TRY(master_metrics_->Ready());
  return server_->server().Ready();
}

std::unique_ptr<rpc::Connector> Standalone::ConnectorWithin(rpc::EventLoop& loop) const {
  return std::make_unique<rpc::LocalConnector>(server_->dispatcher(), server_->endpoint(),
                                               std::make_unique<rpc::PipelinedConnector>(loop));
}

void Standalone::AddMetrics(std::shared_ptr<prometheus::Collectable> more) { metrics_->Add(std::move(more)); }

Status Standalone::Stop(Duration patience) {
  if (std::exchange(stopped_, true)) return {};
  const Status store = server_ ? server_->Stop(patience) : Status();
  if (loop_) {
    RunOn(*loop_, [this] {
      master_metrics_->Stop();
      master_.reset();
      coordinator_.reset();
    });
  }
  if (loop_) loop_->Stop();
  // Clients within this process may still use the loops, so the rest is destroyed with this object.
  return store;
}

Standalone::~Standalone() { std::ignore = Stop(Duration(0)); }

}  // namespace ebla::standalone
