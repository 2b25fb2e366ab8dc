#include "tests/bench/harness/socket_load.h"

#include <glog/logging.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "common/rpc/socket.h"

namespace ebla::bench {
namespace {

using Clock = std::chrono::steady_clock;

void PutBigEndian(char* at, uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(value >> (24 - 8 * i));
}

class LoadConnection {
 public:
  LoadConnection(const Load& load, std::vector<char>& scratch) : load_(load), scratch_(scratch) {
    const auto address = rpc::SocketAddress::FromNumeric(load.server);
    fd_ = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    PCHECK(connect(fd_, address->get(), address->size) == 0);
    rpc::SetNoDelay(fd_);
    frame_.resize(4);
    PutBigEndian(frame_.data(), static_cast<uint32_t>(load.call.message.size()));
    frame_ += load.call.message;
  }
  ~LoadConnection() { close(fd_); }
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  int fd() const { return fd_; }

  void Send(size_t calls) {
    out_.clear();
    for (size_t i = 0; i < calls; ++i) {
      PutBigEndian(frame_.data() + 4 + load_.call.sequence_offset, ++sequence_ & 0x7fffffff);
      out_ += frame_;
    }
    for (size_t sent = 0; sent < out_.size();) {
      const ssize_t now = write(fd_, out_.data() + sent, out_.size() - sent);
      PCHECK(now > 0);
      sent += static_cast<size_t>(now);
    }
  }

  // Takes what has come; returns how many whole replies that were.
  size_t Receive() {
    const ssize_t got = read(fd_, scratch_.data(), scratch_.size());
    PCHECK(got > 0) << "the server closed the connection";
    size_t replies = 0;
    for (size_t at = 0; at < static_cast<size_t>(got);) {
      if (body_left_ > 0) {
        const size_t step = std::min<size_t>(body_left_, static_cast<size_t>(got) - at);
        at += step;
        body_left_ -= step;
        replies += body_left_ == 0;
        continue;
      }
      body_size_ = body_size_ << 8 | static_cast<uint8_t>(scratch_[at++]);
      if (++header_bytes_ < 4) continue;
      body_left_ = body_size_;
      body_size_ = 0;
      header_bytes_ = 0;
    }
    return replies;
  }

 private:
  const Load& load_;
  std::vector<char>& scratch_;
  int fd_;
  std::string frame_, out_;
  uint32_t sequence_ = 0;
  uint32_t body_size_ = 0;
  int header_bytes_ = 0;
  size_t body_left_ = 0;
};

}  // namespace

double MeasureLoad(const Load& load, Duration duration) {
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
  Clock::time_point start = warm;
  const Clock::time_point end = warm + duration;
  uint64_t replies = 0;
  bool counting = false;
  while (Clock::now() < end) {
    epoll_event events[64];
    const int ready = epoll_wait(poller, events, 64, 1000);
    for (int i = 0; i < ready; ++i) {
      LoadConnection& connection = *connections[events[i].data.u64];
      const size_t more = connection.Receive();
      replies += more;
      if (more > 0) connection.Send(more);
    }
    if (!counting && Clock::now() >= warm) {
      counting = true;
      replies = 0;
      start = Clock::now();
    }
  }
  close(poller);
  return static_cast<double>(replies) / std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace ebla::bench
