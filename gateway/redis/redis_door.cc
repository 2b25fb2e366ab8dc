#include "gateway/redis/redis_door.h"

#include <glog/logging.h>

namespace ebla::gateway::redis {
namespace {

bool IsWildcard(const rpc::Endpoint& endpoint) { return endpoint.host == "0.0.0.0" || endpoint.host == "::"; }
bool IsLoopback(const rpc::Endpoint& endpoint) { return endpoint.host.starts_with("127.") || endpoint.host == "::1"; }

}  // namespace

RedisDoor::RedisDoor(const DoorOptions& options, const Client& client, Table table, TableStoreOptions levels,
                     const RedisDoorOptions& redis)
    : table_(std::move(table)),
      statistics_(CommandNames(), options.loops.size()),
      databases_(std::make_shared<TableDatabases>(client, table_, levels)),
      shared_(std::make_shared<Shared>()),
      peers_(std::make_shared<Peers>(shared_->channels, std::make_shared<TableStore>(table_, TableStoreOptions{}),
                                     options.server.tls)),
      redis_(redis),
      server_(
          options.server,
          [shared = shared_](rpc::EventLoop& loop, const std::string& peer, std::weak_ptr<Outlet> outlet) {
            return std::make_unique<RedisProtocol>(shared, loop, peer, std::move(outlet));
          },
          options.loops, statistics_) {
  shared_->databases = databases_;
  shared_->publisher = peers_;
  shared_->deadline = options.deadline;
  shared_->options.transactions = redis_.transactions;
}

Status RedisDoor::Start() {
  EBLA_TRY(server_.Listen());
  const rpc::Endpoint own = redis_.advertised.value_or(server_.address());
  if (IsWildcard(own)) {
    LOG(WARNING) << "messages do not reach who listens at other gateways: say where they reach this one, with "
                    "--redis_advertise=HOST:PORT";
  } else {
    if (IsLoopback(own))
      LOG(INFO) << "messages reach who listens at other gateways of this machine alone; for those of other machines, "
                   "listen where they reach this one, or say so with --redis_advertise=HOST:PORT";
    peers_->Start(own);
  }
  shared_->scripts->Start(redis_.script_threads);
  return server_.Start();
}

void RedisDoor::Stop(Duration patience) {
  server_.Stop(patience);
  shared_->scripts->Stop();
  peers_->Stop();
  databases_->Stop();  // here, as a command that still runs may be the last to let go of them
}

}  // namespace ebla::gateway::redis
