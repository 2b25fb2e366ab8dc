#include "tools/cluster/probe.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace ebla::cluster {
namespace {

constexpr size_t kAnswerBytesMax = 64 * 1024;

sockaddr_in AddressOf(const std::string& host, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// The whole answer to a GET, or what came of it before the time was over.
std::string Get(int fd, const std::string& path, std::chrono::steady_clock::time_point deadline) {
  const std::string request = "GET " + path + " HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return {};
  std::string answer;
  while (answer.size() < kAnswerBytesMax) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd readable{fd, POLLIN, 0};
    if (left <= 0 || ::poll(&readable, 1, static_cast<int>(left)) <= 0) break;
    char bytes[4096];
    const ssize_t count = ::recv(fd, bytes, sizeof(bytes), 0);
    if (count <= 0) break;
    answer.append(bytes, static_cast<size_t>(count));
  }
  return answer;
}

}  // namespace

Result<std::string> GetPage(const std::string& host, uint16_t port, const std::string& path,
                            std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = AddressOf(host, port);
  // An address of this machine connects or refuses at once.
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const std::string reason = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    return Error(Code::kUnavailable, "port " + std::to_string(port) + ": " + reason);
  }
  std::string answer = Get(fd, path, deadline);
  ::close(fd);
  return answer;
}

Status AskReady(const std::string& host, uint16_t port, std::chrono::milliseconds timeout) {
  EBLA_ASSIGN(const std::string answer, GetPage(host, port, "/readyz", timeout));
  const size_t space = answer.find(' ');
  if (!answer.starts_with("HTTP/1.") || space == std::string::npos)
    return Error(Code::kUnavailable, "/readyz gave no answer");
  if (answer.compare(space + 1, 4, "200 ") == 0) return Status::Ok();
  const size_t body = answer.find("\r\n\r\n");
  std::string reason = body == std::string::npos ? "" : answer.substr(body + 4);
  reason.resize(reason.find_last_not_of(" \r\n") + 1);
  return Error(Code::kUnavailable, reason.empty() ? "not ready" : reason);
}

bool HasAddress(const std::string& data_dir, pid_t pid) {
  std::ifstream in(data_dir + "/ADDRESS");
  for (std::string key, value; in >> key >> value;)
    if (key == "pid") return value == std::to_string(pid);
  return false;
}

bool PortIsFree(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int on = 1;  // as servers do: a port whose last connections are still fading away is free
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const sockaddr_in address = AddressOf("127.0.0.1", port);
  const bool free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::close(fd);
  return free;
}

}  // namespace ebla::cluster
