// client/core/calls/codec.h
// Thrift calls as bytes and back, for the requests that a client makes. Every method of our services takes one struct,
// as field 1, and returns one, so the type of a request is enough to encode it.
// Place:   operations encode on the caller's thread and decode on the channel's executor. The templates are
//          instantiated in codec.cc alone: the generated serializers are slow to compile.
// Errors:  a reply that cannot be read is UNKNOWN_OUTCOME (it answers something, but not readably); a Thrift exception
//          is INTERNAL, with its text. Nothing is thrown.
// Threads: functions.
#pragma once

#include <string>

#include "common/rpc/channel.h"

namespace ebla::client {

template <class Request>
rpc::EncodedCall EncodeCall(const char* method, const Request& request);

template <class Reply>
Result<Reply> DecodeReply(std::string&& message);

}  // namespace ebla::client
