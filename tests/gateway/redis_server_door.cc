#include "tests/gateway/redis_server_door.h"

#include <glog/logging.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <tuple>

#include "common/testing/eventually.h"
#include "gateway/redis/testing/memory_door.h"

namespace ebla::gateway::redis {

using namespace std::chrono_literals;

namespace {

constexpr char kRedisServer[] = "/usr/bin/redis-server";

}  // namespace

ServerDoor::ServerDoor(const std::string& directory) {
  const std::string path = directory + "/redis.sock";
  const auto started = cluster::Spawn({.command = {kRedisServer, "--port", "0", "--unixsocket", path, "--save", ""},
                                       .working_dir = directory,
                                       .output_file = directory + "/redis.log",
                                       .die_with_parent = true});
  CHECK(started.has_value()) << started.error() << ": install the package redis-server";
  process_ = *started;
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  CHECK_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  const auto connects = [&] {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
    close(fd_);
    return false;
  };
  CHECK(testing::Eventually(connects, 20s)) << "redis-server does not listen";
}

ServerDoor::~ServerDoor() {
  close(fd_);
  std::ignore = cluster::Signal(process_, SIGKILL);
  cluster::WaitForExit(process_, 10s);
}

std::string ServerDoor::Answer(const Words& words) {
  const std::string bytes = Encode(words);
  CHECK_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  while (true) {
    if (const std::optional<size_t> length = ReplyLength(bytes_)) {
      std::string reply = bytes_.substr(0, *length);
      bytes_.erase(0, *length);
      return reply;
    }
    char buffer[65536];
    const ssize_t received = recv(fd_, buffer, sizeof buffer, 0);
    CHECK_GT(received, 0) << "redis-server has closed the connection after " << words.front();
    bytes_.append(buffer, static_cast<size_t>(received));
  }
}

}  // namespace ebla::gateway::redis
