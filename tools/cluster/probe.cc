#include "tools/cluster/probe.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

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

// One connection, in the clear or not, and until when it may last.
class Asking {
 public:
  Asking(int fd, std::unique_ptr<security::TlsSession> tls, std::chrono::steady_clock::time_point deadline)
      : fd_(fd), tls_(std::move(tls)), deadline_(deadline) {}

  // The whole answer to a request, or the part that arrived before the time limit.
  Result<std::string> Ask(const std::string& request) {
    std::string answer, out, bytes;
    bool asked = tls_ == nullptr;
    if (tls_ == nullptr) out = request;
    if (tls_ != nullptr) EBLA_TRY(tls_->Start(out));
    while (Send(out) && answer.size() < kAnswerBytesMax && Receive(bytes)) {
      if (tls_ == nullptr) {
        answer += bytes;
        continue;
      }
      EBLA_TRY(tls_->Receive(bytes, answer, out));
      if (tls_->established() && !std::exchange(asked, true)) EBLA_TRY(tls_->Send(request, out));
    }
    return answer;
  }

 private:
  bool Send(std::string& out) {
    const auto size = static_cast<ssize_t>(out.size());
    const bool sent = size == 0 || ::send(fd_, out.data(), out.size(), MSG_NOSIGNAL) == size;
    out.clear();
    return sent;
  }
  bool Receive(std::string& bytes) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now()).count();
    pollfd readable{fd_, POLLIN, 0};
    if (left <= 0 || ::poll(&readable, 1, static_cast<int>(left)) <= 0) return false;
    bytes.resize(4096);
    const ssize_t count = ::recv(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    return count > 0;
  }

  const int fd_;
  const std::unique_ptr<security::TlsSession> tls_;
  const std::chrono::steady_clock::time_point deadline_;
};

// The last --tls_dir of these lines, those of flag files among them.
void FindTlsDir(std::istream& lines, char end, std::string& found, int depth = 0) {
  for (std::string line; std::getline(lines, line, end);) {
    const auto value = [&](const std::string& name) {
      const size_t dashes = line.starts_with("--") ? 2 : 1;
      return line.starts_with('-') && line.compare(dashes, name.size(), name) == 0;
    };
    if (value("tls_dir=")) found = line.substr(line.find('=') + 1);
    if (!value("flagfile=") || depth > 8) continue;
    std::ifstream file(line.substr(line.find('=') + 1));
    FindTlsDir(file, '\n', found, depth + 1);
  }
}

}  // namespace

Result<std::shared_ptr<security::TlsCredentials>> CertificatesOf(pid_t pid) {
  std::ifstream command("/proc/" + std::to_string(pid) + "/cmdline");
  std::string directory;
  FindTlsDir(command, '\0', directory);
  if (directory.empty()) return nullptr;
  if (!directory.starts_with('/')) directory = "/proc/" + std::to_string(pid) + "/cwd/" + directory;
  return security::TlsCredentials::Load(directory, "server");
}

Result<std::string> GetPage(const std::string& host, uint16_t port, const std::string& path,
                            std::chrono::milliseconds timeout, const std::shared_ptr<security::TlsCredentials>& tls) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = AddressOf(host, port);
  // An address of this machine connects or refuses at once.
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const std::string reason = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    return Error(Code::kUnavailable, "port " + std::to_string(port) + ": " + reason);
  }
  Result<std::string> answer = Asking(fd, tls == nullptr ? nullptr : tls->Connect(host), deadline)
                                   .Ask("GET " + path + " HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  ::close(fd);
  return answer;
}

Status AskReady(const std::string& host, uint16_t port, std::chrono::milliseconds timeout,
                const std::shared_ptr<security::TlsCredentials>& tls) {
  EBLA_ASSIGN(const std::string answer, GetPage(host, port, "/readyz", timeout, tls));
  const size_t space = answer.find(' ');
  if (!answer.starts_with("HTTP/1.") || space == std::string::npos)
    return Error(Code::kUnavailable, "/readyz gave no answer");
  if (answer.compare(space + 1, 4, "200 ") == 0) return Status::Ok();
  const size_t body = answer.find("\r\n\r\n");
  std::string reason = body == std::string::npos ? "" : answer.substr(body + 4);
  reason.resize(reason.find_last_not_of(" \r\n") + 1);
  return Error(Code::kUnavailable, reason.empty() ? "not ready" : reason);
}

std::string AddressIn(const std::string& data_dir, const std::string& key) {
  std::ifstream in(data_dir + "/ADDRESS");
  for (std::string word, value; in >> word >> value;)
    if (word == key) return value;
  return {};
}

bool HasAddress(const std::string& data_dir, pid_t pid) { return AddressIn(data_dir, "pid") == std::to_string(pid); }

Status AskReadyIn(const std::string& data_dir, pid_t pid, std::chrono::milliseconds timeout) {
  if (!HasAddress(data_dir, pid)) return Error(Code::kUnavailable, "it has not begun to serve");
  const std::string address = AddressIn(data_dir, "http");
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return Error(Code::kUnavailable, "it serves no pages");
  return AskReady(address.substr(0, colon), static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)), timeout);
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
