#include "client/testing/sim_network.h"

#include <utility>

#include "client/testing/fake_handlers.h"

namespace ebla::client::testing {

class SimNetwork::SimChannel final : public rpc::Channel {
 public:
  SimChannel(SimNetwork& network, rpc::Endpoint endpoint) : network_(network), endpoint_(std::move(endpoint)) {}
  void Call(rpc::EncodedCall call, Duration timeout, Done done) override {
    network_.Call(endpoint_, std::move(call), timeout, std::move(done));
  }

 private:
  SimNetwork& network_;
  const rpc::Endpoint endpoint_;
};

void SimNetwork::Serve(FakeCluster& cluster, const std::vector<ServerName>& servers, int masters) {
  for (int i = 0; i < masters; ++i) {
    const rpc::Endpoint endpoint{"master", static_cast<uint16_t>(i + 1)};
    cluster.masters()->endpoints[static_cast<size_t>(i)] = endpoint;
    dispatchers_[endpoint] = std::make_unique<rpc::Dispatcher>();
    dispatchers_[endpoint]->Register(MakeFakeMaster(cluster, i));
  }
  for (const ServerName& server : servers) {
    const rpc::Endpoint endpoint{server, 1};
    cluster.Lock()->endpoints[server] = endpoint;
    dispatchers_[endpoint] = std::make_unique<rpc::Dispatcher>();
    dispatchers_[endpoint]->Register(MakeFakeTabletServer(cluster, server));
  }
}

std::shared_ptr<rpc::Channel> SimNetwork::Connect(const rpc::Endpoint& endpoint, Executor&) {
  return std::make_shared<SimChannel>(*this, endpoint);
}

LinkState SimNetwork::Draw(const rpc::Endpoint& endpoint) {
  std::deque<LinkState>& next = next_[endpoint];
  if (next.empty()) return link_states_[endpoint];
  const LinkState state = next.front();
  next.pop_front();
  return state;
}

void SimNetwork::Call(const rpc::Endpoint& endpoint, rpc::EncodedCall call, Duration timeout, rpc::Channel::Done done) {
  ++calls_[endpoint];
  const Duration one_way = one_way_ + delay_[endpoint];
  const auto found = dispatchers_.find(endpoint);
  const LinkState state = found == dispatchers_.end() ? LinkState::kDown : Draw(endpoint);
  const auto fail = [&](Code code, Duration after) {
    executor_.After(after, [done = std::move(done), code]() mutable { done(Error(code, "as the test ordered")); });
  };
  if (state == LinkState::kDown) return fail(Code::kUnavailable, one_way);
  if (state == LinkState::kSilent) return fail(Code::kDeadlineExceeded, timeout);
  if (state == LinkState::kCutBefore) return fail(Code::kUnknownOutcome, one_way);
  executor_.After(one_way, [this, dispatcher = found->second.get(), call = std::move(call), timeout, state, one_way,
                            done = std::move(done)]() mutable {
    dispatcher->Dispatch(call.message, [&](Result<std::string_view> reply) {
      Result<std::string> answer = reply ? Result<std::string>(std::string(*reply)) : Error(reply.error());
      Duration after = one_way;
      if (state == LinkState::kCutAfter) answer = Error(Code::kUnknownOutcome, "the connection broke");
      if (state == LinkState::kSlowAnswer) {
        answer = Error(Code::kDeadlineExceeded, "no answer in time");
        after = timeout - one_way;
      }
      executor_.After(after,
                      [answer = std::move(answer), done = std::move(done)]() mutable { done(std::move(answer)); });
    });
  });
}

}  // namespace ebla::client::testing
