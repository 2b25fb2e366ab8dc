#include "tests/gateway/redis_server_client.h"

#include <glog/logging.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <tuple>
#include <utility>

#include "common/testing/eventually.h"
#include "gateway/redis/testing/memory_client.h"

namespace ebla::gateway::redis {

using namespace std::chrono_literals;

namespace {

constexpr char kRedisServer[] = "/usr/bin/redis-server";

}  // namespace

ServerClient::ServerClient(const std::string& directory) : path_(directory + "/redis.sock") {
  const auto started = cluster::Spawn({.command = {kRedisServer, "--port", "0", "--unixsocket", path_, "--save", ""},
                                       .working_dir = directory,
                                       .output_file = directory + "/redis.log",
                                       .die_with_parent = true});
  CHECK(started.has_value()) << started.error() << ": install the package redis-server";
  process_ = *started;
  CHECK(testing::Eventually([this] { return Connect(); }, 20s)) << "redis-server does not listen";
}

ServerClient::ServerClient(const ServerClient* first) : path_(first->path_) {
  CHECK(Connect()) << "redis-server takes no second connection";
}

ServerClient::~ServerClient() {
  close(fd_);
  if (!process_) return;
  std::ignore = cluster::Signal(*process_, SIGKILL);
  cluster::WaitForExit(*process_, 10s);
}

bool ServerClient::Connect() {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  CHECK_LT(path_.size(), sizeof address.sun_path);
  path_.copy(address.sun_path, path_.size());
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  close(fd_);
  return false;
}

void ServerClient::Send(const std::string& bytes) {
  CHECK_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

void ServerClient::Receive() {
  char buffer[65536];
  const ssize_t received = recv(fd_, buffer, sizeof buffer, 0);
  CHECK_GT(received, 0) << "redis-server has closed the connection";
  bytes_.append(buffer, static_cast<size_t>(received));
}

std::string ServerClient::Answer(const Words& words) {
  Send(Encode(words));
  while (true) {
    if (const std::optional<size_t> length = ReplyLength(bytes_)) {
      std::string reply = bytes_.substr(0, *length);
      bytes_.erase(0, *length);
      return reply;
    }
    Receive();
  }
}

std::string ServerClient::AnswerAll(const std::vector<Words>& commands) {
  const std::string end = "$10\r\nno replies\r\n";
  std::string said;
  for (const Words& words : commands) said += Encode(words);
  Send(said + Encode({"ECHO", "no replies"}));
  while (!bytes_.ends_with(end)) Receive();
  bytes_.resize(bytes_.size() - end.size());
  return std::exchange(bytes_, {});
}

}  // namespace ebla::gateway::redis
