#include "common/rpc/dispatcher.h"

#include <glog/logging.h>

#include <atomic>
#include <chrono>

#include "common/base/clocks.h"
#include "common/base/key_range.h"
#include "common/rpc/login_service.h"
#include "common/rpc/message_codec.h"
#include "common/rpc/reply_failure.h"
#include "common/rpc/services.h"
#include "common/rpc/spendable.h"

namespace ebla::rpc {

using codec::thrift::TApplicationException;

// A call that its handler has not answered yet. Counted by hand: the handler's copyable callback holds it in one word,
// and the last one to let go of it without an answer makes that the answer.
class PendingCall {
 public:
  PendingCall(const MessageHead& head, const char* method, Dispatcher::Reply reply)
      : protocol_(head.protocol), sequence_(head.sequence), method_(method), reply_(std::move(reply)) {}
  PendingCall(const char* method, Dispatcher::StructReply reply)
      : protocol_(), sequence_(0), method_(method), struct_reply_(std::move(reply)) {}

  // Completed by the answer's code.
  void Audit(security::AuditLog& log, security::AuditEvent event) {
    audit_ = std::make_unique<std::pair<security::AuditLog&, security::AuditEvent>>(log, std::move(event));
  }

  // Completed by the answer's size.
  void Hold(security::UsageLimits::Admission admission) {
    admission_ = std::make_unique<security::UsageLimits::Admission>(std::move(admission));
  }

  template <class Service, class ReplyStruct>
  void Answer(const ReplyStruct& answer) {
    if (answered_.exchange(true)) {
      LOG(DFATAL) << "the handler of " << method_ << " answered twice";
      return;
    }
    if (audit_ != nullptr) {
      audit_->second.outcome = FailureOf(answer);
      audit_->first.Record(audit_->second);
    }
    try {
      if (struct_reply_) return struct_reply_(TakeOrCopy(answer));
      const std::string_view reply = Encode<Service>(answer);
      if (admission_ != nullptr) admission_->PayReply(std::ssize(reply), MonotonicNow());
      reply_(reply);
    } catch (const std::exception& error) {
      Fail(std::string("the reply could not be encoded: ") + error.what());
    }
  }

  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    // No thread can add to the last reference, so the common case, a callback never copied, needs no locked
    // instruction.
    if (references_.load(std::memory_order_acquire) != 1 && references_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
      return;
    }
    if (!answered_.load(std::memory_order_relaxed)) Fail("the server dropped the call");
    delete this;
  }

 private:
  template <class Service, class ReplyStruct>
  std::string_view Encode(const ReplyStruct& answer) const {
    if constexpr (ServiceMethods<Service>::kInternal) {
      return codec::Write<codec::Binary>(method_, MessageType::kReply, sequence_, 0, answer);
    } else {
      return codec::Write(protocol_, method_, MessageType::kReply, sequence_, 0, answer);
    }
  }

  void Fail(const std::string& why) {
    if (struct_reply_) return struct_reply_(Error(Code::kInternal, why));
    const MessageHead head{.protocol = protocol_, .sequence = sequence_, .method = method_};
    reply_(EncodeException(head, TApplicationException::INTERNAL_ERROR, why));
  }

  const Protocol protocol_;
  const int32_t sequence_;
  const char* const method_;
  Dispatcher::Reply reply_;
  Dispatcher::StructReply struct_reply_;  // one of the two
  std::unique_ptr<std::pair<security::AuditLog&, security::AuditEvent>> audit_;
  std::unique_ptr<security::UsageLimits::Admission> admission_;
  std::atomic<uint32_t> references_{1};
  std::atomic<bool> answered_{false};
};

