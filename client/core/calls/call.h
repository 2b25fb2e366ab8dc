// client/core/calls/call.h
// One call: a request sent over a channel, and its reply read (common/rpc/typed_call.h). The type of a request
// determines its method and reply.
// Place:   operations and look-ups make them.
// Errors:  as typed_call.h's.
// Threads: sent on the caller's; `done` runs on the channel's executor, never inside Call().
#pragma once

#include <utility>

#include "client/core/calls/methods.h"
#include "common/rpc/typed_call.h"

namespace ebla::client {

// `request` is not looked at once this returns.
template <class Request>
void Call(rpc::Channel& channel, const Request& request, Duration timeout,
          std::move_only_function<void(Result<ReplyTo<Request>>)> done) {
  rpc::TypedCall<ReplyTo<Request>>(channel, MethodOf<Request>::kName, request, timeout, std::move(done));
}

}  // namespace ebla::client
