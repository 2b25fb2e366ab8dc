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

Result<std::vector<rpc::Endpoint>> Runtime::CheckedMasters(const ClientOptions& options) {
  if (options.masters.empty()) {
    return Error(Code::kInvalidArgument, "no master is named: give the host:port of one or more");
  }
  std::vector<rpc::Endpoint> masters;
  for (const std::string& text : options.masters) {
    EBLA_ASSIGN(rpc::Endpoint endpoint, rpc::Endpoint::Parse(text));
    masters.push_back(std::move(endpoint));
  }
  if (options.deadline.count() <= 0) return Error(Code::kInvalidArgument, "the deadline must be above 0");
  if (options.connect_timeout.count() < 0) return Error(Code::kInvalidArgument, "the connect timeout is below 0");
  return masters;
}

Result<Runtime::MakeConnector> Runtime::OverNetwork(const ClientOptions& options) {
  rpc::ChannelOptions channels;
  if (!options.tls_dir.empty()) {
    using Own = security::TlsCredentials::Own;
    const auto own = options.user.empty() ? Own::kRequired : Own::kOptional;
    EBLA_ASSIGN(channels.tls, security::TlsCredentials::Load(options.tls_dir, "client", own));
  }
  if (!options.user.empty()) {
    if (options.password.empty()) return Error(Code::kInvalidArgument, "a user is named, and no password");
    if (channels.tls == nullptr) {
      return Error(
          Code::kInvalidArgument,
          "a user logs in over TLS alone: name a directory that holds ca.crt as tls_dir. Without TLS, any machine "
          "between could pretend to be the server and collect what it needs to guess the password");
    }
    channels.login = std::make_shared<security::ScramCredentials>(options.user, options.password);
  }
  return [channels](rpc::EventLoop& loop) { return std::make_unique<rpc::PipelinedConnector>(loop, channels); };
}

Result<std::shared_ptr<Runtime>> Runtime::Make(const ClientOptions& options) {
  EBLA_ASSIGN(std::vector<rpc::Endpoint> masters, CheckedMasters(options));
  EBLA_TRY(CheckBetween("io_threads", options.io_threads));
  EBLA_TRY(CheckBetween("connections_per_server", options.connections_per_server));
  EBLA_ASSIGN(const MakeConnector connector, OverNetwork(options));
  std::unique_ptr<Runtime> runtime(new Runtime(options, std::move(masters)));
  std::vector<rpc::EventLoop*> loops;
  for (int i = 0; i < options.io_threads; ++i) {
    runtime->own_loops_.push_back(std::make_unique<rpc::EventLoop>("ebla-client-" + std::to_string(i)));
    loops.push_back(runtime->own_loops_.back().get());
  }
  runtime->OpenCore(loops, static_cast<size_t>(std::max(options.connections_per_server, options.io_threads)),
                    connector);
  for (auto& loop : runtime->own_loops_) loop->Start();
  return Shared(std::move(runtime));
}

Result<std::shared_ptr<Runtime>> Runtime::MakeOver(const std::vector<rpc::EventLoop*>& loops, MakeConnector connector,
                                                   const ClientOptions& options) {
  EBLA_ASSIGN(std::vector<rpc::Endpoint> masters, CheckedMasters(options));
  if (!connector) {
    EBLA_ASSIGN(connector, OverNetwork(options));
  }
  std::unique_ptr<Runtime> runtime(new Runtime(options, std::move(masters)));
  runtime->OpenCore(loops, loops.size(), connector);
  return Shared(std::move(runtime));
}

// The last handle may go on a thread of its own, where the loops cannot be stopped.
std::shared_ptr<Runtime> Runtime::Shared(std::unique_ptr<Runtime> runtime) {
  return {runtime.release(), [](Runtime* last) {
            if (last->OnOwnThread()) {
              std::thread([last] { delete last; }).detach();
            } else {
              delete last;
            }
          }};
}

void Runtime::OpenCore(const std::vector<rpc::EventLoop*>& loops, size_t connections, const MakeConnector& connector) {
  loops_ = loops;
  std::vector<IoContext> io_contexts;
  for (size_t i = 0; i < connections; ++i) {
    rpc::EventLoop& loop = *loops[i % loops.size()];
    connectors_.push_back(connector(loop));
    io_contexts.push_back({&loop, connectors_.back().get()});
  }
  core_ = std::make_unique<ClientCore>(
      std::move(io_contexts), CoreOptions{masters_, DeadlineOf(options_.deadline), {options_.rack, HostName()}});
  admin_ = std::make_unique<Admin>(core_->masters(), core_->network(), DeadlineOf(options_.deadline));
}

Status Runtime::FindMaster(std::chrono::milliseconds timeout) {
  if (timeout.count() <= 0) return {};
  return WaitFor<Status>([&](Callback<Status> done) {
    ProbeMasters(core_->network(), masters_, DeadlineOf(timeout), OnceCallback<Status>(std::move(done)));
  });
}

Runtime::~Runtime() {
  // Stopped loops drop their tasks, and connectors drop the calls in flight. So every operation under way ends with an
  // answer while its core still exists.
  for (auto& loop : own_loops_) loop->Stop();
  core_->Close();
  connectors_.clear();
  own_loops_.clear();
}

bool Runtime::OnOwnThread() const {
  for (const auto& loop : loops_) {
    if (loop->InThread()) return true;
  }
  return false;
}

}  // namespace ebla::client
