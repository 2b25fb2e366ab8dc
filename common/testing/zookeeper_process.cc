#include "common/testing/zookeeper_process.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "common/testing/loopback.h"

namespace ebla::testing {
namespace {

constexpr auto kStartLimit = std::chrono::seconds(30);

uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t bytes = sizeof address;
  PCHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), bytes) == 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes);
  close(fd);
  return ntohs(address.sin_port);
}

// Only what a standalone server needs: it starts in half the time that all of /usr/share/java takes.
std::string ClassPath() {
  std::string path;
  for (const char* jar : {"zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-simple", "netty-all", "netty-common",
                          "netty-handler", "netty-buffer", "netty-transport", "metrics-core", "snappy-java"}) {
    path += std::string(path.empty() ? "" : ":") + "/usr/share/java/" + jar + ".jar";
  }
  return path;
}

}  // namespace

ZooKeeperProcess::ZooKeeperProcess() : port_(FreePort()) {
  const char* base = std::getenv("TMPDIR");
  std::string path = std::string(base != nullptr ? base : "/tmp") + "/ebla_zookeeper_XXXXXX";
  if (mkdtemp(path.data()) != nullptr) directory_ = path;
}

ZooKeeperProcess::~ZooKeeperProcess() {
  Kill();
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

Status ZooKeeperProcess::Start() {
  if (running()) return Status::Ok();
  if (directory_.empty()) return Error(Code::kUnavailable, "no temporary directory for ZooKeeper");
  std::ofstream(directory_ + "/zoo.cfg") << "dataDir=" << directory_ << "/data\nclientPort=" << port_
                                         << "\nclientPortAddress=127.0.0.1\ntickTime=200\nadmin.enableServer=false\n"
                                            "maxClientCnxns=0\npreAllocSize=1024\n4lw.commands.whitelist=ruok\n";
  EBLA_TRY(Spawn());
  const auto limit = std::chrono::steady_clock::now() + kStartLimit;
  while (!Answers()) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = 0;
      return Error(Code::kUnavailable, "ZooKeeper ended at once: " + LogEnd());
    }
    if (std::chrono::steady_clock::now() > limit) {
      Kill();
      return Error(Code::kUnavailable, "ZooKeeper does not answer: " + LogEnd());
    }
    poll(nullptr, 0, 10);
  }
  return Status::Ok();
}

Status ZooKeeperProcess::Spawn() {
  // Everything the child needs is made before the fork: between fork and exec only system calls are safe.
  const std::vector<std::string> words = {"java",
                                          "-Xmx256m",
                                          "-XX:+UseSerialGC",
                                          "-XX:TieredStopAtLevel=1",
                                          "-Dzookeeper.forceSync=no",
                                          "-cp",
                                          ClassPath(),
                                          "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                                          directory_ + "/zoo.cfg"};
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int log = open((directory_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    dup2(log, 1);
    dup2(log, 2);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(log);
  return pid_ > 0 ? Status::Ok() : Error(Code::kUnavailable, "cannot fork");
}

bool ZooKeeperProcess::Answers() const {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port_);
  bool good =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && write(fd, "ruok", 4) == 4;
  std::string answer;
  while (good && answer.size() < 4) {
    pollfd readable{fd, POLLIN, 0};
    char bytes[8];
    const ssize_t count = poll(&readable, 1, 1000) == 1 ? read(fd, bytes, sizeof bytes) : 0;
    good = count > 0;
    if (good) answer.append(bytes, static_cast<size_t>(count));
  }
  close(fd);
  return answer == "imok";
}

void ZooKeeperProcess::End(int signal) {
  if (!running()) return;
  kill(pid_, signal);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void ZooKeeperProcess::Stop() { End(SIGTERM); }
void ZooKeeperProcess::Kill() { End(SIGKILL); }

void ZooKeeperProcess::Pause() {
  if (running()) kill(pid_, SIGSTOP);
}

void ZooKeeperProcess::Resume() {
  if (running()) kill(pid_, SIGCONT);
}

std::string ZooKeeperProcess::LogEnd() const {
  std::ifstream in(directory_ + "/log");
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  return text.size() <= 2000 ? text : text.substr(text.size() - 2000);
}

}  // namespace ebla::testing
