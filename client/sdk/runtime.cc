#include "client/sdk/runtime.h"

#include <unistd.h>

#include <thread>

#include "client/core/routing/master_probe.h"

namespace ebla::client {

namespace {

Status CheckBetween(const char* name, int value) {
  if (value >= 1 && value <= 64) return {};
  return Error(Code::kInvalidArgument, std::string(name) + " is " + std::to_string(value) + ": it must be 1 to 64");
}

std::string HostName() {
  char name[256] = "";
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

Result<std::shared_ptr<Runtime>> Runtime::Make(const ClientOptions& options) {
  if (options.masters.empty()) {
    return Error(Code::kInvalidArgument, "no master given: set .masters to the host:port of one or more");
  }
  std::vector<rpc::Endpoint> masters;
  for (const std::string& text : options.masters) {
    EBLA_ASSIGN(rpc::Endpoint endpoint, rpc::Endpoint::Parse(text));
    masters.push_back(std::move(endpoint));
  }
  if (options.deadline.count() <= 0) return Error(Code::kInvalidArgument, "the deadline must be above 0");
  if (options.connect_timeout.count() < 0) return Error(Code::kInvalidArgument, "the connect timeout is below 0");
  EBLA_TRY(CheckBetween("io_threads", options.io_threads));
  EBLA_TRY(CheckBetween("connections_per_server", options.connections_per_server));
  std::shared_ptr<security::TlsCredentials> tls;
  if (!options.tls_dir.empty()) {
    using Own = security::TlsCredentials::Own;
    const Own own = options.user.empty() ? Own::kRequired : Own::kOptional;
    EBLA_ASSIGN(tls, security::TlsCredentials::Load(options.tls_dir, "client", own));
  }
  std::shared_ptr<const security::ScramCredentials> login;
  if (!options.user.empty()) {
    if (options.password.empty()) return Error(Code::kInvalidArgument, "a user is named, and no password");
    if (tls == nullptr) {
      return Error(Code::kInvalidArgument,
                   "a user logs in over TLS alone: name a directory that holds ca.crt as tls_dir. In the clear anybody "
                   "could answer for the server, and would get what it takes to guess the password");
    }
    login = std::make_shared<security::ScramCredentials>(options.user, options.password);
  }
  auto* runtime = new Runtime(options, std::move(masters), {.tls = tls, .login = login});
  return std::shared_ptr<Runtime>(runtime, [](Runtime* last) {
    if (last->OnOwnThread()) {
      std::thread([last] { delete last; }).detach();
    } else {
      delete last;
    }
  });
}

Runtime::Runtime(const ClientOptions& options, std::vector<rpc::Endpoint> masters, const rpc::ChannelOptions& channels)
    : masters_(masters) {
  for (int i = 0; i < options.io_threads; ++i) {
    loops_.push_back(std::make_unique<rpc::EventLoop>("ebla-client-" + std::to_string(i)));
  }
  const int connections = std::max(options.connections_per_server, options.io_threads);
  std::vector<IoContext> io_contexts;
  for (int i = 0; i < connections; ++i) {
    rpc::EventLoop& loop = *loops_[static_cast<size_t>(i) % loops_.size()];
    connectors_.push_back(std::make_unique<rpc::PipelinedConnector>(loop, channels));
    io_contexts.push_back({&loop, connectors_.back().get()});
  }
  core_ = std::make_unique<ClientCore>(std::move(io_contexts),
                                       CoreOptions{std::move(masters), options.deadline, {options.rack, HostName()}});
  admin_ = std::make_unique<Admin>(core_->masters(), core_->network(), options.deadline);
  for (auto& loop : loops_) loop->Start();
}

Status Runtime::FindMaster(std::chrono::milliseconds timeout) {
  if (timeout.count() <= 0) return {};
  return WaitFor<Status>([&](Callback<Status> done) {
    ProbeMasters(core_->network(), masters_, timeout, OnceCallback<Status>(std::move(done)));
  });
}

Runtime::~Runtime() {
  // Stopped loops drop their tasks, connectors the calls in flight: whatever was under way dies, answering as it does,
  // while the core that it refers to still stands.
  for (auto& loop : loops_) loop->Stop();
  core_->Close();
  connectors_.clear();
  loops_.clear();
}

bool Runtime::OnOwnThread() const {
  for (const auto& loop : loops_) {
    if (loop->InThread()) return true;
  }
  return false;
}

}  // namespace ebla::client
