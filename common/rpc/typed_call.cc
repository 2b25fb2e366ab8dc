#include "common/rpc/typed_call.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/rpc/message_codec.h"
#include "idl/ControlService.h"
#include "idl/MasterService.h"
#include "idl/ReplicationService.h"
#include "idl/TabletService.h"
#include "idl/methods.h"

namespace ebla::rpc {
namespace {

template <class Request>
EncodedCall EncodeCall(const char* method, const Request& request) {
  EncodedCall call;
  call.message = codec::Write<codec::Binary>(method, MessageType::kCall, 0, 1, request);
  // Version and type (4), length of the name (4), the name; then the sequence id.
  call.sequence_offset = 8 + std::string_view(method).size();
  return call;
}

template <class Reply>
Result<Reply> DecodeReply(std::string_view message) {
  const auto unreadable = [](const std::string& why) {
    return Error(Code::kUnknownOutcome, "its reply cannot be read: " + why);
  };
  const Result<MessageHead> head = ParseMessageHead(message);
  if (!head) return unreadable(head.error().message());
  if (head->protocol != Protocol::kBinary) return unreadable("it has another protocol than the call");
  const std::string_view body = message.substr(head->body_offset);
  if (head->type == MessageType::kException) {
    codec::thrift::TApplicationException exception;
    const Result<bool> read = codec::Read<codec::Binary>(body, 0, exception);
    if (!read) return unreadable(read.error().message());
    return Error(Code::kInternal, std::string("it answered with an exception: ") + exception.what());
  }
  Reply reply;
  const Result<bool> found = codec::Read<codec::Binary>(body, 0, reply);
  if (!found) return unreadable(found.error().message());
  if (!*found || head->type != MessageType::kReply) return unreadable("it holds no result");
  return reply;
}

}  // namespace

template <class Reply, class Request>
void TypedCall(Channel& channel, const char* method, const Request& request, Duration timeout,
               std::move_only_function<void(Result<Reply>)> done) {
  if (LocalCalls* const here = channel.SameThreadCalls()) {
    return here->Call(method, &request, timeout, [done = std::move(done)](Result<std::shared_ptr<void>> reply) mutable {
      if (!reply) return done(Error(reply.error()));
      done(std::move(*std::static_pointer_cast<Reply>(*std::move(reply))));
    });
  }
  channel.Call(EncodeCall(method, request), timeout, [done = std::move(done)](Result<std::string> message) mutable {
    if (!message) return done(Error(message.error()));
    done(DecodeReply<Reply>(*message));
  });
}

#define EBLA_TYPED_CALL(name, Request, Reply)                                   \
  template void TypedCall(Channel&, const char*, const idl::Request&, Duration, \
                          std::move_only_function<void(Result<idl::Reply>)>);
EBLA_TABLET_METHODS(EBLA_TYPED_CALL)
EBLA_MASTER_METHODS(EBLA_TYPED_CALL)
EBLA_CONTROL_METHODS(EBLA_TYPED_CALL)
EBLA_REPLICATION_METHODS(EBLA_TYPED_CALL)
#undef EBLA_TYPED_CALL

}  // namespace ebla::rpc
