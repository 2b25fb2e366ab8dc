// ebla-standalone: a whole Ebla in one process, for development and for what one machine can carry.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "client/sdk/connect_over.h"
#include "common/process/addresses.h"
#include "common/process/process.h"
#include "common/process/security_flags.h"
#include "gateway/host/gateway_flags.h"
#include "tabletserver/server/begin_empty.h"
#include "tabletserver/server/identity.h"
#include "tabletserver/server/server_flags.h"
#include "tools/standalone/catalog.h"
#include "tools/standalone/salvage_view.h"
#include "tools/standalone/standalone.h"

DEFINE_bool(splits, true, "Allow splits of tablets, by operators and by the planner.");
DEFINE_bool(rebuild_catalog, false,
            "Make a new catalog where the one in DATA_DIR/coordinator is lost or damaged. It lists the tables that the "
            "store has; users, grants, limits and switches are lost. The old one is moved to coordinator.lost-1 (then "
            "-2). Leave the flag out afterwards.");

DEFINE_bool(
    salvage, false,
    "Serve what can be read of damaged files in --data_dir, and change nothing there. It may be the directory of "
    "ebla-standalone or of a tablet server. Only this machine is served, and only reads. Files that it needs "
    "for itself are in a directory under $TMPDIR, which is removed at the end.");

namespace {

using ebla::Result;
using ebla::Status;
using ebla::process::OrRefuse;
using ebla::standalone::SalvageView;

constexpr char kLossAdvice[] =
    "The data here has no other replica: --salvage serves what can be read of it, and changes nothing. Or restore a "
    "backup to a new --data_dir; --begin_empty sets the data aside and begins without it";

// A gateway for Memcached's and Redis's clients, on the server's own loops. It must be destroyed after the standalone
// has stopped.
class Gateway {
 public:
  const ebla::gateway::GatewayHost& host() const { return *host_; }
  // False: something still runs, and holds on to all of it.
  bool Stop() { return host_->Stop(); }
  Status Open(const ebla::gateway::GatewayOptions& options, ebla::standalone::Standalone& standalone) {
    const std::vector<ebla::rpc::EventLoop*> loops = standalone.loops();
    ebla::ClientOptions client;
    client.masters = {standalone.endpoint().ToString()};
    client.deadline = options.deadline;
    client.connect_timeout = options.deadline;
    EBLA_ASSIGN(client_,
                ebla::client::ConnectOver(
                    loops, [&](ebla::rpc::EventLoop& loop) { return standalone.ConnectorWithin(loop); }, client));
    EBLA_ASSIGN(host_, ebla::gateway::GatewayHost::Open(options, *client_, loops));
    EBLA_TRY(host_->Start());
    standalone.AddMetrics(host_->metrics());
    return {};
  }

