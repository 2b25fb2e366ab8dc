// client/testing/sim_network.h
// Channels to a FakeCluster in virtual time: the very bytes of production, carried by tasks of a SimExecutor, and lost
// as a test orders.
// Threads: one.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "client/testing/fake_cluster.h"
#include "common/rpc/channel.h"
#include "common/rpc/dispatcher.h"
#include "common/testing/sim_executor.h"

namespace ebla::client::testing {

enum class LinkState {
  kFair,
  kDown,        // connection refused: UNAVAILABLE
  kSilent,      // no answer: DEADLINE_EXCEEDED when the call's time is over; not executed
  kCutBefore,   // the connection breaks before the server has read the call: UNKNOWN_OUTCOME
  kCutAfter,    // ... after it was executed: UNKNOWN_OUTCOME
  kSlowAnswer,  // executed at once, but the answer is lost: DEADLINE_EXCEEDED
};

class SimNetwork final : public rpc::Connector {
 public:
  SimNetwork(ebla::testing::SimExecutor& executor, Duration one_way) : executor_(executor), one_way_(one_way) {}
  Duration one_way() const { return one_way_; }

  // Masters at master:1, master:2...; servers at <name>:1.
  void Serve(FakeCluster& cluster, const std::vector<ServerName>& servers, int masters);

  void SetLinkState(const rpc::Endpoint& endpoint, LinkState state) { link_states_[endpoint] = state; }
  // For the next calls only; then what SetLinkState said.
  void Next(const rpc::Endpoint& endpoint, LinkState state, int times = 1) {
    for (int i = 0; i < times; ++i) next_[endpoint].push_back(state);
  }
  // The way to this endpoint and back takes so much longer, each.
  void SetDelay(const rpc::Endpoint& endpoint, Duration delay) { delay_[endpoint] = delay; }
  int calls(const rpc::Endpoint& endpoint) { return calls_[endpoint]; }

  std::shared_ptr<rpc::Channel> Connect(const rpc::Endpoint& endpoint, Executor& executor) override;

 private:
  class SimChannel;

  LinkState Draw(const rpc::Endpoint& endpoint);
  void Call(const rpc::Endpoint& endpoint, rpc::EncodedCall call, Duration timeout, rpc::Channel::Done done);

  ebla::testing::SimExecutor& executor_;
  const Duration one_way_;
  std::map<rpc::Endpoint, std::unique_ptr<rpc::Dispatcher>> dispatchers_;
  std::map<rpc::Endpoint, LinkState> link_states_;
  std::map<rpc::Endpoint, std::deque<LinkState>> next_;
  std::map<rpc::Endpoint, int> calls_;
  std::map<rpc::Endpoint, Duration> delay_;
};

}  // namespace ebla::client::testing
