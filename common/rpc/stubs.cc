#include "common/rpc/stubs.h"

#include <glog/logging.h>

#include "common/rpc/reply_failure.h"
#include "common/rpc/typed_call.h"
#include "idl/methods.h"

namespace ebla::rpc {
namespace {

template <class Request>
Duration TimeoutOf(const Request& request, Duration default_timeout) {
  int64_t deadline_ms = 0;
  if constexpr (requires { request.header.deadlineMs; }) {
    deadline_ms = request.header.deadlineMs;
  } else if constexpr (requires { request.deadlineMs; }) {
    deadline_ms = request.deadlineMs;
  }
  return deadline_ms > 0 ? std::chrono::milliseconds(deadline_ms) + kDeadlineGrace : default_timeout;
}

class Caller {
 public:
  Caller(std::shared_ptr<Channel> channel, Duration default_timeout)
      : channel_(std::move(channel)), default_timeout_(default_timeout) {}

  template <class Request, class Reply>
  void Call(const char* method, std::function<void(const Reply&)> callback, const Request& request) const {
    auto done = [callback = std::move(callback)](const Result<Reply>& reply) {
      if (reply) return callback(*reply);
      Reply failed;
      SetFailure(failed, reply.error());
      callback(failed);
    };
    TypedCall<Reply>(*channel_, method, request, TimeoutOf(request, default_timeout_), std::move(done));
  }

 private:
  const std::shared_ptr<Channel> channel_;  // shared with the other stubs of the endpoint
  const Duration default_timeout_;
};

// For each method of the IDL: void name(callback, request) override.
#define EBLA_STUB(name, Request, Reply)                                                          \
  void name(std::function<void(const idl::Reply&)> done, const idl::Request& request) override { \
    caller_.Call(#name, std::move(done), request);                                               \
  }

class TabletStub final : public idl::TabletServiceCobSvIf {
 public:
  explicit TabletStub(Caller caller) : caller_(std::move(caller)) {}
  EBLA_TABLET_METHODS(EBLA_STUB)

 private:
  const Caller caller_;
};

class MasterStub final : public idl::MasterServiceCobSvIf {
 public:
  explicit MasterStub(Caller caller) : caller_(std::move(caller)) {}
  EBLA_MASTER_METHODS(EBLA_STUB)

 private:
  const Caller caller_;
};

class ControlStub final : public idl::ControlServiceCobSvIf {
 public:
  explicit ControlStub(Caller caller) : caller_(std::move(caller)) {}
  EBLA_CONTROL_METHODS(EBLA_STUB)

 private:
  const Caller caller_;
};

class ReplicationStub final : public idl::ReplicationServiceCobSvIf {
 public:
  explicit ReplicationStub(Caller caller) : caller_(std::move(caller)) {}
  EBLA_REPLICATION_METHODS(EBLA_STUB)

 private:
  const Caller caller_;
};

#undef EBLA_STUB

}  // namespace

std::shared_ptr<idl::TabletServiceCobSvIf> MakeTabletStub(std::shared_ptr<Channel> channel, Duration default_timeout) {
  return std::make_shared<TabletStub>(Caller(std::move(channel), default_timeout));
}
std::shared_ptr<idl::MasterServiceCobSvIf> MakeMasterStub(std::shared_ptr<Channel> channel, Duration default_timeout) {
  return std::make_shared<MasterStub>(Caller(std::move(channel), default_timeout));
}
std::shared_ptr<idl::ControlServiceCobSvIf> MakeControlStub(std::shared_ptr<Channel> channel,
                                                            Duration default_timeout) {
  return std::make_shared<ControlStub>(Caller(std::move(channel), default_timeout));
}
std::shared_ptr<idl::ReplicationServiceCobSvIf> MakeReplicationStub(std::shared_ptr<Channel> channel,
                                                                    Duration default_timeout) {
  return std::make_shared<ReplicationStub>(Caller(std::move(channel), default_timeout));
}

}  // namespace ebla::rpc
