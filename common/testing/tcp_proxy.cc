#include "common/testing/tcp_proxy.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "common/testing/loopback.h"

namespace ebla::testing {
namespace {

// Moves readable bytes from one end to the opposite one; false when the connection has ended.
bool Forward(int from, int to) {
  char bytes[64 * 1024];
  const ssize_t count = read(from, bytes, sizeof bytes);
  if (count <= 0) return false;
  for (ssize_t sent = 0; sent < count;) {
    const ssize_t now = send(to, bytes + sent, static_cast<size_t>(count - sent), MSG_NOSIGNAL);
    if (now <= 0) return false;
    sent += now;
  }
  return true;
}

}  // namespace

TcpProxy::TcpProxy(uint16_t target) : target_(target) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t bytes = sizeof address;
  PCHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), bytes) == 0);
  listen(listener_, 64);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &bytes);
  port_ = ntohs(address.sin_port);
  if (pipe2(wake_, O_CLOEXEC) == 0) thread_ = std::thread([this] { Run(); });
}

TcpProxy::~TcpProxy() {
  stop_ = true;
  Wake();
  if (thread_.joinable()) thread_.join();
  for (const int fd : {listener_, wake_[0], wake_[1]}) close(fd);
}

void TcpProxy::Wake() { (void)!write(wake_[1], "w", 1); }

void TcpProxy::Cut() {
  cut_ = true;
  Wake();
}

void TcpProxy::Mend() { cut_ = false; }

void TcpProxy::Run() {
  std::vector<std::pair<int, int>> pairs;
  const auto end = [](const std::pair<int, int>& pair) {
    close(pair.first);
    close(pair.second);
  };
  while (!stop_) {
    std::vector<pollfd> fds = {{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& [near, far] : pairs) {
      fds.push_back({near, POLLIN, 0});
      fds.push_back({far, POLLIN, 0});
    }
    if (poll(fds.data(), fds.size(), -1) < 0) continue;
    char drained[16];
    if (fds[0].revents != 0) (void)!read(wake_[0], drained, sizeof drained);
    std::vector<std::pair<int, int>> kept;
    for (size_t i = 0; i < pairs.size(); ++i) {
      const auto [near, far] = pairs[i];
      const bool good = !cut_ && (fds[2 + 2 * i].revents == 0 || Forward(near, far)) &&
                        (fds[3 + 2 * i].revents == 0 || Forward(far, near));
      good ? kept.push_back(pairs[i]) : end(pairs[i]);
    }
    pairs = std::move(kept);
    if (fds[1].revents == 0) continue;
    const int near = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(target_);
    if (!cut_ && near >= 0 && connect(far, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      pairs.emplace_back(near, far);
    } else {
      end({near, far});
    }
  }
  for (const auto& pair : pairs) end(pair);
}

}  // namespace ebla::testing
