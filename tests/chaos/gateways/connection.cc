#include "tests/chaos/gateways/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ebla::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// On one machine a stopped gateway still accepts connections. A gateway that is cut off does not answer at all, so the
// client waits this long.
constexpr int kConnectTimeMaxMs = 1'000;

bool Connects(int fd, const sockaddr_in& address) {
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd wanted{.fd = fd, .events = POLLOUT, .revents = 0};
  if (::poll(&wanted, 1, kConnectTimeMaxMs) != 1) return false;
  int error = 0;
  socklen_t bytes = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 && error == 0;
}

int ConnectTo(const std::string& host, int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1 && Connects(fd, address)) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
  }
  ::close(fd);
  return -1;
}

}  // namespace

Connection::Connection(const Gateways& gateways, ConnectionOptions options, AnswerLength length)
    : gateways_(gateways), options_(options), length_(std::move(length)), gateway_(options.first % gateways.count()) {}

void Connection::Close() {
  if (fd_ < 0) return;
  ::close(std::exchange(fd_, -1));
  received_.clear();
  gateway_ = (gateway_ + 1) % gateways_.count();
}

Status Connection::Open() {
  for (size_t tried = 0; fd_ < 0 && tried < gateways_.count(); ++tried) {
    const auto listeners = gateways_.Listeners(gateway_);
    if (listeners) fd_ = ConnectTo(listeners->host, (*listeners).*options_.listener);
    if (fd_ < 0) gateway_ = (gateway_ + 1) % gateways_.count();
  }
  return fd_ >= 0 ? Status() : Error(Code::kUnavailable, "no gateway takes a connection");
}

bool Connection::Await(short events, steady_clock::time_point until) const {
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd wanted{.fd = fd_, .events = events, .revents = 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

bool Connection::Send(std::string_view bytes, steady_clock::time_point until) {
  while (!bytes.empty()) {
    if (!Await(POLLOUT, until)) return false;
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    bytes.remove_prefix(static_cast<size_t>(std::max<ssize_t>(sent, 0)));
  }
  return true;
}

bool Connection::Receive(steady_clock::time_point until) {
  char bytes[16'384];
  while (Await(POLLIN, until)) {
    const ssize_t count = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count <= 0) return false;
    received_.append(bytes, static_cast<size_t>(count));
    return true;
  }
  return false;
}

Result<std::vector<std::string>> Connection::Exchange(const std::string& bytes, size_t answers) {
  std::vector<std::string> answered;
  EBLA_TRY(Exchange(bytes, answers, answered));
  return answered;
}

Status Connection::Exchange(const std::string& bytes, size_t answers, std::vector<std::string>& answered) {
  EBLA_TRY(Open());
  const auto until = steady_clock::now() + options_.patience;
  bool going = Send(bytes, until);
  while (going && answered.size() < answers) {
    if (const auto length = length_(received_)) {
      answered.push_back(received_.substr(0, *length));
      received_.erase(0, *length);
    } else {
      going = Receive(until);
    }
  }
  if (answered.size() == answers) return Status::Ok();
  Close();
  return Error(Code::kUnknownOutcome, "the gateway went away, or was silent for too long");
}

}  // namespace ebla::chaos
