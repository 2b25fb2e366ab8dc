// tests/sim/clients/stale_client.h
// A client that asks the one server it is told to ask, whoever leads by now: what any client with an old route may do,
// done just when a scenario (scenarios.h) needs it. Its operations are in the history like everybody's, and judged
// there.
// Threads: one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "idl/TabletService.h"
#include "tests/sim/clients/client_process.h"
#include "tests/sim/clients/workload.h"

namespace ebla::sim {

class StaleClient : private ClientProcess {
 public:
  struct Place {
    int server = -1;
    TableId table;
    int group = 0;
    int cell = 0;
  };

  StaleClient(std::string name, Process process, Cluster& cluster, RunRecord& record);
  ~StaleClient();

  // A plain put at MAJORITY, in one attempt; of a value that is larger than a message of the log, if it is to be.
  // `done` when it is acknowledged, and never otherwise.
  void Write(const Place& place, bool large, std::function<void()> done);
  // In one attempt.
  void Get(const Place& place, const Read& read);
  // At EVENTUAL, whatever is answered: of such a one alone nobody can say that it is wrong.
  void Peek(const Place& place);

 private:
  void Attempt(const Place& place, size_t index, idl::WriteRequest request, std::function<void()> done);
  static idl::GetRequest RequestOf(const Place& place, idl::ReadLevel::type level);
  void Found(size_t index, const Result<idl::GetReply>& reply);
  std::shared_ptr<rpc::Channel> ChannelTo(const Place& place);

  std::shared_ptr<Network::Node> node_;
};

}  // namespace ebla::sim
