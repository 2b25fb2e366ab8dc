// tabletserver/shard/client_requests.h
// The clients' writes and the purges that wait for a tablet's answer, and the way back to their event loops.
// Place:      shard.h and read_waiters.h put requests in; round_driver.h answers them with what the tablets put out.
// Invariants: 1. Every request is answered exactly once.
//             2. A token is given once in this shard, to whichever kind of request.
// Bounds:     those of what admits: the mailbox, and the unapplied writes.
// Threads:    the shard's executor.
#pragma once

#include <functional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tabletserver/shard/shard_types.h"

namespace ebla::tabletserver {

class ClientRequests {
 public:
  using PurgeDone = std::move_only_function<void(Status)>;

  explicit ClientRequests(const std::vector<LoopMailbox*>& loops) : loops_(loops) {}

  RequestToken NextToken() { return next_token_ = next_token_.Next(); }
  // Runs the task on the loop.
  void Answer(size_t loop, Task task) { loops_[loop]->Put(std::move(task), 0); }

  // `flow`: the connection that it belongs to, among all that share the loop.
  RequestToken ExpectWrite(size_t loop, size_t flow, WriteDone done);
  RequestToken ExpectPurge(size_t loop, PurgeDone done);
  void Reply(std::vector<WriteReply>& replies);
  void Reply(std::vector<PurgeReply>& replies);

  // Nothing is to be admitted any more; `idle` runs once all that was has been answered.
  void Drain(std::move_only_function<void()> idle);
  bool draining() const { return draining_; }
  // To be called after replies.
  void SignalIdle();

 private:
  struct PendingWrite {
    size_t loop = 0;
    size_t flow = 0;
    WriteDone done;
  };
  struct PendingPurge {
    size_t loop = 0;
    PurgeDone done;
  };

  const std::vector<LoopMailbox*>& loops_;
  RequestToken next_token_;
  std::unordered_map<RequestToken, PendingWrite> writes_;
  std::unordered_map<RequestToken, PendingPurge> purges_;
  bool draining_ = false;
  std::move_only_function<void()> idle_;
};

}  // namespace ebla::tabletserver
