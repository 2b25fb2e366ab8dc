#include "client/core/calls/codec.h"

#include "common/rpc/message_codec.h"
#include "idl/MasterService.h"
#include "idl/TabletService.h"

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

#define EBLA_CLIENT_METHOD(Name)                                                                    \
  template rpc::EncodedCall EncodeCall<idl::Name##Request>(const char*, const idl::Name##Request&); \
  template Result<idl::Name##Reply> DecodeReply<idl::Name##Reply>(std::string&&);
EBLA_CLIENT_METHOD(Get)
EBLA_CLIENT_METHOD(MultiGet)
EBLA_CLIENT_METHOD(Write)
EBLA_CLIENT_METHOD(Scan)
EBLA_CLIENT_METHOD(ListKept)
EBLA_CLIENT_METHOD(ForgetKept)
EBLA_CLIENT_METHOD(Checksum)
EBLA_CLIENT_METHOD(CreateTable)
EBLA_CLIENT_METHOD(RecoverTablet)
EBLA_CLIENT_METHOD(RemoveServer)
EBLA_CLIENT_METHOD(MoveTablet)
EBLA_CLIENT_METHOD(SetServer)
EBLA_CLIENT_METHOD(Balance)
EBLA_CLIENT_METHOD(Adopt)
EBLA_CLIENT_METHOD(AlterTable)
EBLA_CLIENT_METHOD(DropTableByName)
EBLA_CLIENT_METHOD(ListTables)
EBLA_CLIENT_METHOD(DescribeTable)
EBLA_CLIENT_METHOD(Locate)
EBLA_CLIENT_METHOD(ListServers)
EBLA_CLIENT_METHOD(ListTablets)
EBLA_CLIENT_METHOD(TransferTablet)
EBLA_CLIENT_METHOD(SplitTablet)
EBLA_CLIENT_METHOD(MergeTablets)
EBLA_CLIENT_METHOD(ClusterInfo)
EBLA_CLIENT_METHOD(ListProcedures)
EBLA_CLIENT_METHOD(CancelProcedure)
EBLA_CLIENT_METHOD(CompactTable)
#undef EBLA_CLIENT_METHOD

}  // namespace ebla::client
