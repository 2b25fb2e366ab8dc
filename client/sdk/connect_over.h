// client/sdk/connect_over.h
// A client over event loops that somebody else has, whose threads may start operations and get their replies without
// another thread: of a gateway, whose loops have its own clients' connections, too. It may also be within the process
// that serves what it asks (common/rpc/local_connector.h).
// Lifetime: the loops run before, and have stopped before the last handle goes.
// Errors:   as Client::Connect.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/rpc/channel.h"
#include "common/rpc/event_loop.h"
#include "ebla/client.h"

namespace ebla::client {

// Of the options, the numbers of threads and connections are not looked at. `connector` null: over the network, with
// the options' credentials.
Result<Client> ConnectOver(const std::vector<rpc::EventLoop*>& loops,
                           std::function<std::unique_ptr<rpc::Connector>(rpc::EventLoop&)> connector,
                           const ClientOptions& options);

class ClientAccess {
 public:
  static Client Make(std::shared_ptr<Runtime> runtime) { return Client(std::move(runtime)); }
  static const std::shared_ptr<Runtime>& RuntimeOf(const Client& client) { return client.runtime_; }
};

}  // namespace ebla::client
