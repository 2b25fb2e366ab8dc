#include "master/balancer/scale_command.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

extern char** environ;

namespace ebla::master {
namespace {

constexpr int kLookEveryMs = 50;
constexpr size_t kLineBytesMax = 2'000;

Status Failed(const std::string& what, int error) { return Error(Code::kInternal, what + ": " + std::strerror(error)); }

// Logs a command's output, line by line.
class Printed {
 public:
  explicit Printed(int fd) : fd_(fd) {}

  // All that is there, without waiting.
  void Take() {
    char bytes[4'096];
    for (ssize_t got = 0; (got = read(fd_, bytes, sizeof bytes)) > 0;) {
      for (ssize_t i = 0; i < got; ++i) Add(bytes[i]);
    }
  }
  const std::string& last() {
    if (!line_.empty()) Add('\n');
    return last_;
  }

 private:
  void Add(char byte) {
    if (byte != '\n') {
      if (line_.size() < kLineBytesMax) line_ += byte;
      return;
    }
    if (!line_.empty()) last_ = line_;
    LOG(INFO) << "scale command: " << line_;
    line_.clear();
  }

  const int fd_;
  std::string line_;
  std::string last_;
};

std::vector<std::string> Environment(const ServerName& server) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    if (!std::string_view(*entry).starts_with("EBLA_SERVER=")) all.emplace_back(*entry);
  }
  all.push_back("EBLA_SERVER=" + server);
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The child has default signals, nothing on its input, the pipe as its output, and nothing else open.
Result<pid_t> Spawn(const std::string& command, const ServerName& server, int output) {
  std::vector<std::string> arguments = {"/bin/sh", "-c", command, "sh", server};
  std::vector<std::string> environment = Environment(server);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output, 1);
  posix_spawn_file_actions_adddup2(&files, output, 2);
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, "/bin/sh", &files, &attributes, Pointers(arguments).data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return Error(Failed("cannot run /bin/sh", error));
  return pid;
}

Status Outcome(int status, const std::string& last) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const std::string how = WIFEXITED(status) ? "it ended with exit code " + std::to_string(WEXITSTATUS(status))
                                            : "it was ended by signal " + std::to_string(WTERMSIG(status));
  return Error(Code::kUnavailable, how + (last.empty() ? "" : ": " + last));
}

}  // namespace

Status RunScaleCommand(const std::string& command, const ServerName& server, Duration limit, std::stop_token stop) {
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) != 0) return Failed("cannot make a pipe", errno);
  fcntl(pipes[1], F_SETFL, 0);  // for the child, which may not expect otherwise
  const Result<pid_t> pid = Spawn(command, server, pipes[1]);
  close(pipes[1]);
  Printed printed(pipes[0]);
  int status = 0;
  bool late = false;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  // Its end counts, not that of what it prints: a server that it has started may hold that open for good.
  while (pid && waitpid(*pid, &status, WNOHANG) == 0) {
    if (!late && (stop.stop_requested() || std::chrono::steady_clock::now() >= deadline)) {
      late = true;
      kill(-*pid, SIGKILL);
    }
    pollfd waits{pipes[0], POLLIN, 0};
    poll(&waits, 1, kLookEveryMs);
    if (waits.revents & POLLIN) {
      printed.Take();
    } else if (waits.revents != 0) {
      poll(nullptr, 0, kLookEveryMs);  // its output is closed: only its end is waited for
    }
  }
  printed.Take();
  const std::string last = printed.last();
  close(pipes[0]);
  if (!pid) return pid.error();
  if (!late) return Outcome(status, last);
  return Error(Code::kDeadlineExceeded,
               "it was killed, as it had not ended in time" + (last.empty() ? "" : ": " + last));
}

void ScaleCommands::Run(const std::string& command, const ServerName& server, std::function<void(Status)> done) {
  if (running_.exchange(true)) {
    return executor_.Post(
        [done = std::move(done)] { done(Error(Code::kUnavailable, "another command is still running")); });
  }
  // Waits for the one before, which has nothing more to do.
  thread_ = std::jthread([this, command, server, done = std::move(done)](std::stop_token stop) mutable {
    Status status = RunScaleCommand(command, server, limit_, std::move(stop));
    running_ = false;
    executor_.Post([done = std::move(done), status = std::move(status)]() mutable { done(std::move(status)); });
  });
}

}  // namespace ebla::master
