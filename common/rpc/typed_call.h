// common/rpc/typed_call.h
// One call with the structs of the IDL: as bytes; to a service in the same process, as the structs themselves. Every
// method of our services takes one struct, as field 1, and returns one.
// Place:   stubs.cc lays the generated interfaces over it, and client/core/calls the requests of the client. Only
//          typed_call.cc instantiates it, once for each method of the IDL: the generated serializers are slow to
//          compile.
// Errors:  as the channel's. A reply that cannot be read is UNKNOWN_OUTCOME (it answers something, but not readably); a
//          Thrift exception is INTERNAL, with its text. Nothing is thrown.
// Threads: as Channel::Call; `done` runs on the channel's executor, never inside the call.
#pragma once

#include <functional>

#include "common/rpc/channel.h"

namespace ebla::rpc {

// `request` is not looked at once this returns.
template <class Reply, class Request>
void TypedCall(Channel& channel, const char* method, const Request& request, Duration timeout,
               std::move_only_function<void(Result<Reply>)> done);

}  // namespace ebla::rpc