 private:
  std::optional<ebla::Client> client_;
  std::unique_ptr<ebla::gateway::GatewayHost> host_;
};

// None: no flag asks for a gateway. Its flags are checked all the same.
ebla::Result<std::optional<ebla::gateway::GatewayOptions>> GatewayFromFlags(bool secured) {
  EBLA_ASSIGN(const bool asked_for, ebla::gateway::GatewayIsAskedFor());
  if (secured && asked_for)
    return ebla::Error(ebla::Code::kInvalidArgument,
                       "--redis_listen and --memcached_listen know no users yet, so that every client could do "
                       "what this server may do: with --tls_dir, run ebla-gateway with its own user instead");
  EBLA_ASSIGN(auto options, ebla::gateway::GatewayOptionsFromFlags(nullptr, "let only this machine reach it"));
  return asked_for ? std::optional(std::move(options)) : std::nullopt;
}

void SetAside(ebla::tabletserver::ServerProcessOptions& server) {
  const auto catalog_opens = [directory = server.data_dir]() -> Status {
    const auto opened = ebla::standalone::OpenCatalog({.data_dir = directory});
    if (opened) return {};
    return ebla::Error(ebla::Code::kInvalidArgument,
                       "the store in " + directory + " is whole, so nothing was moved; only the catalog is not: " +
                           opened.error().message() + ": start once with --rebuild_catalog instead");
  };
  const std::string aside =
      OrRefuse(ebla::tabletserver::BeginEmpty(server, {.needs_new_name = false, .others_open = catalog_opens}));
  std::cerr << "the former data of " << server.data_dir << " is in " << aside << "\n";
}

// A view takes the place of the data directory. `data_dir`: that of the process from now on.
Result<std::unique_ptr<SalvageView>> BeginSalvage(ebla::tabletserver::ServerProcessOptions& server,
                                                  std::string& data_dir) {
  if (server.begin_empty || FLAGS_rebuild_catalog)
    return ebla::Error(ebla::Code::kInvalidArgument,
                       "--salvage changes nothing: give it without --begin_empty and --rebuild_catalog");
  for (const ebla::rpc::Endpoint& address : {server.rpc.listen, server.http_listen}) {
    if (!ebla::process::IsLoopback(address))
      return ebla::Error(ebla::Code::kInvalidArgument, "--salvage serves this machine alone, and " +
                                                           address.ToString() + " is open to others: give 127.0.0.1");
  }
  EBLA_ASSIGN(auto view, SalvageView::Make(server.data_dir, server.name));
  server.data_dir = data_dir = view->path();
  EBLA_ASSIGN(const auto identity, ebla::tabletserver::ReadIdentity(data_dir));
  server.name = identity.name;
  server.no_changes = {ebla::Code::kInvalidArgument,
                       "this server salvages " + view->data_dir() +
                           " and changes nothing: load what it still has into another (ebla dump, ebla load)"};
  server.loss_advice = "This part is needed even by --salvage: restore a backup to a new --data_dir";
  server.store.salvage = view->had();
  server.store.disk_reserve_bytes = 0;
  server.server.scrub.period = {};
  // Nothing is to be kept: a checkpoint would only fill $TMPDIR.
  server.server.checkpoint.period = std::chrono::hours(24 * 365);
  server.server.checkpoint.log_bytes = INT64_MAX;
  return view;
}

ebla::standalone::StandaloneOptions OptionsFor(ebla::tabletserver::ServerProcessOptions server,
                                               const SalvageView* salvage) {
  ebla::standalone::StandaloneOptions options{.server = std::move(server), .master = {}};
  options.master.name = options.server.name;
  options.master.replicas_default = 1;  // there is one server
  options.master.splits = FLAGS_splits;
  options.rebuild_catalog = FLAGS_rebuild_catalog || salvage != nullptr;
  if (salvage != nullptr) options.salvaged = salvage->data_dir();
  return options;
}

Result<std::unique_ptr<ebla::standalone::Standalone>> Start(ebla::standalone::StandaloneOptions options,
                                                            const SalvageView* salvage) {
  auto standalone = ebla::standalone::Standalone::Start(std::move(options));
  if (!standalone && salvage != nullptr)
    return ebla::Error(standalone.error().code(), salvage->WithRealPaths(standalone.error().message()));
  return standalone;
}

void TellOf(const ebla::standalone::Standalone& standalone, const SalvageView* salvage) {
  if (standalone.rebuilt()) std::cout << standalone.rebuilt()->ToString() << std::endl;
  if (salvage == nullptr) return;
  for (const std::string& part : standalone.Unsalvaged())
    std::cout << "  " << salvage->WithRealPaths(part) << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  // Clients look for a master at this address. One server needs no name of its own.
  for (const auto& [flag, value] : {std::pair("name", "standalone"), std::pair("listen", "127.0.0.1:7400"),
                                    std::pair("http_listen", "127.0.0.1:7401"), std::pair("create_table", "true")}) {
    gflags::SetCommandLineOptionWithMode(flag, value, gflags::SET_FLAGS_DEFAULT);
  }
  ebla::tabletserver::ServerProcessOptions server;
  std::optional<ebla::gateway::GatewayOptions> gateway_options;
  static std::unique_ptr<SalvageView> salvage;  // also removed where the start is refused
  std::string data_dir;
  const auto check = [&]() -> Status {
    EBLA_ASSIGN(server, ebla::tabletserver::OptionsFromFlags());
    EBLA_TRY(ebla::process::CheckIsObeyed(server.rpc.tls.get(), ebla::process::Orders::kItself));
    EBLA_ASSIGN(gateway_options, GatewayFromFlags(server.rpc.tls != nullptr));
    data_dir = server.data_dir;
    server.loss_advice = kLossAdvice;
    if (FLAGS_salvage) {
      if (gateway_options)
        return ebla::Error(ebla::Code::kInvalidArgument,
                           "--salvage serves clients of Ebla alone: give it without listeners for Redis and Memcached");
      EBLA_ASSIGN(salvage, BeginSalvage(server, data_dir));
    }
    return {};
  };
  auto lock =
      ebla::process::InitProcess({.role = "standalone",
                                  .usage = "Runs a whole Ebla in one process: master, tablet server and coordinator.\n"
                                           "  ebla-standalone --data_dir=DIRECTORY",
                                  .data_dir = &data_dir,
                                  .content = ebla::process::DirectoryLock::Content::kStore,
                                  .check = check},
                                 argc, argv);
  if (server.rpc.tls != nullptr) server.rpc.tls->TrustItself();
  server.audit = OrRefuse(ebla::process::OpenAuditLog());
  server.lock = std::move(lock);
  if (server.begin_empty) SetAside(server);
  ebla::standalone::StandaloneOptions options = OptionsFor(std::move(server), salvage.get());
  std::atomic<int> exit_code = 0;
  options.server.server.on_refused = [&exit_code, data_dir = options.server.data_dir](const Status& status) {
    ebla::process::Complain(Status(status.code(), data_dir + ": " + status.message()));
    exit_code = ebla::process::ExitCode(status);
    ebla::process::RequestTermination();
  };
  const auto standalone = OrRefuse(Start(std::move(options), salvage.get()));
  TellOf(*standalone, salvage.get());
  std::unique_ptr<Gateway> gateway;
  if (gateway_options) {
    gateway = std::make_unique<Gateway>();
    if (const Status status = gateway->Open(*gateway_options, *standalone); !status.ok()) {
      ebla::process::Complain(status);
      std::ignore = standalone->Stop(std::chrono::seconds(3));
      std::_Exit(ebla::process::ExitCode(status));  // commands of another listener may be under way
    }
  }
  std::cout << "ebla-standalone serves at " << standalone->endpoint().ToString();
  if (gateway != nullptr) std::cout << ", " << gateway->host().Serves();
  std::cout << ", http at " << standalone->http_endpoint().ToString() << std::endl;
  ebla::process::WaitForTermination([&] { return standalone->Ready(); });
  const bool quiet = gateway == nullptr || gateway->Stop();
  if (const Status store = standalone->Stop(std::chrono::seconds(3)); !store.ok() && salvage == nullptr) {
    ebla::process::Complain(store);
    exit_code = ebla::process::ExitCode(store);
  }
  if (!quiet) {
    LOG(WARNING) << "commands were still under way: their writes may or may not have taken effect";
    std::_Exit(exit_code.load());  // they hold on to what would go now
  }
  gateway.reset();
  return exit_code.load();
}
