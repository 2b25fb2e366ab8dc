// ebla-standalone: a whole Ebla in one process, for development and for what one machine can carry.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <vector>

#include "client/sdk/connect_over.h"
#include "common/process/process.h"
#include "common/process/security_flags.h"
#include "gateway/host/gateway_flags.h"
#include "tabletserver/server/server_flags.h"
#include "tools/standalone/standalone.h"

DEFINE_bool(splits, true, "Whether tablets may be split, by hand and by load.");

namespace {

using ebla::Status;

int Fail(const Status& status) {
  ebla::process::Complain(status);
  return 1;
}

// Memcached's and Redis's clients, on the server's own loops. It goes after the standalone has stopped.
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

// None: it is not asked for.
ebla::Result<std::optional<ebla::gateway::GatewayOptions>> GatewayFromFlags(bool secured) {
  EBLA_ASSIGN(const bool asked_for, ebla::gateway::GatewayIsAskedFor());
  if (!asked_for) return std::nullopt;
  if (secured)
    return ebla::Error(ebla::Code::kInvalidArgument,
                       "--redis_listen and --memcached_listen know no users yet, so that whoever reaches them could do "
                       "what this server may: with --tls_dir, run ebla-gateway with a user of its own instead");
  return ebla::gateway::GatewayOptionsFromFlags(nullptr, "let nobody but this machine reach it");
}

}  // namespace

int main(int argc, char** argv) {
  // Clients look for a master at this address. One server needs no name of its own.
  for (const auto& [flag, value] : {std::pair("name", "standalone"), std::pair("listen", "127.0.0.1:7400"),
                                    std::pair("http_listen", "127.0.0.1:7401"), std::pair("create_table", "true")}) {
    gflags::SetCommandLineOptionWithMode(flag, value, gflags::SET_FLAGS_DEFAULT);
  }
  auto lock =
      ebla::process::InitProcess({.role = "standalone",
                                  .usage = "A whole Ebla in one process: master, tablet server and coordinator.\n"
                                           "  ebla-standalone --data_dir=DIRECTORY",
                                  .data_dir = ebla::tabletserver::DataDirFlag(),
                                  .content = ebla::process::DirectoryLock::Content::kStore},
                                 argc, argv);
  auto server = ebla::tabletserver::OptionsFromFlags();
  if (!server) return Fail(server.error());
  if (const Status status = ebla::process::CheckIsObeyed(server->rpc.tls.get(), ebla::process::Orders::kItself);
      !status.ok())
    return Fail(status);
  if (server->rpc.tls != nullptr) server->rpc.tls->TrustItself();
  const auto gateway_options = GatewayFromFlags(server->rpc.tls != nullptr);
  if (!gateway_options) return Fail(gateway_options.error());
  server->lock = std::move(lock);
  ebla::standalone::StandaloneOptions options{.server = *std::move(server), .master = {}};
  options.master.name = options.server.name;
  options.master.replicas_default = 1;  // there is one server
  options.master.splits = FLAGS_splits;
  std::atomic<bool> refused = false;
  options.server.server.on_refused = [&refused](const Status& status) {
    ebla::process::Complain(status);
    refused = true;
    ebla::process::RequestTermination();
  };
  auto standalone = ebla::standalone::Standalone::Start(std::move(options));
  if (!standalone) return Fail(standalone.error());
  std::unique_ptr<Gateway> gateway;
  if (*gateway_options) {
    gateway = std::make_unique<Gateway>();
    if (const Status status = gateway->Open(**gateway_options, **standalone); !status.ok()) {
      ebla::process::Complain(status);
      (*standalone)->Stop(std::chrono::seconds(3));
      std::_Exit(1);  // clients of the other door may be under way
    }
  }
  std::cout << "ebla-standalone serves at " << (*standalone)->endpoint().ToString();
  if (gateway != nullptr) std::cout << ", " << gateway->host().Serves();
  std::cout << ", http at " << (*standalone)->http_endpoint().ToString() << std::endl;
  ebla::process::WaitForTermination([&] { return (*standalone)->Ready(); });
  const bool quiet = gateway == nullptr || gateway->Stop();
  (*standalone)->Stop(std::chrono::seconds(3));
  if (!quiet) {
    LOG(WARNING) << "commands were still under way: what they wrote may or may not have taken effect";
    std::_Exit(refused ? 1 : 0);  // they hold on to what would go now
  }
  gateway.reset();
  return refused ? 1 : 0;
}
