#include "common/rpc/dispatcher.h"

#include <glog/logging.h>

#include <atomic>

#include "common/base/key_range.h"
#include "common/rpc/message_codec.h"
#include "common/rpc/reply_failure.h"
#include "common/rpc/services.h"

namespace ebla::rpc {

using codec::thrift::TApplicationException;

// A call that its handler has not answered yet. Counted by hand: the handler's copyable callback holds it in one word,
// and the last one to let go of it without an answer makes that the answer.
class PendingCall {
 public:
  PendingCall(const MessageHead& head, const char* method, Dispatcher::Reply reply)
      : protocol_(head.protocol), sequence_(head.sequence), method_(method), reply_(std::move(reply)) {}

  template <class ReplyStruct>
  void Answer(const ReplyStruct& answer) {
    if (answered_.exchange(true)) {
      LOG(DFATAL) << "the handler of " << method_ << " answered twice";
      return;
    }
    try {
      reply_(codec::Write(protocol_, method_, MessageType::kReply, sequence_, 0, answer));
    } catch (const std::exception& error) {
      Fail(std::string("the reply could not be encoded: ") + error.what());
    }
  }

  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    // Nobody can add to the last reference: the common case, of a callback never copied, needs no locked instruction.
    if (references_.load(std::memory_order_acquire) != 1 && references_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
      return;
    }
    if (!answered_.load(std::memory_order_relaxed)) Fail("the server dropped the call");
    delete this;
  }

 private:
  void Fail(const std::string& why) {
    const MessageHead head{.protocol = protocol_, .sequence = sequence_, .method = method_};
    reply_(EncodeException(head, TApplicationException::INTERNAL_ERROR, why));
  }

  const Protocol protocol_;
  const int32_t sequence_;
  const char* const method_;
  Dispatcher::Reply reply_;
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

 private:
  PendingCall* call_;
};

Dispatcher::Dispatcher() = default;
Dispatcher::~Dispatcher() = default;

template <class Service>
void Dispatcher::RegisterAll(std::shared_ptr<Service> handler) {
  const Access access = ServiceMethods<Service>::WhoMay();
  const auto add = [&]<class Request, class ReplyStruct>(const ServiceMethod<Service, Request, ReplyStruct>& method) {
    auto call = [this, handler, method](const MessageHead& head, std::string_view message,
                                        const security::Identity& caller, Reply reply) {
      Request request;
      const Result<bool> read = codec::Read(head.protocol, message.substr(head.body_offset), 1, request);
      if (!read.has_value()) return reply(std::unexpected(read.error()));
      PendingCallRef pending(new PendingCall(head, method.name, std::move(reply)));
      const std::string speaker = SpeakerOf(request);
      if (!speaker.empty() && !caller.MaySpeakFor(speaker)) {
        ReplyStruct refused;
        SetFailure(refused, Refuse(caller, "may not speak as server \"" + EscapeBytes(speaker) + "\""));
        return pending->Answer(refused);
      }
      if (!caller.may(TakenBy(request))) {
        ReplyStruct refused;
        SetFailure(refused, Refuse(caller, "may not write for others: it takes the certificate of a server"));
        return pending->Answer(refused);
      }
      try {
        (*handler.*method.call)([pending = std::move(pending)](const ReplyStruct& answer) { pending->Answer(answer); },
                                request);
      } catch (const std::exception& error) {
        // The callback has been let go of, or will be: that answers the call.
        LOG(ERROR) << "the handler of " << method.name << " threw: " << error.what();
      }
    };
    auto refuse = [method](const MessageHead& head, const Status& why, Reply reply) {
      ReplyStruct refused;
      SetFailure(refused, why);
      PendingCallRef(new PendingCall(head, method.name, std::move(reply)))->Answer(refused);
    };
    const Method made{access.Of(method.name), std::move(call), std::move(refuse)};
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
  Dispatch(*head, message, security::Identity{}, std::move(reply));
}

void Dispatcher::Dispatch(const MessageHead& head, std::string_view message, const security::Identity& caller,
                          Reply reply) const {
  if (head.type != MessageType::kCall) {
    return reply(Error(Code::kInvalidArgument, "the message is not a call"));
  }
  const auto method = methods_.find(head.method);
  if (method != methods_.end() && caller.may(method->second.whose))
    return method->second.call(head, message, caller, std::move(reply));
  if (method != methods_.end()) {
    const Status why = Refuse(caller, "may not call " + method->first + ": it takes the certificate of " +
                                          (method->second.whose == security::Identity::Kind::kOperator ? "an " : "a ") +
                                          UnitOf(method->second.whose));
    return method->second.refuse(head, why, std::move(reply));
  }
  const std::string text = "no method \"" + std::string(head.method) + "\" is served here";
  reply(EncodeException(head, TApplicationException::UNKNOWN_METHOD, text));
}

Status Dispatcher::Refuse(const security::Identity& caller, const std::string& why) const {
  refusals_.fetch_add(1, std::memory_order_relaxed);
  Status refusal(Code::kPermissionDenied,
                 "the " + std::string(UnitOf(caller.kind)) + " \"" + caller.name + "\" " + why);
  LOG_EVERY_N(WARNING, 100) << "refused: " << refusal.message();
  return refusal;
}

}  // namespace ebla::rpc
