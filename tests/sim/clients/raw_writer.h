// tests/sim/clients/raw_writer.h
// Sends a write unchanged, without the SDK, to the primary of its first key, again and again until a final answer
// arrives.
// Place:   raw_client.h and split_retry_client.h make the writes.
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
  // Runs no callback from now on. To be called before the executor's process halts.
  void Leave();

  // A request without a tablet time is not executed (PROTOCOL 20). Its answer has the tablet time, with which the
  // writer sends the request again. `busy_is_final`: the request must be refused, and may be so for the moment only, so
  // COME_AGAIN is final, too. `request` lives until `answered` runs.
  void Send(idl::WriteRequest& request, Duration patience, bool busy_is_final, Answered answered);
  int64_t time() const { return time_; }  // the latest tablet time in any answer

 private:
  void Attempt(idl::WriteRequest& request, MonotonicTime end, bool busy_is_final, Answered answered);

  Cluster& cluster_;
  testing::SimExecutor& executor_;
  std::shared_ptr<Network::Node> node_;
  int64_t time_ = 0;
  int server_ = 0;  // the next to ask
  bool dead_ = false;
};

}  // namespace ebla::sim
