#include "common/rpc/pipelined_channel.h"

#include <glog/logging.h>

#include <map>
#include <utility>

#include "common/base/mutex.h"
#include "common/rpc/connection.h"

namespace ebla::rpc {
namespace {

class PipelinedChannel final : public Channel {
 public:
  PipelinedChannel(EventLoop& loop, std::shared_ptr<Connection> connection)
      : loop_(loop), connection_(std::move(connection)) {}
  ~PipelinedChannel() override {
    // The connection ends on its loop. If that has stopped, the task is destroyed unrun, and with it what is in flight.
    struct Ending {
      std::shared_ptr<Connection> connection;
      ~Ending() {
        if (connection != nullptr) connection->Abandon();
      }
    };
    loop_.Post([ending = std::make_unique<Ending>(std::move(connection_))] {
      std::exchange(ending->connection, nullptr)->Release();
    });
  }

  void Call(EncodedCall call, Duration timeout, Done done) override {
    connection_->Submit(std::move(call), timeout, std::move(done));
  }

 private:
  EventLoop& loop_;
  std::shared_ptr<Connection> connection_;  // shared with the tasks that it has posted
};

}  // namespace

class PipelinedConnector::Impl {
 public:
  Impl(EventLoop& loop, const ChannelOptions& options) : shared_(std::make_shared<ConnectionShared>(loop, options)) {
    CHECK_LE(options.in_flight_max, 65'535u) << "a sequence id has 16 bits for the call";
  }

  std::shared_ptr<Channel> Connect(const Endpoint& endpoint, Executor& executor) {
    MutexLock lock(mutex_);
    std::weak_ptr<Channel>& known = channels_[{endpoint, &executor}];
    if (std::shared_ptr<Channel> channel = known.lock()) return channel;
    auto channel =
        std::make_shared<PipelinedChannel>(shared_->loop, std::make_shared<Connection>(shared_, endpoint, executor));
    known = channel;
    std::erase_if(channels_, [](const auto& entry) { return entry.second.expired(); });
    return channel;
  }

 private:
  const std::shared_ptr<ConnectionShared> shared_;  // shared with connections that outlive the connector
  Mutex mutex_;
  std::map<std::pair<Endpoint, Executor*>, std::weak_ptr<Channel>> channels_ EBLA_GUARDED_BY(mutex_);
};

PipelinedConnector::PipelinedConnector(EventLoop& loop, ChannelOptions options)
    : impl_(std::make_shared<Impl>(loop, options)) {}
PipelinedConnector::~PipelinedConnector() = default;

std::shared_ptr<Channel> PipelinedConnector::Connect(const Endpoint& endpoint, Executor& executor) {
  return impl_->Connect(endpoint, executor);
}

}  // namespace ebla::rpc
