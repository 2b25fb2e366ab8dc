#include "tests/bench/compare/memcached_peer.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "common/base/descriptor.h"
#include "common/base/system_error.h"
#include "common/rpc/socket.h"
#include "common/zookeeper/zookeeper_command.h"

namespace ebla::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kServer[] = "/usr/bin/memcached";
constexpr uint64_t kKeys = 100'000;
constexpr std::chrono::seconds kStartTimeMax{20};

// All of one length, and so are the answers: counting bytes tells what has been answered.
std::string Key(uint64_t n) { return "key:" + std::to_string(1'000'000 + n); }

// One connection, with a number of operations that are sent together and answered before the next.
class TextConnection {
 public:
  TextConnection(MemcachedPeer::Operation operation, int pipeline, size_t value_bytes)
      : operation_(operation), pipeline_(pipeline), value_(value_bytes, 'v') {
    const std::string length = std::to_string(value_bytes);
    set_tail_ = " 0 0 " + length + "\r\n" + value_ + "\r\n";
    answer_ = operation == MemcachedPeer::Operation::kSet
                  ? std::string("STORED\r\n")
                  : "VALUE " + Key(0) + " 0 " + length + "\r\n" + value_ + "\r\nEND\r\n";
  }

  Status Connect(uint16_t port) {
    const auto address = rpc::SocketAddress::FromNumeric({"127.0.0.1", port});
    socket_ = std::make_unique<Descriptor>(socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(socket_->get(), address->get(), address->size) != 0)
      return SystemError(Code::kUnavailable, "cannot connect to memcached");
    rpc::SetNoDelay(socket_->get());
    return {};
  }
  int fd() const { return socket_->get(); }

  template <class NextKey>
  Status Send(const NextKey& next) {
    out_.clear();
    for (int i = 0; i < pipeline_; ++i) {
      if (operation_ == MemcachedPeer::Operation::kSet) {
        out_.append("set ").append(Key(next())).append(set_tail_);
      } else {
        out_.append("get ").append(Key(next())).append("\r\n");
      }
    }
    missing_ = static_cast<size_t>(pipeline_) * answer_.size();
    sent_ = Clock::now();
    for (std::string_view rest = out_; !rest.empty();) {
      const ssize_t now = send(fd(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (now < 0 && errno != EINTR) return SystemError(Code::kUnavailable, "cannot send to memcached");
      rest.remove_prefix(static_cast<size_t>(std::max<ssize_t>(now, 0)));
    }
    return {};
  }

  // True: all that was sent is answered.
  Result<bool> Receive(std::vector<char>& scratch) {
    const ssize_t got = recv(fd(), scratch.data(), scratch.size(), 0);
    if (got <= 0) return SystemError(Code::kUnavailable, "memcached has closed the connection");
    if (scratch[0] == 'E' && missing_ % answer_.size() == 0)
      return Error(Code::kInternal,
                   "memcached does not have what was set, or refuses: " + std::string(scratch.data(), 20));
    missing_ -= std::min(missing_, static_cast<size_t>(got));
    return missing_ == 0;
  }
  Clock::time_point sent() const { return sent_; }

 private:
  const MemcachedPeer::Operation operation_;
  const int pipeline_;
  const std::string value_;
  std::string set_tail_, answer_, out_;
  std::unique_ptr<Descriptor> socket_;
  size_t missing_ = 0;
  Clock::time_point sent_;
};

}  // namespace

Result<MemcachedPeer> MemcachedPeer::Start(const std::string& directory) {
  std::filesystem::create_directories(directory);
  EBLA_ASSIGN(const uint16_t port, zookeeper::PickPort());
  EBLA_ASSIGN(MeasuredProcess process, MeasuredProcess::Start({kServer, "-l", "127.0.0.1", "-p", std::to_string(port),
                                                               "-U", "0", "-u", "root", "-m", "1024", "-t", "2"},
                                                              directory));
  MemcachedPeer peer(port, std::move(process));
  for (const auto limit = Clock::now() + kStartTimeMax;; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
    if (TextConnection(Operation::kGet, 1, 1).Connect(port).ok()) return peer;
    if (!peer.process_.alive() || Clock::now() > limit)
      return Error(Code::kUnavailable, "memcached does not start; see " + directory);
  }
}

Status MemcachedPeer::Fill(size_t value_bytes) const {
  constexpr int kAtOnce = 100;
  TextConnection connection(Operation::kSet, kAtOnce, value_bytes);
  EBLA_TRY(connection.Connect(port_));
  std::vector<char> scratch(64 << 10);
  uint64_t key = 0;
  while (key < kKeys) {
    EBLA_TRY(connection.Send([&key] { return key++; }));
    for (bool all = false; !all;) {
      EBLA_ASSIGN(all, connection.Receive(scratch));
    }
  }
  return {};
}

Result<load::Timings> MemcachedPeer::Measure(Operation operation, int connections, int pipeline, size_t value_bytes,
                                             std::chrono::nanoseconds duration, int64_t& operations) const {
  std::minstd_rand random(1);
  const auto next = [&random] { return random() % kKeys; };
  std::vector<std::unique_ptr<TextConnection>> all;
  std::vector<pollfd> polled;
  for (int i = 0; i < connections; ++i) {
    all.push_back(std::make_unique<TextConnection>(operation, pipeline, value_bytes));
    EBLA_TRY(all.back()->Connect(port_));
    polled.push_back({.fd = all.back()->fd(), .events = POLLIN, .revents = 0});
    EBLA_TRY(all.back()->Send(next));
  }
  std::vector<char> scratch(256 << 10);
  std::vector<double> micros;
  operations = 0;
  const auto begun = Clock::now();
  for (auto now = begun; now - begun < duration;) {
    if (poll(polled.data(), polled.size(), 1000) < 0 && errno != EINTR)
      return SystemError(Code::kInternal, "cannot wait for memcached");
    now = Clock::now();
    for (size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      EBLA_ASSIGN(const bool answered, all[i]->Receive(scratch));
      if (!answered) continue;
      micros.push_back(std::chrono::duration<double, std::micro>(now - all[i]->sent()).count());
      operations += pipeline;
      EBLA_TRY(all[i]->Send(next));
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  std::ranges::sort(micros);
  const auto at = [&micros](double part) {
    return micros[std::min(micros.size() - 1, static_cast<size_t>(part * static_cast<double>(micros.size())))];
  };
  if (micros.empty()) return Error(Code::kUnavailable, "memcached has answered nothing");
  return load::Timings{.per_second = static_cast<double>(operations) / seconds,
                       .p50_us = at(0.5),
                       .p99_us = at(0.99),
                       .p999_us = at(0.999)};
}

}  // namespace ebla::bench
