// gateway/host/gateway_host.h
// A gateway without its process: the listeners that its options ask for, over a client that the caller owns.
// Place:      ebla-gateway has one over a client of the network; ebla-standalone one over itself.
// Stop:       clients first, then commands in flight; after that the loops may stop, and the client may be destroyed.
// Threads:    all members from one thread, which is no loop's; Ready and metrics from any.
#pragma once

#include <prometheus/collectable.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebla/client.h"
#include "gateway/redis/connections/options.h"
#include "gateway/redis/logins/logins.h"
#include "gateway/server/protocol_listener.h"
#include "gateway/store/table_store.h"

namespace ebla::gateway {

struct GatewayOptions {
  std::optional<rpc::Endpoint> memcached_listen, redis_listen;  // none: no listener of that protocol
  std::optional<rpc::Endpoint> redis_advertise;                 // none: the listener's address
  std::string memcached_table = "cache", redis_table = "redis";
  bool create_tables = false;
  TableOptions created;  // for the tables that are made
  TableStoreOptions levels;
  redis::Transactions redis_transactions = redis::Transactions::kOneGroup;
  std::optional<ClientOptions> redis_users;  // how the cluster's users reach it; none: no logins
  bool redis_login_required = false;         // takes redis_users
  redis::Credentials own_login;              // of this gateway, to others
  size_t redis_script_threads = 2;
  int64_t redis_slower_than_micros = 10'000;   // of commands that SLOWLOG notes; negative: none
  std::chrono::milliseconds deadline{10'000};  // of a command
  size_t connections_max = 10'000;             // of each protocol
  std::shared_ptr<security::TlsCredentials> tls;

  size_t listeners() const { return (memcached_listen ? 1 : 0) + (redis_listen ? 1 : 0); }
};

class GatewayHost {
 public:
  // Opens the tables, or makes them. NO_SUCH_TABLE advises how to make one. The loops run, and outlive the host.
  static Result<std::unique_ptr<GatewayHost>> Open(const GatewayOptions& options, const Client& client,
                                                   const std::vector<rpc::EventLoop*>& loops);

  Status Start();
  // "redis at 127.0.0.1:6379, ..."
  std::string Serves() const;
  // Whether its tables can be read.
  Status Ready() const;
  std::shared_ptr<prometheus::Collectable> metrics() const;
  // Accepts no more clients, and waits for the commands in flight, at most for their deadline. False: some still run,
  // and hold on to the client.
  bool Stop();

 private:
  GatewayHost(const GatewayOptions& options) : patience_(options.deadline + kStopPatience) {}
  static constexpr std::chrono::seconds kStopPatience{1};  // beyond the deadline of a command

  const std::chrono::milliseconds patience_;
  std::vector<std::unique_ptr<ProtocolListener>> listeners_;
};

}  // namespace ebla::gateway
