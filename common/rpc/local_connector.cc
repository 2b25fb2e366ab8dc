#include "common/rpc/local_connector.h"

#include <utility>

#include "common/base/mutex.h"

namespace ebla::rpc {
namespace {

// One call: whichever comes first, its reply or the end of its time, ends it.
class LocalCall : public std::enable_shared_from_this<LocalCall> {
 public:
  LocalCall(Executor& executor, Channel::Done done) : executor_(executor), done_(std::move(done)) {}

  void EndAfter(Duration timeout) {
    MutexLock lock(mutex_);
    if (!done_) return;
    timer_ = executor_.After(timeout, [self = shared_from_this()] {
      if (Channel::Done done = self->Take()) done(Error(Code::kDeadlineExceeded, "no reply in time"));
    });
  }
  // Any thread.
  void Answer(Result<std::string> reply) {
    Channel::Done done = Take();
    if (!done) return;
    executor_.Post([done = std::move(done), reply = std::move(reply)]() mutable { done(std::move(reply)); });
  }

 private:
  Channel::Done Take() {
    MutexLock lock(mutex_);
    if (done_ && timer_) executor_.Cancel(timer_);
    return std::exchange(done_, nullptr);
  }

  Executor& executor_;
  Mutex mutex_;
  Channel::Done done_ EBLA_GUARDED_BY(mutex_);
  TimerId timer_ EBLA_GUARDED_BY(mutex_);
};

class LocalChannel final : public Channel {
 public:
  LocalChannel(const Dispatcher& dispatcher, Executor& executor) : dispatcher_(dispatcher), executor_(executor) {}

  void Call(EncodedCall call, Duration timeout, Done done) override {
    auto pending = std::make_shared<LocalCall>(executor_, std::move(done));
    pending->EndAfter(timeout);
    if (executor_.InThread()) return DispatchTo(dispatcher_, call.message, std::move(pending));
    executor_.Post([&dispatcher = dispatcher_, message = std::move(call.message),
                    pending = std::move(pending)]() mutable { DispatchTo(dispatcher, message, std::move(pending)); });
  }

 private:
  static void DispatchTo(const Dispatcher& dispatcher, std::string_view message, std::shared_ptr<LocalCall> pending) {
    dispatcher.Dispatch(message, [pending = std::move(pending)](Result<std::string_view> reply) {
      pending->Answer(reply ? Result<std::string>(std::string(*reply)) : Error(reply.error()));
    });
  }

  const Dispatcher& dispatcher_;
  Executor& executor_;
};

}  // namespace

std::shared_ptr<Channel> LocalConnector::Connect(const Endpoint& endpoint, Executor& executor) {
  if (endpoint != here_) return away_->Connect(endpoint, executor);
  return std::make_shared<LocalChannel>(dispatcher_, executor);
}

}  // namespace ebla::rpc
