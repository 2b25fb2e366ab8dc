#include "client/testing/fake_servers.h"

#include <glog/logging.h>

#include <chrono>

#include "client/testing/fake_handlers.h"
#include "common/base/clocks.h"

namespace ebla::client::testing {

FakeServers::FakeServers(std::vector<ServerName> servers, int masters)
    : loop_("fake-servers"), cluster_(TimeOfDayMs, servers, masters) {
  loop_.Start();
  for (int i = 0; i < masters; ++i) {
    const rpc::Endpoint address = Serve(MakeFakeMaster(cluster_, i));
    cluster_.masters()->endpoints[static_cast<size_t>(i)] = address;
    masters_.push_back(address.ToString());
  }
  for (const ServerName& name : servers) cluster_.Lock()->endpoints[name] = Serve(MakeFakeTabletServer(cluster_, name));
}

FakeServers::~FakeServers() {
  for (auto& host : hosts_) host->server->Stop(Duration(0));
  loop_.Stop();
}

template <class Handler>
rpc::Endpoint FakeServers::Serve(Handler handler) {
  hosts_.push_back(std::make_unique<Host>());
  Host& host = *hosts_.back();
  host.dispatcher.Register(std::move(handler));
  host.server =
      std::make_unique<rpc::RpcServer>(rpc::ServerOptions{}, host.dispatcher, std::vector<rpc::EventLoop*>{&loop_});
  const Status started = host.server->Start();
  CHECK(started.ok()) << started;
  return host.server->address();
}

}  // namespace ebla::client::testing
