// common/rpc/local_connector.h
// Calls within this process. A call to this server itself reaches its dispatcher without a socket, on the executor that
// its channel was made for, which is one of the server's loops; any other call uses another connector.
// Place:      clients that live in a server's process, such as the gateway of ebla-standalone.
// Caller:     is trusted, as the process itself.
// Invariants: those of Channel: a call ends once, on its executor, never inside Call(). A late answer is discarded.
//             Structs are taken on the executor alone (LocalCalls).
// Threads:    any. The dispatcher and the other connector outlive it; executors outlive what is under way.
#pragma once

#include <memory>

#include "common/rpc/channel.h"
#include "common/rpc/dispatcher.h"

namespace ebla::rpc {

class LocalConnector final : public Connector {
 public:
  LocalConnector(const Dispatcher& dispatcher, Endpoint here, std::unique_ptr<Connector> away)
      : dispatcher_(dispatcher), here_(std::move(here)), away_(std::move(away)) {}

  std::shared_ptr<Channel> Connect(const Endpoint& endpoint, Executor& executor) override;

 private:
  const Dispatcher& dispatcher_;
  const Endpoint here_;
  const std::unique_ptr<Connector> away_;
};

}  // namespace ebla::rpc
