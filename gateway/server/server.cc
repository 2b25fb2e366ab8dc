#include "gateway/server/server.h"

#include <glog/logging.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "common/rpc/listener.h"
#include "common/rpc/socket.h"
#include "gateway/server/connection.h"
#include "gateway/server/server_loop.h"

namespace ebla::gateway {

class Server::Impl {
 public:
  Impl(ServerOptions options, const ProtocolFactory& factory, const std::vector<rpc::EventLoop*>& loops,
       Statistics& statistics)
      : options_(std::move(options)),
        statistics_(statistics),
        listener_(*loops.at(0), [this](int fd, std::string peer) { Take(fd, std::move(peer)); }) {
    ServerOptions of_loop = options_;
    of_loop.buffered_bytes_max /= loops.size();
    for (size_t i = 0; i < loops.size(); ++i)
      loops_.push_back(std::make_shared<ServerLoop>(*loops[i], of_loop, factory, statistics.loop(i)));
  }
  ~Impl() { Stop(Duration{0}); }

  Status Listen() { return listener_.Listen(options_.listen); }

  Status Start() {
    if (!listener_.listening()) EBLA_TRY(Listen());
    listener_.Start();
    return Status::Ok();
  }

  void Stop(Duration patience) {
    if (!listener_.listening()) return;
    listener_.Stop();
    if (patience > Duration{0}) rpc::DrainAll(loops_, patience);
    for (const auto& loop : loops_) rpc::RunOn(loop->loop, [&loop] { loop->CloseAll(); });
  }

  const rpc::Endpoint& address() const { return listener_.address(); }

 private:
  // Sockets on their way to a loop are counted by the next look.
  void Take(int fd, std::string peer) {
    LoopStatistics& own = statistics_.loop(0);
    own.accepted.Add(1);
    uint64_t open = 0;
    for (size_t i = 0; i < loops_.size(); ++i) open += statistics_.loop(i).connections.value();
    if (open >= options_.connections_max) {
      own.refused.Add(1);
      LOG_EVERY_T(WARNING, 10) << "refused a connection: " << options_.connections_max << " are open already";
      if (!options_.refusal.empty() && options_.tls == nullptr)
        send(fd, options_.refusal.data(), options_.refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      close(fd);
      return;
    }
    rpc::SetNoDelay(fd);
    rpc::HandOver(loops_[next_++ % loops_.size()], fd, std::move(peer));
  }

  const ServerOptions options_;
  Statistics& statistics_;
  std::vector<std::shared_ptr<ServerLoop>> loops_;  // shared with connections
  size_t next_ = 0;
  rpc::Listener listener_;
};

Server::Server(ServerOptions options, ProtocolFactory factory, std::vector<rpc::EventLoop*> loops,
               Statistics& statistics)
    : impl_(std::make_unique<Impl>(std::move(options), factory, loops, statistics)) {}
Server::~Server() = default;

Status Server::Listen() { return impl_->Listen(); }
Status Server::Start() { return impl_->Start(); }
const rpc::Endpoint& Server::address() const { return impl_->address(); }
void Server::Stop(Duration patience) { impl_->Stop(patience); }

}  // namespace ebla::gateway
