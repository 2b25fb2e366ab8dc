// common/rpc/rpc_test_util.h
// Helpers of the tests of common/rpc: handlers that answer in known ways, a server with its loops, a raw socket that
// may send anything, and waiting for a condition.
// Threads: see each helper.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/rpc/dispatcher.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/pipelined_channel.h"
#include "common/rpc/server.h"
#include "common/rpc/socket.h"
#include "common/rpc/stubs.h"

namespace ebla::rpc {

using namespace std::chrono_literals;

// Looks until `condition` holds, for at most `limit`.
inline bool WaitFor(const std::function<bool()>& condition, Duration limit = 20s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    usleep(1000);
  }
  return true;
}

// The state of a thread of this process by the system: 'R' runs, 'S' sleeps.
inline char ThreadState(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const size_t name_end = text.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= text.size() ? '?' : text[name_end + 2];
}

// Calls that a test holds, to be answered when and in the order that it likes. Any thread.
class Held {
 public:
  void Add(std::function<void()> answer) {
    MutexLock lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  size_t size() const {
    MutexLock lock(mutex_);
    return answers_.size();
  }
  std::vector<std::function<void()>> Take() {
    MutexLock lock(mutex_);
    return std::exchange(answers_, {});
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::function<void()>> answers_;
};

// Echo answers at once; get, multiGet, write and scan answer with what shows that the request arrived whole. A get
// whose key begins with "hold" waits in `held`; "drop" is let go of; "throw" throws.
class FakeTablet : public idl::TabletServiceCobSvNull {
 public:
  void get(std::function<void(const idl::GetReply&)> done, const idl::GetRequest& request) override {
    if (request.key.starts_with("drop")) return;
    if (request.key.starts_with("slow")) std::this_thread::sleep_for(1ms);
    if (request.key.starts_with("throw")) throw std::runtime_error("as the test asked");
    idl::GetReply reply;
    idl::Record record;
    record.__set_value("value of " + request.key);
    record.version.__set_epoch(request.header.epoch);
    reply.__set_record(record);
    if (!request.key.starts_with("hold")) return done(reply);
    held.Add([done = std::move(done), reply] { done(reply); });
  }
  void multiGet(std::function<void(const idl::MultiGetReply&)> done, const idl::MultiGetRequest& request) override {
    idl::MultiGetReply reply;
    for (const std::string& key : request.keys) {
      idl::MultiGetResult result;
      result.__set_code(key.empty() ? idl::Code::INVALID_ARGUMENT : idl::Code::NOT_FOUND);
      reply.results.push_back(result);
    }
    done(reply);
  }
  void write(std::function<void(const idl::WriteReply&)> done, const idl::WriteRequest& request) override {
    idl::WriteReply reply;
    std::vector<int64_t> counters;
    for (const idl::Write& write : request.writes) counters.push_back(write.delta);
    reply.__set_counters(counters);
    idl::Version version;
    version.__set_lsn(request.sequence);
    reply.__set_version(version);
    done(reply);
  }
  void scan(std::function<void(const idl::ScanReply&)> done, const idl::ScanRequest& request) override {
    idl::ScanReply reply;
    for (int i = 0; i < request.limit; ++i) {
      idl::ScanRecord record;
      record.__set_key(request.range.startKey + std::to_string(i));
      reply.records.push_back(record);
    }
    reply.__set_done(true);
    done(reply);
  }
  void echo(std::function<void(const idl::EchoReply&)> done, const idl::EchoRequest& request) override {
    idl::EchoReply reply;
    reply.__set_payload(request.replyBytes < 0 ? request.payload
                                               : std::string(static_cast<size_t>(request.replyBytes), 'e'));
    done(reply);
  }

  Held held;
};

// A server over a FakeTablet, on loops of its own.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, size_t loops = 2) {
    dispatcher.Register(tablet);
    std::vector<EventLoop*> pointers;
    for (size_t i = 0; i < loops; ++i) {
      loops_.push_back(std::make_unique<EventLoop>("server-" + std::to_string(i)));
      loops_.back()->Start();
      pointers.push_back(loops_.back().get());
    }
    server = std::make_unique<RpcServer>(options, dispatcher, pointers);
    const Status started = server->Start();
    EXPECT_TRUE(started.ok()) << started;
  }
  ~TestServer() {
    server.reset();
    for (const auto& answer : tablet->held.Take()) answer();
  }

