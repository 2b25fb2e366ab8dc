#include "common/rpc/server.h"

#include <glog/logging.h>

#include "common/rpc/acceptor.h"
#include "common/rpc/server_loop.h"

namespace ebla::rpc {
class RpcServer::Impl {
 public:
  Impl(ServerOptions options, const Dispatcher& dispatcher, const std::vector<EventLoop*>& loops)
      : options_(std::move(options)),
        dispatcher_(dispatcher),
        loops_(MakeLoops(options_, dispatcher, loops)),
        acceptor_({loops_.begin(), loops_.end()}, options_.connections_max, [this](int) {
          LOG_EVERY_N(WARNING, 1000) << "refused a connection: " << options_.connections_max << " are open already";
        }) {}

  Status Start() {
    EBLA_TRY(acceptor_.Listen(options_.listen));
    address_ = acceptor_.address();
    if (options_.listen.host == "localhost") address_.host = "localhost";
    acceptor_.Start();
    return Status::Ok();
  }

  void Stop(Duration patience) { acceptor_.Stop(patience); }

  const Endpoint& address() const { return address_; }

  ServerStats Stats() const {
    ServerStats stats;
    stats.denied = dispatcher_.refusals();
    stats.limited = dispatcher_.limited();
    for (const auto& loop : loops_) {
      stats.requests += loop->requests.value();
      stats.in_flight += loop->counters.in_flight.value();
      stats.connections += loop->counters.connections.value();
      stats.connections_accepted += loop->counters.accepted.value();
      stats.connections_refused += loop->counters.refused.value();
      stats.connections_broken += loop->counters.broken.value();
      stats.bytes_in += loop->counters.bytes_in.value();
      stats.bytes_out += loop->counters.bytes_out.value();
    }
    return stats;
  }

 private:
  using Loops = std::vector<std::shared_ptr<ServerLoop>>;
  static Loops MakeLoops(const ServerOptions& options, const Dispatcher& dispatcher,
                         const std::vector<EventLoop*>& event_loops) {
    const auto window =
        options.user_calls == nullptr ? std::make_shared<CallWindow>(CallWindow::kLeast) : options.user_calls;
    Loops loops;
    for (EventLoop* loop : event_loops)
      loops.push_back(std::make_shared<ServerLoop>(*loop, options, dispatcher, event_loops.size(), window));
    return loops;
  }

  const ServerOptions options_;
  const Dispatcher& dispatcher_;
  const Loops loops_;  // shared with connections: see ServerLoop
  Endpoint address_;
  Acceptor acceptor_;
};

RpcServer::RpcServer(ServerOptions options, const Dispatcher& dispatcher, std::vector<EventLoop*> loops)
    : impl_(std::make_unique<Impl>(std::move(options), dispatcher, loops)) {}
RpcServer::~RpcServer() = default;

Status RpcServer::Start() { return impl_->Start(); }
const Endpoint& RpcServer::address() const { return impl_->address(); }
void RpcServer::Stop(Duration patience) { impl_->Stop(patience); }
ServerStats RpcServer::Stats() const { return impl_->Stats(); }

}  // namespace ebla::rpc
