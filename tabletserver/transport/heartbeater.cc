#include "tabletserver/transport/heartbeater.h"

#include <glog/logging.h>

#include <utility>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/idl_convert.h"
#include "common/rpc/stubs.h"

namespace ebla::tabletserver {

class Heartbeater::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(coordination::Coordinator& coordinator, rpc::Connector& connector, Executor& executor, SeenTerm& term,
       Report report, Answer answer, Led led, Options options)
      : coordinator_(coordinator),
        connector_(connector),
        executor_(executor),
        term_(term),
        report_(std::move(report)),
        answer_(std::move(answer)),
        led_(std::move(led)),
        options_(options) {}

  void Start() {
    ReadTerm();
    Beat();
  }
  void Stop() {
    stopped_ = true;
    executor_.Cancel(timer_);
  }
  void Hurry() {
    executor_.Post([self = shared_from_this()] {
      if (self->stopped_) return;
      if (self->in_flight_) {
        self->again_ = true;  // what is to be told has come up since that one was written
        return;
      }
      self->executor_.Cancel(self->timer_);
      self->Beat();
    });
  }

 private:
  // Each read is a round of its own: what an earlier one left behind (its watch, its timer) does nothing any more.
  void ReadTerm() {
    if (stopped_) return;
    const uint64_t round = ++round_;
    coordinator_.Get(
        coordination::layout::kTerm,
        [self = shared_from_this(), round](Result<coordination::Node> node) {
          if (self->round_ == round) self->OnTerm(std::move(node));
        },
        ReadAgain());
  }
  Task ReadAgain() {
    return [self = shared_from_this(), round = round_] {
      if (self->round_ == round) self->ReadTerm();
    };
  }

  void OnTerm(Result<coordination::Node> node) {
    if (stopped_) return;
    if (node) {
      auto decoded = coordination::DecodeNode<idl::TermNode>(node->data, coordination::layout::kTerm);
      if (decoded) {
        Follow(*decoded);
        return;  // the watch reads again
      }
      LOG_EVERY_N(ERROR, 20) << "cannot read which master is the leader: " << decoded.error();
    }
    executor_.After(options_.retry_delay, ReadAgain());  // no master yet, or the coordinator is away
  }

  void Follow(const idl::TermNode& term) {
    auto endpoint = rpc::FromIdl(term.endpoint);
    if (!endpoint) {
      LOG(ERROR) << "the leading master " << term.leader << " names no usable address: " << endpoint.error();
      return;
    }
    term_.Raise(term.term);
    if (endpoint_ == *endpoint) return;
    LOG(INFO) << "master " << term.leader << " is the leader, term " << term.term << " at " << endpoint->ToString();
    endpoint_ = *endpoint;
    led_(*endpoint);
    stub_ = rpc::MakeMasterStub(connector_.Connect(*endpoint, executor_), 2 * options_.heartbeat_period);
    ++attempt_;  // an answer of the former master frees nothing
    in_flight_ = false;
    executor_.Cancel(timer_);
    Beat();
  }

  void Beat() {
    if (stopped_) return;
    timer_ = executor_.After(options_.heartbeat_period, [self = shared_from_this()] { self->Beat(); });
    if (stub_ == nullptr || in_flight_) return;
    idl::HeartbeatRequest request;
    request.described = describe_;
    report_(request);
    request.seenTerm = term_.Get();
    request.serversTerm = servers_term_;
    request.serversVersion = servers_version_;
    in_flight_ = true;
    stub_->heartbeat([self = shared_from_this(),
                      attempt = ++attempt_](const idl::HeartbeatReply& reply) { self->OnReply(attempt, reply); },
                     request);
  }

  void OnReply(uint64_t attempt, const idl::HeartbeatReply& reply) {
    if (stopped_ || attempt != attempt_) return;
    in_flight_ = false;
    if (std::exchange(again_, false)) Hurry();
    if (reply.header.code == idl::Code::OK) {
      if (term_.IsPlausible(reply.masterTerm)) term_.Raise(reply.masterTerm);
      answer_(reply);
      servers_term_ = reply.masterTerm;
      servers_version_ = reply.serversVersion;
      if (reply.describe && !std::exchange(describe_, reply.describe)) Hurry();  // the master waits for it
      describe_ = reply.describe;
      if (failing_) LOG(INFO) << "the master at " << endpoint_->ToString() << " answers heartbeats again";
      failing_ = false;
    } else if (!std::exchange(failing_, true)) {
      LOG(WARNING) << "heartbeat to the master at " << endpoint_->ToString() << " failed: " << reply.header.message;
    }
  }

  coordination::Coordinator& coordinator_;
  rpc::Connector& connector_;
  Executor& executor_;
  SeenTerm& term_;
  const Report report_;
  const Answer answer_;
  const Led led_;
  const Options options_;
  bool stopped_ = false;
  uint64_t round_ = 0;  // the last read of the term
  bool in_flight_ = false;
  bool again_ = false;  // as soon as the one in flight is answered
  bool failing_ = false;
  uint64_t attempt_ = 0;
  int64_t servers_term_ = 0;  // of the latest answer: only what has changed since is said again
  int64_t servers_version_ = 0;
  bool describe_ = false;  // the master wants details
  TimerId timer_;
  std::optional<rpc::Endpoint> endpoint_;
  std::shared_ptr<idl::MasterServiceCobSvIf> stub_;
};

Heartbeater::Heartbeater(coordination::Coordinator& coordinator, rpc::Connector& connector, Executor& executor,
                         SeenTerm& term, Report report, Answer answer, Led led, Options options)
    : impl_(std::make_shared<Impl>(coordinator, connector, executor, term, std::move(report), std::move(answer),
                                   std::move(led), options)) {
  executor.Post([impl = impl_] { impl->Start(); });
}

Heartbeater::~Heartbeater() { impl_->Stop(); }

void Heartbeater::Hurry() { impl_->Hurry(); }

}  // namespace ebla::tabletserver
