#include "common/rpc/login_exchange.h"

#include "common/rpc/idl_convert.h"
#include "common/rpc/message_codec.h"
#include "idl/LoginService.h"

namespace ebla::rpc {
namespace {

std::string Encode(std::string text) {
  idl::LoginRequest request;
  request.message = std::move(text);
  return std::string(codec::Write<codec::Binary>("login", MessageType::kCall, 1, 1, request));
}

}  // namespace

std::string LoginExchange::Begin() const { return Encode(client_.First()); }

Result<std::optional<std::string>> LoginExchange::OnReply(std::string_view message) {
  EBLA_ASSIGN(const MessageHead head, ParseMessageHead(message));
  idl::LoginReply reply;
  if (head.type != MessageType::kReply)
    return Error(Code::kPermissionDenied, "the server knows no logins: it is older, or asks for a certificate");
  EBLA_ASSIGN(const bool found, codec::Read(head.protocol, message.substr(head.body_offset), 0, reply));
  if (!found) return Error(Code::kInternal, "the reply to a login carries no result");
  const Status status = FromIdl(reply.status);
  if (status.code() == Code::kComeAgain) return Error(Code::kUnavailable, status.message());
  EBLA_TRY(status);
  if (proved_) {
    EBLA_TRY(client_.Check(reply.message));
    return std::nullopt;
  }
  proved_ = true;
  EBLA_ASSIGN(std::string final, client_.Final(reply.message));
  return Encode(std::move(final));
}

}  // namespace ebla::rpc
