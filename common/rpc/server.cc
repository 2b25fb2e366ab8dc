#include "common/rpc/server.h"

#include <glog/logging.h>
#include <unistd.h>

#include "common/rpc/listener.h"
#include "common/rpc/server_connection.h"
#include "common/rpc/server_loop.h"
#include "common/rpc/socket.h"

namespace ebla::rpc {
class RpcServer::Impl {
 public:
  Impl(ServerOptions options, const Dispatcher& dispatcher, std::vector<EventLoop*> loops)
      : options_(std::move(options)),
        dispatcher_(dispatcher),
        listener_(*loops.at(0), [this](int fd, std::string peer) { Take(fd, std::move(peer)); }) {
    for (EventLoop* loop : loops)
      loops_.push_back(std::make_shared<ServerLoop>(*loop, options_, dispatcher, loops.size()));
  }

  ~Impl() { Stop(Duration{0}); }

  Status Start() {
    EBLA_TRY(listener_.Listen(options_.listen));
    address_ = listener_.address();
    if (options_.listen.host == "localhost") address_.host = "localhost";
    listener_.Start();
    return Status::Ok();
  }

  void Stop(Duration patience) {
    if (!listener_.listening()) return;
    listener_.Stop();
    if (patience > Duration{0}) DrainAll(loops_, patience);
    for (const auto& loop : loops_) RunOn(loop->loop, [&loop] { loop->CloseAll(); });
  }

  const Endpoint& address() const { return address_; }

  ServerStats Stats() const {
    ServerStats stats;
    stats.connections_accepted = accepted_.value();
    stats.connections_refused = refused_.value();
    stats.denied = dispatcher_.refusals();
    stats.limited = dispatcher_.limited();
    for (const auto& loop : loops_) {
      stats.requests += loop->requests.value();
      stats.in_flight += loop->counters.in_flight.value();
      stats.connections += loop->counters.connections.value();
      stats.connections_broken += loop->counters.broken.value();
      stats.bytes_in += loop->counters.bytes_in.value();
      stats.bytes_out += loop->counters.bytes_out.value();
    }
    return stats;
  }

 private:
  void Take(int fd, std::string peer) {
    accepted_.Add(1);
    if (Stats().connections >= options_.connections_max) {
      refused_.Add(1);
      LOG_EVERY_N(WARNING, 1000) << "refused a connection: " << options_.connections_max << " are open already";
      close(fd);
      return;
    }
    SetNoDelay(fd);
    HandOver(loops_[next_++ % loops_.size()], fd, std::move(peer));
  }

  const ServerOptions options_;
  const Dispatcher& dispatcher_;
  std::vector<std::shared_ptr<ServerLoop>> loops_;  // shared with connections: see ServerLoop
  Endpoint address_;
  size_t next_ = 0;
  LoopCounter accepted_, refused_;  // the listener's
  Listener listener_;
};

RpcServer::RpcServer(ServerOptions options, const Dispatcher& dispatcher, std::vector<EventLoop*> loops)
    : impl_(std::make_unique<Impl>(std::move(options), dispatcher, std::move(loops))) {}
RpcServer::~RpcServer() = default;

Status RpcServer::Start() { return impl_->Start(); }
const Endpoint& RpcServer::address() const { return impl_->address(); }
void RpcServer::Stop(Duration patience) { impl_->Stop(patience); }
ServerStats RpcServer::Stats() const { return impl_->Stats(); }

}  // namespace ebla::rpc
