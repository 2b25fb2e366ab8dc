#include "gateway/redis/testing/doors.h"

#include <glog/logging.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <thread>

namespace ebla::gateway::redis {
namespace {

using namespace std::chrono_literals;

constexpr char kRedisServer[] = "/usr/bin/redis-server";

std::optional<size_t> EndOfLine(std::string_view bytes, size_t from) {
  const size_t end = bytes.find("\r\n", from);
  return end == bytes.npos ? std::nullopt : std::optional(end + 2);
}

}  // namespace

std::optional<size_t> ReplyLength(std::string_view bytes) {
  const std::optional<size_t> line = EndOfLine(bytes, 0);
  if (!line) return std::nullopt;
  int64_t number = 0;
  std::from_chars(bytes.data() + 1, bytes.data() + *line, number);
  size_t length = *line;
  switch (bytes.front()) {
    case '$':
    case '=':
    case '!':
      if (number >= 0) length += static_cast<size_t>(number) + 2;
      return length <= bytes.size() ? std::optional(length) : std::nullopt;
    case '*':
    case '~':
    case '>':
    case '%':
      for (int64_t left = bytes.front() == '%' ? 2 * number : number; left > 0; --left) {
        const std::optional<size_t> next = ReplyLength(bytes.substr(length));
        if (!next) return std::nullopt;
        length += *next;
      }
      return length;
    default: return length;
  }
}

std::string Encode(const Words& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return bytes;
}

void MemoryDatabases::Open(const std::string& name, const Read&, Ack, Callback<Result<std::shared_ptr<Store>>> done) {
  if (!ToInteger(name)) return done(Error(Code::kNoSuchTable, "there is no table \"" + name + "\""));
  store(name);
  done(std::shared_ptr<Store>(stores_[name]));
}

MemoryStore& MemoryDatabases::store(const std::string& name) {
  std::shared_ptr<MemoryStore>& store = stores_[name];
  if (store == nullptr) store = std::make_shared<MemoryStore>();
  return *store;
}

MemoryDoor::MemoryDoor() {
  auto shared = std::make_shared<Shared>();
  shared->databases = databases_;
  protocol_ = std::make_unique<RedisProtocol>(shared, executor_, "127.0.0.1:1");
}

std::string MemoryDoor::Answer(const Words& words) {
  const std::string bytes = Encode(words);
  Protocol::Taken taken = protocol_->Take(bytes);
  CHECK_EQ(taken.bytes, bytes.size());
  CHECK(taken.command != nullptr);
  std::optional<std::string> answer;
  taken.command->Run([&](gateway::Reply reply) { answer = std::move(reply.bytes); });
  scheduler_.RunUntil([&] { return answer.has_value(); }, 1min);
  CHECK(answer.has_value()) << words.front();
  return *answer;
}

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
  const auto limit = std::chrono::steady_clock::now() + 20s;
  while (true) {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) break;
    close(fd_);
    CHECK(std::chrono::steady_clock::now() < limit) << "redis-server does not listen";
    std::this_thread::sleep_for(10ms);
  }
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
