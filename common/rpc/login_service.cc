#include "common/rpc/login_service.h"

#include <glog/logging.h>

#include <utility>

#include "common/base/key_range.h"
#include "common/rpc/idl_convert.h"

namespace ebla::rpc {
namespace {

constexpr int kFailuresMax = 100, kFailuresOfNameMax = 10;
constexpr Duration kWindow = std::chrono::minutes(1);

}  // namespace

LoginService::LoginService(const security::AccessControl& access, Clock clock, OnRefused on_refused)
    : access_(access),
      clock_(std::move(clock)),
      on_refused_(std::move(on_refused)),
      failures_(kFailuresMax, kWindow),
      // A few addresses with many names fill it. Were its last place shared, they would shut everybody out.
      failures_of_name_(kFailuresOfNameMax, kWindow, security::HostBudget::WhenFull::kLetPass) {}

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
      if (reply.error().code() == Code::kPermissionDenied) CountFailure(*session);
      session->login.reset();
      on_refused_(*session, user, reply.error());
    }
    idl::LoginReply refused;
    refused.status = ToIdl(reply.error());
    return cob(refused);
  }
  cob(*reply);
}

Status LoginService::MayFail(const security::Session& session) const {
  const MonotonicTime now = clock_();
  const std::string user = session.login.has_value() ? session.login->user() : "";
  const bool of_name = !user.empty() && !failures_of_name_.Left(session.peer, now, user);
  if (!of_name && failures_.Left(session.peer, now)) return {};
  return {Code::kOverloaded, "too many logins from " + security::HostOf(session.peer) +
                                 (of_name ? " under this name" : "") + " have failed: wait a minute"};
}

void LoginService::CountFailure(const security::Session& session) {
  const MonotonicTime now = clock_();
  failures_.Spend(session.peer, now);
  if (session.login.has_value() && !session.login->user().empty())
    failures_of_name_.Spend(session.peer, now, session.login->user());
}

Result<idl::LoginReply> LoginService::Step(security::Session& session, const idl::LoginRequest& request) {
  if (request.mechanism != "SCRAM-SHA-256")
    return Error(Code::kInvalidArgument,
                 "the mechanism \"" + EscapeBytes(request.mechanism.substr(0, 64)) + "\" is none: say SCRAM-SHA-256");
  if (!session.may_log_in)
    return Error(Code::kInvalidArgument,
                 "this server takes no logins by password: --password_logins makes it take them");
  if (session.identity.is_process()) return Error(Code::kInvalidArgument, "a process of the cluster does not log in");
  EBLA_TRY(MayFail(session));
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
    EBLA_TRY(MayFail(session));
    return reply;
  }
  EBLA_ASSIGN(reply.message, session.login->Final(request.message));
  reply.done = true;
  session.identity = {security::Identity::Kind::kUser, session.login->user(), session.login->proof()};
  session.login.reset();
  return reply;
}

}  // namespace ebla::rpc
