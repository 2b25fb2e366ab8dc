// gateway/redis/redis_listener.h
// Redis's protocol before the tables of a cluster.
// Threads: as in gateway/server/protocol_listener.h.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ebla/client.h"
#include "gateway/redis/databases/open_tables.h"
#include "gateway/redis/logins/logins.h"
#include "gateway/redis/pubsub/peers.h"
#include "gateway/redis/redis_protocol.h"
#include "gateway/server/protocol_listener.h"

namespace ebla::gateway::redis {

class RedisListener final : public ProtocolListener {
 public:
  struct Options {
    TableStoreOptions levels;
    bool makes_databases = false;  // for numbered databases; else only existing tables are databases
    Transactions transactions = Transactions::kOneGroup;
    std::optional<rpc::Endpoint> advertised;  // address for other gateways; none: the listener's
    std::shared_ptr<ClusterLogins> logins;    // null: no logins
    bool login_required = false;              // before anything else
    Credentials peers_login;                  // to other gateways that require a login; over TLS alone
    size_t script_threads = 2;
    int64_t slower_than_micros = 10'000;  // of commands that SLOWLOG notes; negative: none
  };
  // `table`: database 0, whose reads decide whether the listener is ready.
  RedisListener(const ListenerOptions& common, const Client& client, Table table, Options options);
  ~RedisListener() override { tables_->Stop(); }

  std::string name() const override { return "redis"; }
  const rpc::Endpoint& address() const override { return server_.address(); }
  const Statistics& statistics() const override { return statistics_; }
  Status Start() override;
  Status Ready() const override { return TableIsReadable(table_); }
  void Stop(Duration patience) override;
  bool quiet() const override { return statistics_.Sum().in_flight == 0; }

 private:
  const Table table_;
  Statistics statistics_;
  const std::shared_ptr<NumberedTables> tables_;
  const std::shared_ptr<OpenTables> databases_;
  const std::shared_ptr<Shared> shared_;
  const std::shared_ptr<Peers> peers_;
  const Options options_;
  const bool secure_;  // its clients and other gateways use TLS
  Server server_;
};

}  // namespace ebla::gateway::redis
