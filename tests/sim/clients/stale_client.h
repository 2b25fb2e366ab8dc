// tests/sim/clients/stale_client.h
// A client that sends each request to a given server, even if another server has the primary by now. Any client with an
// old route may do so; this client does so just when a scenario (scenarios.h) needs the request. The history has this
// client's operations, like those of all clients, and the checkers judge them there.
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

  // Puts a value at MAJORITY, in one attempt. `large`: the value is larger than a message of the log. `done` runs when
  // the put is acknowledged, and never otherwise.
  void Write(const Place& place, bool large, std::function<void()> done);
  // Reads in one attempt.
  void Get(const Place& place, const Read& read);
  // Reads at EVENTUAL and ignores the answer, because a single answer of this level proves no fault.
  void Peek(const Place& place);

 private:
  void Attempt(const Place& place, size_t index, idl::WriteRequest request, std::function<void()> done);
  static idl::GetRequest RequestOf(const Place& place, idl::ReadLevel::type level);
  void Found(size_t index, const Result<idl::GetReply>& reply);
  std::shared_ptr<rpc::Channel> ChannelTo(const Place& place);

  std::shared_ptr<Network::Node> node_;
};

}  // namespace ebla::sim
