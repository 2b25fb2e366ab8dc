#include "client/core/calls/call.h"

#include <memory>

#include "common/rpc/message_codec.h"
#include "idl/MasterService.h"
#include "idl/TabletService.h"
#include "idl/methods.h"

namespace ebla::client {
namespace {

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

}  // namespace

template <class Request>
void Call(rpc::Channel& channel, const Request& request, Duration timeout,
          std::move_only_function<void(Result<ReplyTo<Request>>)> done) {
  using Reply = ReplyTo<Request>;
  const char* const method = MethodOf<Request>::kName;
  if (rpc::LocalCalls* const here = channel.Here()) {
    return here->Call(method, &request, timeout, [done = std::move(done)](Result<std::shared_ptr<void>> reply) mutable {
      if (!reply) return done(Error(reply.error()));
      done(std::move(*std::static_pointer_cast<Reply>(*std::move(reply))));
    });
  }
  channel.Call(EncodeCall(method, request), timeout, [done = std::move(done)](Result<std::string> message) mutable {
    if (!message) return done(Error(message.error()));
    done(DecodeReply<Reply>(*std::move(message)));
  });
}

#define EBLA_CLIENT_METHOD(name, Request, Reply) \
  template void Call(rpc::Channel&, const idl::Request&, Duration, std::move_only_function<void(Result<idl::Reply>)>);
EBLA_TABLET_METHODS(EBLA_CLIENT_METHOD)
EBLA_MASTER_METHODS(EBLA_CLIENT_METHOD)
#undef EBLA_CLIENT_METHOD

}  // namespace ebla::client
