#include "client/core/calls/codec.h"

#include "common/rpc/message_codec.h"
#include "idl/MasterService.h"
#include "idl/TabletService.h"
#include "idl/methods.h"

namespace ebla::client {

template <class Request>
rpc::EncodedCall EncodeCall(const char* method, const Request& request) {
  rpc::EncodedCall call;
  call.message = rpc::codec::Write<rpc::codec::Binary>(method, rpc::MessageType::kCall, 0, 1, request);
  // Version and type (4), length of the name (4), the name; then the sequence id.
  call.sequence_offset = 8 + std::string_view(method).size();
  return call;
}

template <class Reply>
Result<Reply> DecodeReply(std::string&& message) {
  const auto unreadable = [](const Status& why) {
    return Error(Code::kUnknownOutcome, "its reply cannot be read: " + why.message());
  };
  const Result<rpc::MessageHead> head = rpc::ParseMessageHead(message);
  if (!head) return unreadable(head.error());
  const std::string_view body = std::string_view(message).substr(head->body_offset);
  if (head->type == rpc::MessageType::kException) {
    rpc::codec::thrift::TApplicationException exception;
    const Result<bool> read = rpc::codec::Read(head->protocol, body, 0, exception);
    if (!read) return unreadable(read.error());
    return Error(Code::kInternal, std::string("it answered with an exception: ") + exception.what());
  }
  Reply reply;
  const Result<bool> found = rpc::codec::Read(head->protocol, body, 0, reply);
  if (!found) return unreadable(found.error());
  if (!*found) return Error(Code::kUnknownOutcome, "its reply holds no result");
  return reply;
}

#define EBLA_CLIENT_METHOD(name, Request, Reply)                                        \
  template rpc::EncodedCall EncodeCall<idl::Request>(const char*, const idl::Request&); \
  template Result<idl::Reply> DecodeReply<idl::Reply>(std::string&&);
EBLA_TABLET_METHODS(EBLA_CLIENT_METHOD)
EBLA_MASTER_METHODS(EBLA_CLIENT_METHOD)
#undef EBLA_CLIENT_METHOD

}  // namespace ebla::client
