#include "tests/bench/harness/socket_load.h"

#include <glog/logging.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "common/rpc/socket.h"
#include "tools/load/histogram.h"

namespace ebla::bench {
namespace {

using Clock = std::chrono::steady_clock;

void PutBigEndian(char* at, uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(value >> (24 - 8 * i));
}

class FramedConversation : public Conversation {
 public:
  explicit FramedConversation(const rpc::EncodedCall& call) : sequence_at_(4 + call.sequence_offset) {
    frame_.resize(4);
    PutBigEndian(frame_.data(), static_cast<uint32_t>(call.message.size()));
    frame_ += call.message;
  }

  void AppendCall(std::string& out) override {
    PutBigEndian(frame_.data() + sequence_at_, ++sequence_ & 0x7fffffff);
    out += frame_;
  }

  size_t CountReplies(std::string_view received) override {
    size_t replies = 0;
    while (!received.empty()) {
      if (body_left_ > 0) {
        const size_t step = std::min<size_t>(body_left_, received.size());
        received.remove_prefix(step);
        body_left_ -= step;
        replies += body_left_ == 0;
        continue;
      }
      body_size_ = body_size_ << 8 | static_cast<uint8_t>(received.front());
      received.remove_prefix(1);
      if (++header_bytes_ < 4) continue;
      body_left_ = body_size_;
      body_size_ = 0;
      header_bytes_ = 0;
    }
    return replies;
  }

 private:
  const size_t sequence_at_;
  std::string frame_;
  uint32_t sequence_ = 0;
  uint32_t body_size_ = 0;
  int header_bytes_ = 0;
  size_t body_left_ = 0;
};

// Calls that are sent together are known by when that was.
class LoadConnection {
 public:
  LoadConnection(const Load& load, std::vector<char>& scratch) : conversation_(load.conversation()), scratch_(scratch) {
    const auto address = rpc::SocketAddress::FromNumeric(load.server);
    fd_ = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    PCHECK(connect(fd_, address->get(), address->size) == 0);
    rpc::SetNoDelay(fd_);
  }
  ~LoadConnection() { close(fd_); }
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  int fd() const { return fd_; }

  void Send(size_t calls) {
    out_.clear();
    for (size_t i = 0; i < calls; ++i) conversation_->AppendCall(out_);
    sent_.emplace_back(Clock::now(), calls);
    in_flight_ += calls;
    for (size_t sent = 0; sent < out_.size();) {
      const ssize_t now = write(fd_, out_.data() + sent, out_.size() - sent);
      PCHECK(now > 0);
      sent += static_cast<size_t>(now);
    }
  }

  // Takes the received bytes, and returns the number of whole replies. Records replies to calls sent at `from` or
  // later.
  size_t Receive(Clock::time_point from, load::Histogram& micros) {
    const ssize_t got = read(fd_, scratch_.data(), scratch_.size());
    PCHECK(got > 0) << "the server closed the connection";
    const size_t replies = conversation_->CountReplies({scratch_.data(), static_cast<size_t>(got)});
    const auto now = Clock::now();
    for (size_t i = 0; i < replies; ++i) {
      auto& [at, calls] = sent_.front();
      if (at >= from) {
        micros.Record(static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - at).count()));
      }
      if (--calls == 0) sent_.pop_front();
    }
    in_flight_ -= replies;
    return replies;
  }
  size_t in_flight() const { return in_flight_; }

 private:
  const std::unique_ptr<Conversation> conversation_;
  std::vector<char>& scratch_;
  int fd_;
  std::string out_;
  std::deque<std::pair<Clock::time_point, size_t>> sent_;
  size_t in_flight_ = 0;
};

}  // namespace

MakeConversation FramedCalls(rpc::EncodedCall call) {
  return [call = std::move(call)] { return std::make_unique<FramedConversation>(call); };
}

LoadResult MeasureLoad(const Load& load, Duration duration) {
  std::vector<char> scratch(256 * 1024);
  std::vector<std::unique_ptr<LoadConnection>> connections;
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  PCHECK(poller >= 0);
  for (size_t i = 0; i < load.connections; ++i) {
    connections.push_back(std::make_unique<LoadConnection>(load, scratch));
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    PCHECK(epoll_ctl(poller, EPOLL_CTL_ADD, connections.back()->fd(), &event) == 0);
    connections.back()->Send(load.in_flight);
  }
  const Clock::time_point warm = Clock::now() + duration / 10;
  const Clock::time_point end = warm + duration;
  LoadResult result;
  load::Histogram micros;
  Clock::time_point start = warm;
  uint64_t replies_before = 0;
  while (Clock::now() < end) {
    epoll_event events[64];
    const int ready = epoll_wait(poller, events, 64, 1000);
    for (int i = 0; i < ready; ++i) {
      LoadConnection& connection = *connections[events[i].data.u64];
      result.replies += connection.Receive(warm, micros);
      const size_t next = load.together && connection.in_flight() > 0 ? 0 : load.in_flight - connection.in_flight();
      if (next > 0) connection.Send(next);
    }
    if (replies_before == 0 && Clock::now() >= warm) {
      replies_before = result.replies;
      start = Clock::now();
    }
  }
  close(poller);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  result.timings = {.per_second = static_cast<double>(result.replies - replies_before) / seconds,
                    .p50_us = static_cast<double>(micros.Percentile(50)),
                    .p99_us = static_cast<double>(micros.Percentile(99)),
                    .p999_us = static_cast<double>(micros.Percentile(99.9))};
  return result;
}

}  // namespace ebla::bench
