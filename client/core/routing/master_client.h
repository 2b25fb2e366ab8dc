// client/core/routing/master_client.h
// Calls the leading master: tries the known masters in turn, follows and remembers a standby's hint to the leader, and
// continues until the answer is final or the deadline is spent.
// Errors:  the server's final answer; else that of RetryPolicy::OutOfTime, with the last cause. `maybe_happened` tells
//          whether an attempt before the final answer may have taken effect (a lost reply): creating a table that then
//          "exists" may be one's own doing.
// Threads: any. Callbacks run on the network's executors.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/core/calls/methods.h"
#include "client/core/calls/once_callback.h"
#include "client/core/calls/retry_policy.h"
#include "client/core/routing/network.h"
#include "common/base/mutex.h"

namespace ebla::client {

class MasterClient {
 public:
  template <class Reply>
  struct Answer {
    Reply reply;
    bool maybe_happened = false;
  };
  struct CallOptions {
    Duration deadline{0};
    bool mutates = false;     // out of time after a lost reply is then UNKNOWN_OUTCOME
    bool any_master = false;  // standbys answer this one themselves
    // False: an attempt may take all that is left (the server works that long); true: it is cut short, for another
    // master to be asked when this one is silent.
    bool quick = true;
    std::move_only_function<void(const Status&)> note;  // told of each failed attempt's cause
  };

  MasterClient(Network& network, std::vector<rpc::Endpoint> masters)
      : network_(network), masters_(std::move(masters)) {}

  // `request.deadlineMs`, where the request has one, is set anew for each attempt. A final answer other than OK is
  // returned as an error.
  template <class Request>
  void Call(Request request, CallOptions options, std::move_only_function<void(Result<Answer<ReplyTo<Request>>>)> done);

 private:
  friend class MasterCall;

  // The master to call next, and the outcome of a call.
  rpc::Endpoint Target();
  void LeaderIs(const rpc::Endpoint& endpoint);
  void Failed(const rpc::Endpoint& endpoint);

  Network& network_;
  const std::vector<rpc::Endpoint> masters_;
  Mutex mutex_;
  size_t turn_ EBLA_GUARDED_BY(mutex_) = 0;
  std::optional<rpc::Endpoint> leader_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::client