  const Endpoint& address() const { return server->address(); }

  std::shared_ptr<FakeTablet> tablet = std::make_shared<FakeTablet>();
  Dispatcher dispatcher;

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;

 public:
  std::unique_ptr<RpcServer> server;
};

// A loop with a connector and a tablet stub over it.
class TestClient {
 public:
  explicit TestClient(const Endpoint& server, ChannelOptions options = {}, Duration timeout = 20s)
      : connector(loop, options), channel(connector.Connect(server, loop)), tablet(MakeTabletStub(channel, timeout)) {
    loop.Start();
  }

  idl::EchoReply Echo(const std::string& payload, int32_t reply_bytes = -1) {
    idl::EchoRequest request;
    request.__set_payload(payload);
    request.__set_replyBytes(reply_bytes);
    std::promise<idl::EchoReply> promise;
    tablet->echo([&](const idl::EchoReply& reply) { promise.set_value(reply); }, request);
    return promise.get_future().get();
  }
  std::future<idl::GetReply> Get(const std::string& key, int deadline_ms = 0) {
    idl::GetRequest request;
    request.__set_key(key);
    request.header.__set_deadlineMs(deadline_ms);
    auto promise = std::make_shared<std::promise<idl::GetReply>>();
    auto future = promise->get_future();
    tablet->get([promise](const idl::GetReply& reply) { promise->set_value(reply); }, request);
    return future;
  }

  EventLoop loop{"client"};
  PipelinedConnector connector;
  std::shared_ptr<Channel> channel;
  std::shared_ptr<idl::TabletServiceCobSvIf> tablet;
};

// A blocking socket that sends what it is told.
class RawSocket {
 public:
  explicit RawSocket(const Endpoint& endpoint) {
    const auto address = SocketAddress::FromNumeric(endpoint);
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd_, address->get(), address->size), 0) << strerror(errno);
  }
  ~RawSocket() { Close(); }
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  static std::string Frame(std::string_view message) {
    const auto size = static_cast<uint32_t>(message.size());
    std::string frame;
    for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(size >> shift));
    return frame + std::string(message);
  }
  // Up to `size` bytes; fewer when the peer closed, or after `limit`.
  std::string Receive(size_t size, std::chrono::milliseconds limit = 20s) {
    std::string bytes(size, 0);
    size_t have = 0;
    const auto end = std::chrono::steady_clock::now() + limit;
    while (have < size) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      pollfd poll_fd{fd_, POLLIN, 0};
      if (left.count() <= 0 || poll(&poll_fd, 1, static_cast<int>(left.count())) <= 0) break;
      const ssize_t got = recv(fd_, bytes.data() + have, size - have, 0);
      if (got <= 0) break;
      have += static_cast<size_t>(got);
    }
    bytes.resize(have);
    return bytes;
  }
  // Bytes that have come and were not received yet.
  size_t Waiting() const {
    int bytes = 0;
    EXPECT_EQ(ioctl(fd_, FIONREAD, &bytes), 0);
    return static_cast<size_t>(bytes);
  }
  std::string ReceiveFrame() {
    const std::string header = Receive(4);
    if (header.size() < 4) return "";
    size_t size = 0;
    for (const char byte : header) size = size << 8 | static_cast<uint8_t>(byte);
    return Receive(size);
  }
  // True when the server closes the connection within `limit` without having sent anything.
  bool ClosedByServer(std::chrono::milliseconds limit = 20s) {
    char byte;
    pollfd poll_fd{fd_, POLLIN, 0};
    return poll(&poll_fd, 1, static_cast<int>(limit.count())) == 1 && recv(fd_, &byte, 1, 0) <= 0;
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace ebla::rpc
