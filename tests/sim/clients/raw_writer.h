// tests/sim/clients/raw_writer.h
// Sends a write as it stands, without the SDK: to whoever leads its first key, again and again, until it is answered
// for good.
// Place:   raw_client.h and split_retry_client.h say what is written.
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "idl/TabletService.h"
#include "tests/sim/cluster/cluster.h"

namespace ebla::sim {

class RawWriter {
 public:
  using Answered = std::function<void(const idl::WriteReply*)>;  // null: no final answer in time

  RawWriter(std::string name, Cluster& cluster, testing::SimExecutor& executor);
  // Nobody is told anything from now on; to be called before the executor's process halts.
  void Leave();

  // One that names no tablet time is told it instead of being executed (PROTOCOL 20), and goes on with that. What must
  // be refused may be for a while: COME_AGAIN is final then, too. `request` lives until it is answered.
  void Send(idl::WriteRequest& request, Duration patience, bool busy_is_final, Answered answered);
  int64_t time() const { return time_; }  // the latest tablet time heard of

 private:
  void Attempt(idl::WriteRequest& request, MonotonicTime end, bool busy_is_final, Answered answered);

  Cluster& cluster_;
  testing::SimExecutor& executor_;
  std::shared_ptr<Network::Node> node_;
  int64_t time_ = 0;
  int server_ = 0;  // whom to ask
  bool dead_ = false;
};

}  // namespace ebla::sim
