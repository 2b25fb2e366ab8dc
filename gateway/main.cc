// gateway/main.cc: ebla-gateway. Speaks other stores' protocols before an Ebla cluster.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "client/sdk/connect_over.h"
#include "common/base/split_text.h"
#include "common/http/http_server.h"
#include "common/process/addresses.h"
#include "common/process/bounded_flag.h"
#include "common/process/exposure.h"
#include "common/process/process.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/loop_threads.h"
#include "common/security/scram.h"
#include "ebla/ebla.h"
#include "gateway/host/gateway_flags.h"

DEFINE_string(masters, "127.0.0.1:7400",
              "host:port[,host:port...] of the cluster's masters. A single reachable master is enough.");
DEFINE_BOUNDED(int32, threads, 2, 1, 64, "threads",
               "Event loops that serve clients and speak with the cluster, on as many threads as their load pays for.");
DEFINE_BOUNDED(int32, deadline_ms, 10'000, 1, 3'600'000, "ms", "Deadline of a command.");
DEFINE_BOUNDED(int32, connections_max, 10'000, 1, 1'000'000, "connections",
               "Most connections of clients at a time. Further connections get an error and are closed.");
DEFINE_string(tls_dir, "",
              "Directory of ca.crt, client.crt and client.key, by which the gateway authenticates to the cluster. "
              "Empty: in the clear.");
DEFINE_string(user, "", "Log in to the cluster under this name instead of with a certificate. It takes --tls_dir.");
DEFINE_string(password_file, "", "File whose first line is the password of --user.");
DEFINE_bool(
    redis_login, false,
    "Require Redis's clients to log in (AUTH, HELLO) as users of the cluster before any other command. A client may do "
    "what its user may. It takes --tls_dir. Without this flag a login is optional, and a client without one has the "
    "gateway's rights.");
DEFINE_string(listen_tls_dir, "",
              "Directory of ca.crt, server.crt and server.key. With it, clients speak TLS and show a certificate of "
              "that authority; HTTP, too, but for /healthz and /readyz. Empty: every client that reaches the gateway "
              "can do what the gateway can do.");
DEFINE_string(http_listen, "127.0.0.1:7421",
              "Address for /metrics, /healthz and /readyz. With port 0 the system picks a port.");

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kLoginPatience{3};
constexpr char kRemedy[] = "give it certificates with --listen_tls_dir (ebla cert makes them)";

using process::OrRefuse;

// Without the gateway's own name and password.
ClientOptions ClusterFromFlags() {
  ClientOptions options;
  options.masters = SplitText(FLAGS_masters, ',', EmptyParts::kDrop);
  options.deadline = milliseconds(FLAGS_deadline_ms);
  options.connect_timeout = milliseconds(FLAGS_deadline_ms);
  options.tls_dir = FLAGS_tls_dir;
  return options;
}

Client ConnectToCluster(const std::vector<rpc::EventLoop*>& loops, const redis::Credentials& own) {
  ClientOptions options = ClusterFromFlags();
  options.user = own.user;
  options.password = own.password;
  return OrRefuse(client::ConnectOver(loops, nullptr, options));
}

// A thief of what a gateway shows to its clients must not have the rights of a process of the cluster.
Status CheckIsNoProcess(security::TlsCredentials& own) {
  const auto self = own.Self();
  if (!self || !self->is_process()) return {};
  return Error(Code::kInvalidArgument, FLAGS_listen_tls_dir + "/server.crt is of the " + UnitOf(self->kind) + " \"" +
                                           self->name +
                                           "\", and has its rights in the cluster: make a gateway's with " +
                                           "ebla cert create-server NAME --gateway");
}

Result<std::shared_ptr<security::TlsCredentials>> CertificatesForClients() {
  if (FLAGS_listen_tls_dir.empty()) return nullptr;
  EBLA_ASSIGN(auto tls, security::TlsCredentials::Load(FLAGS_listen_tls_dir, "server"));
  EBLA_TRY(CheckIsNoProcess(*tls));
  return tls;
}

Result<GatewayOptions> OptionsFromFlags() {
  EBLA_ASSIGN(auto tls, CertificatesForClients());
  EBLA_ASSIGN(GatewayOptions options, GatewayOptionsFromFlags(std::move(tls), kRemedy));
  if (options.listeners() == 0)
    return Error(Code::kInvalidArgument,
                 "name a listener: --redis_listen=127.0.0.1:6379, or --memcached_listen=127.0.0.1:11211, or both");
  options.own_login.user = FLAGS_user;
  if (!FLAGS_user.empty()) {
    EBLA_ASSIGN(options.own_login.password, security::ReadPassword(FLAGS_password_file));
  }
  if (FLAGS_redis_login && FLAGS_tls_dir.empty())
    return Error(Code::kInvalidArgument,
                 "--redis_login takes --tls_dir, because the gateway sends passwords to the cluster over TLS alone");
  options.redis_login_required = FLAGS_redis_login;
  if (!FLAGS_tls_dir.empty()) {
    options.redis_users = ClusterFromFlags();
    options.redis_users->io_threads = 1;
    options.redis_users->connect_timeout = kLoginPatience;
  }
  options.deadline = milliseconds(FLAGS_deadline_ms);
  options.connections_max = static_cast<size_t>(FLAGS_connections_max);
  constexpr size_t kFilesOfALoop = 5;
  process::CheckOpenFiles(
      options.listeners() * options.connections_max + 64 + kFilesOfALoop * static_cast<size_t>(FLAGS_threads),
      "connections_max");
  return options;
}

Result<http::HttpOptions> HttpFromFlags(std::shared_ptr<security::TlsCredentials> tls) {
  http::HttpOptions settings;
  settings.title = "Ebla gateway";
  EBLA_ASSIGN(settings.listen, process::ListenFlag("http_listen", FLAGS_http_listen));
  if (tls == nullptr) EBLA_TRY(process::CheckUnguarded("http_listen", settings.listen, kRemedy));
  settings.tls = std::move(tls);
  return settings;
}

http::HttpOptions WithPages(http::HttpOptions settings, const GatewayHost& host) {
  settings.metrics = host.metrics();
  settings.ready = [&host] { return host.Ready(); };
  return settings;
}

int Run(const GatewayOptions& options, const http::HttpOptions& http_options) {
  // In this order, because later objects use earlier ones.
  std::vector<std::unique_ptr<rpc::EventLoop>> loops;
  std::vector<rpc::EventLoop*> loop_pointers;
  for (int i = 0; i < FLAGS_threads; ++i) {
    loops.push_back(std::make_unique<rpc::EventLoop>("gateway-" + std::to_string(i)));
    loop_pointers.push_back(loops.back().get());
  }
  rpc::LoopThreads threads(loop_pointers);
  threads.Start();
  const Client client = ConnectToCluster(loop_pointers, options.own_login);
  const std::unique_ptr<GatewayHost> host = OrRefuse(GatewayHost::Open(options, client, loop_pointers));
  http::HttpServer http(WithPages(http_options, *host));
  OrRefuse(host->Start());
  OrRefuse(http.Start());
  std::cout << "ebla-gateway serves " << host->Serves() << ", http at " << http.address().ToString() << std::endl;

  process::WaitForTermination([&host] { return host->Ready(); }, "--masters=" + FLAGS_masters);
  LOG(INFO) << "stopping";
  const bool quiet = host->Stop();
  http.Stop();
  if (!quiet) {
    LOG(WARNING) << "commands are still under way: what they write may or may not take effect";
    std::_Exit(0);
  }
  threads.Stop();
  return 0;
}

}  // namespace
}  // namespace ebla::gateway

int main(int argc, char** argv) {
  ebla::gateway::GatewayOptions options;
  ebla::http::HttpOptions http_options;
  const auto check = [&]() -> ebla::Status {
    EBLA_ASSIGN(options, ebla::gateway::OptionsFromFlags());
    EBLA_ASSIGN(http_options, ebla::gateway::HttpFromFlags(options.tls));
    return {};
  };
  const auto lock = ebla::process::InitProcess(
      {.role = "gateway",
       .usage = "Serves an Ebla cluster to clients of other stores. It speaks Redis's protocol, and Memcached's\n"
                "text and meta protocols.\n"
                "  ebla-gateway --redis_listen=127.0.0.1:6379 [--masters=HOST:PORT[,HOST:PORT...]] [--flagfile=FILE]",
       .check = check},
      argc, argv);
  return ebla::gateway::Run(options, http_options);
}
