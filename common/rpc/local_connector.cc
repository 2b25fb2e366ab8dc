#include "common/rpc/local_connector.h"

#include <utility>

#include "common/base/mutex.h"

namespace ebla::rpc {
namespace {

// One call: whichever comes first, its reply or the end of its time, ends it. T: bytes, or a struct.
template <class T>
class LocalCall : public std::enable_shared_from_this<LocalCall<T>> {
 public:
  using Done = std::move_only_function<void(Result<T>)>;

  LocalCall(Executor& executor, Done done) : executor_(executor), done_(std::move(done)) {}

  void EndAfter(Duration timeout) {
    MutexLock lock(mutex_);
    if (!done_) return;
    timer_ = executor_.After(timeout, [self = this->shared_from_this()] {
      if (Done done = self->Take()) done(Error(Code::kDeadlineExceeded, "no reply in time"));
    });
  }
  // Any thread.
  void Answer(Result<T> reply) {
    Done done = Take();
    if (!done) return;
    executor_.Post([done = std::move(done), reply = std::move(reply)]() mutable { done(std::move(reply)); });
  }

 private:
  Done Take() {
    MutexLock lock(mutex_);
    if (done_ && timer_) executor_.Cancel(timer_);
    return std::exchange(done_, nullptr);
  }

  Executor& executor_;
  Mutex mutex_;
  Done done_ EBLA_GUARDED_BY(mutex_);
  TimerId timer_ EBLA_GUARDED_BY(mutex_);
};

class LocalChannel final : public Channel, public LocalCalls {
 public:
  LocalChannel(const Dispatcher& dispatcher, Executor& executor) : dispatcher_(dispatcher), executor_(executor) {}

  void Call(EncodedCall call, Duration timeout, Channel::Done done) override {
    auto pending = Begin<std::string>(timeout, std::move(done));
    if (executor_.InThread()) return DispatchTo(dispatcher_, call.message, std::move(pending));
    executor_.Post([&dispatcher = dispatcher_, message = std::move(call.message),
                    pending = std::move(pending)]() mutable { DispatchTo(dispatcher, message, std::move(pending)); });
  }
  LocalCalls* SameThreadCalls() override { return executor_.InThread() && dispatcher_.TakesStructs() ? this : nullptr; }

 private:
  void Call(std::string_view method, const std::any& request, Duration timeout, LocalCalls::Done done) override {
    dispatcher_.Dispatch(method, request,
                         [pending = Begin<std::shared_ptr<void>>(timeout, std::move(done))](
                             Result<std::shared_ptr<void>> reply) { pending->Answer(std::move(reply)); });
  }

  template <class T>
  std::shared_ptr<LocalCall<T>> Begin(Duration timeout, LocalCall<T>::Done done) {
    auto pending = std::make_shared<LocalCall<T>>(executor_, std::move(done));
    pending->EndAfter(timeout);
    return pending;
  }
  static void DispatchTo(const Dispatcher& dispatcher, std::string_view message,
                         std::shared_ptr<LocalCall<std::string>> pending) {
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
