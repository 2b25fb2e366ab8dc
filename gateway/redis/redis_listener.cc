#include "gateway/redis/redis_listener.h"

#include <glog/logging.h>

#include "common/process/addresses.h"

namespace ebla::gateway::redis {
namespace {

ServerOptions WithRefusal(ServerOptions options) {
  options.refusal = "-ERR max number of clients reached\r\n";
  return options;
}

}  // namespace

RedisListener::RedisListener(const ListenerOptions& common, const Client& client, Table table, Options options)
    : table_(std::move(table)),
      statistics_(CommandNames(), common.loops.size()),
      tables_(std::make_shared<NumberedTables>(client, table_.name(), options.makes_databases)),
      databases_(std::make_shared<OpenTables>(client, table_.name(), options.levels, common.loops, tables_)),
      shared_(std::make_shared<Shared>()),
      peers_(std::make_shared<Peers>(shared_->channels, std::make_shared<TableStore>(table_, TableStoreOptions{}),
                                     common.server.tls, options.peers_login)),
      options_(std::move(options)),
      secure_(common.server.tls != nullptr),
      server_(
          WithRefusal(common.server),
          [shared = shared_](rpc::EventLoop& loop, const std::string& peer, std::weak_ptr<Sink> sink) {
            return std::make_unique<RedisProtocol>(shared, loop, peer, std::move(sink));
          },
          common.loops, statistics_) {
  databases_->Add("0", table_);
  if (options_.logins != nullptr) databases_->GuardChannels();
  if (!options_.login_required) shared_->databases = databases_;
  shared_->logins = options_.logins;
  shared_->publisher = peers_;
  shared_->statistics = &statistics_;
  if (!options_.login_required) shared_->tables = tables_;  // a user sees nothing of what others have
  shared_->deadline = common.deadline;
  shared_->clients->most = common.server.connections_max;
  shared_->clients->slow_log.set_slower_than_micros(options_.slower_than_micros);
  shared_->options.transactions = options_.transactions;
}

Status RedisListener::Start() {
  EBLA_TRY(server_.Listen());
  const rpc::Endpoint own = options_.advertised.value_or(server_.address());
  if (process::IsWildcard(own)) {
    LOG(WARNING)
        << "messages do not reach subscribers at other gateways, because this gateway listens at every address "
           "of the machine: name one for the other gateways with --redis_advertise=HOST:PORT";
  } else {
    if (process::IsLoopback(own))
      LOG(INFO)
          << "messages reach subscribers at other gateways of this machine alone: for gateways of other machines, "
             "listen at an address that they reach, or name one with --redis_advertise=HOST:PORT";
    if (options_.login_required && (options_.peers_login.user.empty() || !secure_))
      LOG(WARNING) << "messages do not reach subscribers at other gateways, because those require a login, and a "
                      "gateway sends its password over TLS alone: give it --user, --password_file and --listen_tls_dir";
    peers_->Start(own);
  }
  if (shared_->tables != nullptr) tables_->Start();
  shared_->scripts->Start(options_.script_threads);
  return server_.Start();
}

void RedisListener::Stop(Duration patience) {
  server_.Stop(patience);
  shared_->scripts->Stop();
  peers_->Stop();
  if (options_.logins != nullptr) options_.logins->Stop();
  databases_->Stop();
  tables_->Stop();
}

}  // namespace ebla::gateway::redis
