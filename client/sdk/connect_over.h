// client/sdk/connect_over.h
// A client over event loops of its caller. Threads of these loops may start operations and get their replies without
// another thread. A gateway uses it, because its loops also have its own clients' connections. The client may also be
// in the process that serves its requests (common/rpc/local_connector.h).
// Lifetime: the loops run before, and have stopped before the last handle is dropped.
// Errors:   as Client::Connect.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/rpc/channel.h"
#include "common/rpc/event_loop.h"
#include "ebla/client.h"

namespace ebla::client {

// Ignores the options' numbers of threads and connections. `connector` null: over the network, with the options'
// credentials.
Result<Client> ConnectOver(const std::vector<rpc::EventLoop*>& loops,
                           std::function<std::unique_ptr<rpc::Connector>(rpc::EventLoop&)> connector,
                           const ClientOptions& options);

class ClientAccess {
 public:
  static Client Make(std::shared_ptr<Runtime> runtime) { return Client(std::move(runtime)); }
  static const std::shared_ptr<Runtime>& RuntimeOf(const Client& client) { return client.runtime_; }
};

}  // namespace ebla::client
