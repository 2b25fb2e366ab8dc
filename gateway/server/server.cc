#include "gateway/server/server.h"

#include <glog/logging.h>
#include <sys/socket.h>

#include <utility>

#include "common/rpc/acceptor.h"
#include "gateway/server/server_loop.h"

namespace ebla::gateway {
namespace {

rpc::Acceptor::Loops MakeLoops(ServerOptions options, const ProtocolFactory& factory,
                               const std::vector<rpc::EventLoop*>& event_loops, Statistics& statistics) {
  options.buffered_bytes_max /= event_loops.size();
  rpc::Acceptor::Loops loops;
  for (size_t i = 0; i < event_loops.size(); ++i)
    loops.push_back(
        std::make_shared<ServerLoop>(*event_loops[i], options, factory, statistics.loop(i), event_loops.size()));
  return loops;
}

void Refuse(const ServerOptions& options, int fd) {
  LOG_EVERY_T(WARNING, 10) << "refused a connection: " << options.connections_max << " are open already";
  if (!options.refusal.empty() && options.tls == nullptr)
    send(fd, options.refusal.data(), options.refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

Server::Server(ServerOptions options, ProtocolFactory factory, std::vector<rpc::EventLoop*> loops,
               Statistics& statistics)
    : options_(std::move(options)),
      acceptor_(std::make_unique<rpc::Acceptor>(MakeLoops(options_, factory, loops, statistics),
                                                options_.connections_max, [this](int fd) { Refuse(options_, fd); })) {}
Server::~Server() = default;

Status Server::Listen() { return acceptor_->Listen(options_.listen); }

Status Server::Start() {
  if (!acceptor_->listening()) EBLA_TRY(Listen());
  acceptor_->Start();
  return Status::Ok();
}

const rpc::Endpoint& Server::address() const { return acceptor_->address(); }
void Server::Stop(Duration patience) { acceptor_->Stop(patience); }

}  // namespace ebla::gateway
