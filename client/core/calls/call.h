// client/core/calls/call.h
// One call: a request sent over a channel, and its reply read. As bytes; to a server in the same process, as the structs
// themselves. Every method of our services takes one struct, as field 1, and returns one, so the type of a request says
// all else.
// Place:   operations and look-ups make them. The template is instantiated in call.cc alone: the generated serializers
//          are slow to compile.
// Errors:  as the channel's. A reply that cannot be read is UNKNOWN_OUTCOME (it answers something, but not readably); a
//          Thrift exception is INTERNAL, with its text. Nothing is thrown.
// Threads: sent on the caller's; `done` runs on the channel's executor, never inside Call().
#pragma once

#include "client/core/calls/methods.h"
#include "common/rpc/channel.h"

namespace ebla::client {

// `request` is not looked at once this returns.
template <class Request>
void Call(rpc::Channel& channel, const Request& request, Duration timeout,
          std::move_only_function<void(Result<ReplyTo<Request>>)> done);

}  // namespace ebla::client