class PendingCallRef {
 public:
  explicit PendingCallRef(PendingCall* call) : call_(call) {}
  PendingCallRef(const PendingCallRef& other) : call_(other.call_) {
    if (call_ != nullptr) call_->Ref();
  }
  PendingCallRef(PendingCallRef&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  PendingCallRef& operator=(PendingCallRef) = delete;
  ~PendingCallRef() {
    if (call_ != nullptr) call_->Unref();
  }
  PendingCall* operator->() const { return call_; }
  PendingCall& operator*() const { return *call_; }

 private:
  PendingCall* call_;
};

Dispatcher::Dispatcher() : Dispatcher(Options{}) {}
Dispatcher::Dispatcher(Options options) : options_(options) {
  if (options_.access == nullptr) return;
  const auto refused = [this](const security::Session& session, const std::string& user, const Status& why) {
    refusals_.fetch_add(1, std::memory_order_relaxed);
    Audit({{security::Identity::Kind::kAnonymous, user.substr(0, 256)}, session.peer, "login", "", why});
  };
  RegisterAll<idl::LoginServiceCobSvIf>(std::make_shared<LoginService>(*options_.access, MonotonicNow, refused));
}
Dispatcher::~Dispatcher() = default;

bool Dispatcher::Audits(AuditKind kind, const security::Session& session) const {
  if (options_.audit == nullptr || session.identity.is_process()) return false;
  return kind == AuditKind::kAdmin || (kind == AuditKind::kData && options_.audit->wants_data());
}

Status Dispatcher::CheckSpeaker(const security::Session& session, std::string_view method,
                                const std::string& speaker) const {
  if (speaker.empty() || session.identity.MaySpeakFor(speaker)) return {};
  return Refuse(session, method, "may not speak as server \"" + EscapeBytes(speaker) + "\"");
}

// A write with another server's stamp is a server's to deliver, and no process of the cluster has others.
Status Dispatcher::CheckWrite(const security::Session& session, std::string_view method,
                              const idl::WriteRequest& request) const {
  const security::Identity& caller = session.identity;
  const auto stamped = [](const idl::Write& write) { return write.__isset.writeTimeMs || write.__isset.writer; };
  if (caller.is_process() && !std::ranges::all_of(request.writes, stamped))
    return Refuse(session, method, "may not write for itself: no process of the cluster does");
  if (!caller.may(security::Identity::Kind::kServer) && std::ranges::any_of(request.writes, stamped))
    return Refuse(session, method, "may not write for others: it takes the certificate of a server");
  return {};
}

// OVERLOADED; the call holds what was admitted.
Status Dispatcher::CheckLimits(security::Session& session, int64_t table, const security::CallCost& cost,
                               PendingCall& call) const {
  const security::Identity& caller = session.identity;
  if (options_.access == nullptr || !options_.access->usage().any() || caller.is_process()) return {};
  const std::string& user = caller.kind == security::Identity::Kind::kUser ? caller.name : std::string();
  Result<security::UsageLimits::Admission> admission =
      options_.access->usage().Admit(session.usage, user, table, cost, MonotonicNow());
  if (!admission) return admission.error();
  call.Hold(*std::move(admission));
  return {};
}

template <class Service, class Request>
static Result<bool> ReadRequest(const MessageHead& head, std::string_view message, Request& request) {
  const std::string_view body = message.substr(head.body_offset);
  if constexpr (ServiceMethods<Service>::kInternal) {
    if (head.protocol != Protocol::kBinary)
      return Error(Code::kInvalidArgument, "calls between servers have the binary protocol");
    return codec::Read<codec::Binary>(body, 1, request);
  } else {
    return codec::Read(head.protocol, body, 1, request);
  }
}

template <class Service>
void Dispatcher::RegisterAll(std::shared_ptr<Service> handler) {
  const Access access = ServiceMethods<Service>::RequiredAccess();
  const auto add = [&]<class Request, class ReplyStruct>(const ServiceMethod<Service, Request, ReplyStruct>& method) {
    const AuditKind audit = access.AuditOf(method.name);
    const bool changes = access.Changes(method.name);
    auto handle = [this, handler, method, audit, changes](const Request& request, size_t bytes,
                                                          security::Session& session, PendingCallRef pending) {
      if (Audits(audit, session) && !(audit == AuditKind::kAdmin && OnlyLooks(request)))
        pending->Audit(*options_.audit, {session.identity, session.peer, method.name, SubjectOf(request), {}});
      Status refusal = CheckSpeaker(session, method.name, SpeakerOf(request));
      if constexpr (std::is_same_v<Request, idl::WriteRequest>) {
        if (refusal.ok()) refusal = CheckWrite(session, method.name, request);
      }
      if (refusal.ok() && changes && !OnlyLooks(request)) refusal = no_changes_;
      if constexpr (requires { request.header.tableId; }) {
        if (refusal.ok() && audit == AuditKind::kData)
          refusal = CheckLimits(session, request.header.tableId, CostOf(request, bytes), *pending);
      }
      if (!refusal.ok()) {
        ReplyStruct refused;
        SetFailure(refused, refusal);
        return pending->template Answer<Service>(refused);
      }
      try {
        const security::CallerScope scope(session, options_.access);
        (*handler.*method.call)(
            [pending = std::move(pending)](const ReplyStruct& answer) { pending->template Answer<Service>(answer); },
            request);
      } catch (const std::exception& error) {
        // The callback has been let go of, or will be: that answers the call.
        LOG(ERROR) << "the handler of " << method.name << " threw: " << error.what();
      }
    };
    auto call = [method, handle](const MessageHead& head, std::string_view message, security::Session& session,
                                 Reply reply) {
      Request request;
      const Result<bool> read = ReadRequest<Service>(head, message, request);
      if (!read.has_value()) return reply(std::unexpected(read.error()));
      handle(request, message.size(), session, PendingCallRef(new PendingCall(head, method.name, std::move(reply))));
    };
    auto call_with_struct = [method, handle](const std::any& request, security::Session& session, StructReply reply) {
      const auto* const* typed = std::any_cast<const Request*>(&request);
      CHECK(typed != nullptr) << method.name << " takes another struct";
      handle(**typed, 0, session, PendingCallRef(new PendingCall(method.name, std::move(reply))));
    };
    auto refuse = [method](const MessageHead& head, const Status& why, Reply reply) {
      ReplyStruct refused;
      SetFailure(refused, why);
      PendingCallRef(new PendingCall(head, method.name, std::move(reply)))->template Answer<Service>(refused);
    };
    const Method made{access.Of(method.name), access.IsForPeople(method.name), access.IsForServersToo(method.name),
                      std::move(call),        std::move(call_with_struct),     std::move(refuse)};
    CHECK(methods_.emplace(method.name, made).second) << "two services have a method " << method.name;
  };
  std::apply([&](const auto&... method) { (add(method), ...); }, ServiceMethods<Service>::kAll);
}

void Dispatcher::Register(std::shared_ptr<idl::TabletServiceCobSvIf> handler) { RegisterAll(std::move(handler)); }
void Dispatcher::Register(std::shared_ptr<idl::MasterServiceCobSvIf> handler) { RegisterAll(std::move(handler)); }
void Dispatcher::Register(std::shared_ptr<idl::ControlServiceCobSvIf> handler) { RegisterAll(std::move(handler)); }
void Dispatcher::Register(std::shared_ptr<idl::ReplicationServiceCobSvIf> handler) { RegisterAll(std::move(handler)); }

void Dispatcher::Dispatch(std::string_view message, Reply reply) const {
  const Result<MessageHead> head = ParseMessageHead(message);
  if (!head.has_value()) return reply(std::unexpected(head.error()));
  security::Session trusted;
  Dispatch(*head, message, trusted, std::move(reply));
}

void Dispatcher::Dispatch(std::string_view method, const std::any& request, StructReply reply) const {
  const auto found = methods_.find(method);
  if (found == methods_.end())
    return reply(Error(Code::kInternal, "no method \"" + std::string(method) + "\" is served here"));
  security::Session trusted;
  found->second.call_with_struct(request, trusted, std::move(reply));
}

void Dispatcher::Dispatch(const MessageHead& head, std::string_view message, security::Session& caller,
                          Reply reply) const {
  if (head.type != MessageType::kCall) {
    return reply(Error(Code::kInvalidArgument, "the message is not a call"));
  }
  const auto method = methods_.find(head.method);
  using Kind = security::Identity::Kind;
  if (method != methods_.end()) {
    const Kind whose = method->second.whose;
    const bool by_grant = whose == Kind::kOperator && options_.access != nullptr;
    const bool for_people = method->second.for_people && caller.identity.is_process();
    const bool may = caller.identity.may(whose) || (by_grant && options_.access->IsOperator(caller.identity)) ||
                     (method->second.for_servers_too && caller.identity.may(Kind::kServer));
    if (may && !for_people) {
      Status still;
      if (options_.access != nullptr && whose != Kind::kAnonymous) still = options_.access->CheckLogin(caller.identity);
      return still.ok() ? method->second.call(head, message, caller, std::move(reply))
                        : method->second.refuse(head, still, std::move(reply));
    }
    const std::string taken = for_people                 ? "no process of the cluster does"
                              : whose == Kind::kOperator ? "it takes an operator"
                              : caller.identity.kind == Kind::kAnonymous
                                  ? "log in first, or show a certificate"
                                  : "it takes the certificate of a " + std::string(UnitOf(whose));
    const Status why = Refuse(caller, method->first, "may not call " + method->first + ": " + taken);
    return method->second.refuse(head, why, std::move(reply));
  }
  const std::string text = "no method \"" + std::string(head.method) + "\" is served here";
  reply(EncodeException(head, TApplicationException::UNKNOWN_METHOD, text));
}

Status Dispatcher::Refuse(const security::Session& caller, std::string_view method, const std::string& why) const {
  refusals_.fetch_add(1, std::memory_order_relaxed);
  const security::Identity& who = caller.identity;
  const std::string name = who.kind == security::Identity::Kind::kAnonymous
                               ? "who shows no certificate"
                               : "the " + std::string(UnitOf(who.kind)) + " \"" + who.name + "\"";
  Status refusal(Code::kPermissionDenied, name + " " + why);
  Audit({who, caller.peer, std::string(method), "", refusal});
  return refusal;
}

// A few lines for each address, so that a flood of refusals hides neither other addresses nor earlier lines.
void Dispatcher::Audit(security::AuditEvent refusal) const {
  const security::HostBudget::Spent line = lines_.Spend(refusal.from, MonotonicNow());
  if (!line.granted) return;
  if (line.left_out > 0) refusal.of = std::to_string(line.left_out) + " refusals of this address were left out before";
  LOG(WARNING) << "refused: " << refusal.action << " from " << refusal.from << ": " << refusal.outcome.message()
               << (refusal.of.empty() ? "" : "; ") << refusal.of;
  if (options_.audit != nullptr) options_.audit->Record(refusal);
}

}  // namespace ebla::rpc
