#include "common/rpc/login_service.h"

#include <glog/logging.h>

#include <utility>

#include "common/base/key_range.h"
#include "common/rpc/idl_convert.h"

namespace ebla::rpc {
namespace {

constexpr int kFailuresMax = 10;
constexpr Duration kWindow = std::chrono::minutes(1);
constexpr size_t kHostsMax = 10'000;

std::string HostOf(const std::string& peer) { return peer.substr(0, peer.rfind(':')); }

}  // namespace

LoginService::LoginService(const security::AccessControl& access, Clock clock, OnRefused on_refused)
    : access_(access), clock_(std::move(clock)), on_refused_(std::move(on_refused)) {}

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
      if (reply.error().code() == Code::kPermissionDenied) CountFailure(HostOf(session->peer));
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
  if (session.identity.is_process()) return Error(Code::kInvalidArgument, "a process of the cluster does not log in");
  idl::LoginReply reply;
  if (!session.login.has_value()) {
    EBLA_TRY(CheckPatience(HostOf(session.peer)));
    EBLA_TRY(access_.MayLogIn());
    const auto list = access_.list();
    if (list == nullptr) return Error(Code::kComeAgain, "this server does not know its users yet");
    session.login.emplace();
    EBLA_ASSIGN(reply.message,
                session.login->First(request.message, [&](const std::string& user) -> std::optional<idl::Secret> {
                  const idl::Secret* secret = list->SecretOf(user);
                  return secret == nullptr ? std::nullopt : std::optional(*secret);
                }));
    return reply;
  }
  EBLA_ASSIGN(reply.message, session.login->Final(request.message));
  reply.done = true;
  session.identity = {security::Identity::Kind::kUser, session.login->user()};
  session.login.reset();
  return reply;
}

Status LoginService::CheckPatience(const std::string& host) {
  MutexLock lock(mutex_);
  const auto found = failures_.find(host);
  if (found == failures_.end() || clock_() - found->second.since >= kWindow) return {};
  if (found->second.count < kFailuresMax) return {};
  return {Code::kOverloaded, "too many logins from " + host + " have failed: wait a minute"};
}

void LoginService::CountFailure(const std::string& host) {
  MutexLock lock(mutex_);
  const MonotonicTime now = clock_();
  if (failures_.size() >= kHostsMax) failures_.clear();
  Failures& failures = failures_[host];
  if (now - failures.since >= kWindow) failures = {.count = 0, .since = now};
  ++failures.count;
}

}  // namespace ebla::rpc
