#include "common/rpc/login_service.h"

#include <glog/logging.h>

#include <utility>

#include "common/base/key_range.h"
#include "common/rpc/idl_convert.h"

namespace ebla::rpc {
namespace {

constexpr int kFailuresMax = 10;
constexpr Duration kWindow = std::chrono::minutes(1);

}  // namespace

LoginService::LoginService(const security::AccessControl& access, Clock clock, OnRefused on_refused)
    : access_(access), clock_(std::move(clock)), on_refused_(std::move(on_refused)), failures_(kFailuresMax, kWindow) {}

void LoginService::login(std::function<void(const idl::LoginReply&)> cob, const idl::LoginRequest& request) {
  security::Session* session = security::CallerScope::SessionNow();
  Result<idl::LoginReply> reply = Error(Code::kInvalidArgument, "there is no connection to log in");
  std::string user;
  if (session != nullptr) {
    reply = Step(*session, request);
    if (session->login.has_value()) user = session->login->user();
  }
  if (!reply.has_value()) {
    if (session != nullptr) {
      session->login.reset();
      if (reply.error().code() == Code::kPermissionDenied) failures_.Spend(session->peer, clock_());
      on_refused_(*session, user, reply.error());
    }
    idl::LoginReply refused;
    refused.status = ToIdl(reply.error());
    return cob(refused);
  }
  cob(*reply);
}

Result<idl::LoginReply> LoginService::Step(security::Session& session, const idl::LoginRequest& request) {
  if (request.mechanism != "SCRAM-SHA-256")
    return Error(Code::kInvalidArgument,
                 "the mechanism \"" + EscapeBytes(request.mechanism.substr(0, 64)) + "\" is none: say SCRAM-SHA-256");
  if (!session.may_log_in)
    return Error(Code::kInvalidArgument,
                 "this server takes no logins by password: --password_logins makes it take them");
  if (session.identity.is_process()) return Error(Code::kInvalidArgument, "a process of the cluster does not log in");
  // Of the last message, too: logins that began side by side are guesses each.
  if (!failures_.Left(session.peer, clock_()))
    return Error(Code::kOverloaded,
                 "too many logins from " + security::HostOf(session.peer) + " have failed: wait a minute");
  idl::LoginReply reply;
  if (!session.login.has_value()) {
    EBLA_TRY(access_.MayLogIn());
    const auto list = access_.list();
    if (list == nullptr) return Error(Code::kComeAgain, "this server does not know its users yet");
    session.login.emplace();
    EBLA_ASSIGN(reply.message, session.login->First(
                                   request.message,
                                   [&](const std::string& user) -> std::optional<idl::Secret> {
                                     const idl::Secret* secret = list->SecretOf(user);
                                     return secret == nullptr ? std::nullopt : std::optional(*secret);
                                   },
                                   list->unknown_user_key()));
    return reply;
  }
  EBLA_ASSIGN(reply.message, session.login->Final(request.message));
  reply.done = true;
  session.identity = {security::Identity::Kind::kUser, session.login->user(), session.login->proof()};
  session.login.reset();
  return reply;
}

}  // namespace ebla::rpc
