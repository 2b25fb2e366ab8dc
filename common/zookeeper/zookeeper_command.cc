#include "common/zookeeper/zookeeper_command.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "common/base/system_error.h"

namespace ebla::zookeeper {
namespace {

constexpr char kJarDir[] = "/usr/share/java";
// Named one by one: the wildcard would make the JVM open every jar on the machine, which takes longer than the start.
constexpr std::string_view kJars[] = {"zookeeper", "zookeeper-jute", "slf4j-api",   "slf4j-simple",
                                      "netty-all", "metrics-core",   "snappy-java", "commons-cli"};

// Below the ports that the system gives to outgoing connections (32768 and up): one of those could otherwise take the
// port of a server that is down for a moment.
constexpr uint32_t kFirstPickedPort = 18'000;
constexpr uint32_t kPickedPorts = 14'000;

class Socket {
 public:
  Socket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// On the loopback interface unless told otherwise.
sockaddr_in AddressOf(uint16_t port, const std::string& host = {}) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Result<std::string> FindJava() {
  if (const char* home = std::getenv("JAVA_HOME"); home != nullptr && *home != '\0') {
    std::string java = std::string(home) + "/bin/java";
    if (::access(java.c_str(), X_OK) == 0) return java;
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    std::string java = std::string(rest.substr(0, colon)) + "/java";
    if (::access(java.c_str(), X_OK) == 0) return java;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return Error(Code::kUnavailable,
               "no java in PATH, which ZooKeeper needs: apt-get install default-jre-headless libzookeeper-java");
}

Result<std::string> ClassPath() {
  std::string path;
  for (const std::string_view jar : kJars) {
    const std::string file = std::string(kJarDir) + "/" + std::string(jar) + ".jar";
    if (::access(file.c_str(), R_OK) != 0)
      return Error(Code::kUnavailable, file + " is missing: apt-get install libzookeeper-java");
    if (!path.empty()) path += ':';
    path += file;
  }
  return path;
}

Status WriteConfig(const ServerOptions& options, const std::string& file) {
  const std::string fresh = file + ".new";
  {
    std::ofstream out(fresh, std::ios::trunc);
    out << "tickTime=" << options.tick_ms << "\n"
        << "dataDir=" << options.data_dir << "\n"
        << "clientPortAddress=" << (options.host.empty() ? "127.0.0.1" : options.host) << "\n"
        << "clientPort=" << options.port << "\n"
        << "maxClientCnxns=0\n"
        << "admin.enableServer=false\n"
        << "4lw.commands.whitelist=ruok,srvr,mntr,cons\n"
        << "autopurge.snapRetainCount=3\n"
        << "autopurge.purgeInterval=1\n";
    out.close();
    if (!out) return SystemError(Code::kInternal, "cannot write " + fresh);
  }
  std::error_code error;
  std::filesystem::rename(fresh, file, error);
  if (error) return Error(Code::kInternal, "cannot write " + file + ": " + error.message());
  return Status::Ok();
}

}  // namespace

Result<std::vector<std::string>> PrepareServer(const ServerOptions& options) {
  if (options.port == 0) return Error(Code::kInvalidArgument, "ZooKeeper needs a port of its own");
  EBLA_ASSIGN(std::string java, FindJava());
  EBLA_ASSIGN(std::string class_path, ClassPath());
  std::error_code error;
  ServerOptions absolute = options;
  absolute.data_dir = std::filesystem::absolute(options.data_dir, error).string();
  if (!error) std::filesystem::create_directories(absolute.data_dir, error);
  if (error) return Error(Code::kInternal, "cannot make " + options.data_dir + ": " + error.message());
  const std::string config = absolute.data_dir + "/zoo.cfg";
  EBLA_TRY(WriteConfig(absolute, config));
  return std::vector<std::string>{
      java,
      "-Xmx" + std::to_string(options.heap_mb) + "m",
      "-XX:+UseSerialGC",  // one small heap: fewer threads, a quicker start
      "-XX:TieredStopAtLevel=1",
      "-Dzookeeper.preAllocSize=4096",  // KiB of log allocated ahead; 64 MiB by default
      "-Dorg.slf4j.simpleLogger.showDateTime=true",
      "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
      "-cp",
      class_path,
      "org.apache.zookeeper.server.quorum.QuorumPeerMain",
      config,
  };
}

Result<uint16_t> PickPort() {
  static std::atomic<uint32_t> turn{0};  // so that two picks in a row differ
  const uint32_t first = static_cast<uint32_t>(::getpid()) * 7919 + turn.fetch_add(1) * 101;
  for (uint32_t i = 0; i < kPickedPorts; ++i) {
    const auto port = static_cast<uint16_t>(kFirstPickedPort + (first + i) % kPickedPorts);
    const Socket socket;
    const sockaddr_in address = AddressOf(port);
    if (socket.fd() >= 0 && ::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
      return port;
  }
  return SystemError(Code::kUnavailable, "no free port on 127.0.0.1");
}

bool Answers(uint16_t port, const std::string& host, int timeout_ms) {
  const Socket socket;
  const sockaddr_in address = AddressOf(port, host);
  // An address of this machine refuses at once without a listener; the time-out is for a listener that accepts and
  // stays silent.
  if (socket.fd() < 0 || ::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return false;
  if (::send(socket.fd(), "ruok", 4, MSG_NOSIGNAL) != 4) return false;
  std::string answer;
  while (answer.size() < 4) {
    pollfd ready{socket.fd(), POLLIN, 0};
    if (::poll(&ready, 1, timeout_ms) <= 0) return false;
    char bytes[16];
    const ssize_t count = ::recv(socket.fd(), bytes, sizeof(bytes), 0);
    if (count <= 0) return false;
    answer.append(bytes, static_cast<size_t>(count));
  }
  return answer == "imok";
}

}  // namespace ebla::zookeeper
