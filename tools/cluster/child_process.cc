#include "tools/cluster/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// The header of glibc 2.36 forgets to say that these are C functions.
extern "C" {
#include <sys/pidfd.h>
}

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "common/base/descriptor.h"
#include "common/base/read_all.h"
#include "common/base/system_error.h"

namespace ebla::cluster {
namespace {

// Empty where there is no such file, or no such process any more.
std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  return ReadAll(in);
}

std::string BootId() {
  std::string id = ReadFile("/proc/sys/kernel/random/boot_id");
  if (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

struct Stat {
  char state = '?';
  uint64_t start_ticks = 0;
};

// False when there is no such process.
bool ReadStat(pid_t pid, Stat& stat) {
  const std::string text = ReadFile("/proc/" + std::to_string(pid) + "/stat");
  // The program's name, in parentheses, may hold anything, even parentheses and blanks.
  const size_t end = text.rfind(')');
  if (end == std::string::npos) return false;
  std::istringstream fields(text.substr(end + 1));
  std::string skipped;
  fields >> stat.state;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  fields >> stat.start_ticks;
  return static_cast<bool>(fields);
}

// The process behind the pid is the one meant, dead or alive.
bool IsSame(const ProcessId& id, Stat& stat) {
  return id && ReadStat(id.pid, stat) && stat.start_ticks == id.start_ticks && BootId() == id.boot_id;
}

void Reap(pid_t pid) { ::waitpid(pid, nullptr, WNOHANG); }  // not our child: fails, and that is fine

// Until the process of the pidfd has ended; false when it still runs after `timeout`.
bool AwaitEnd(const Descriptor& process, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd ended{process.get(), POLLIN, 0};
    const int ready = ::poll(&ended, 1, static_cast<int>(std::max<int64_t>(0, left)));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

// In the child, between fork and exec: nothing but system calls, as other threads' locks may be held for ever. Tells
// the parent through `report` why it did not come to the exec.
[[noreturn]] void RunChild(const SpawnOptions& options, char* const* argv, int output, int report, pid_t parent) {
  const auto fail = [report]() {
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(report, &error, sizeof(error));
    ::_exit(127);
  };
  ::setsid();
  if (options.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // it died before we asked
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2}) ::signal(signal, SIG_DFL);
  const int null = ::open("/dev/null", O_RDONLY);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) fail();
  if (::chdir(options.working_dir.c_str()) != 0) fail();
  if (::dup2(report, 3) < 0 || ::fcntl(3, F_SETFD, FD_CLOEXEC) != 0) fail();
  ::close_range(4, ~0U, 0);
  ::execv(argv[0], argv);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(3, &error, sizeof(error));
  ::_exit(127);
}

}  // namespace

Result<ProcessId> Spawn(const SpawnOptions& options) {
  if (options.command.empty()) return Error(Code::kInvalidArgument, "no command to start");
  std::vector<char*> argv;
  for (const std::string& argument : options.command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  Descriptor output(::open(options.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!output.valid()) return SystemError(Code::kInternal, "cannot write " + options.output_file);
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return SystemError(Code::kInternal, "pipe");
  Descriptor from_child(pipe[0]), to_parent(pipe[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return SystemError(Code::kInternal, "cannot start " + options.command[0]);
  if (pid == 0) RunChild(options, argv.data(), output.get(), to_parent.get(), parent);
  to_parent.Close();
  // End of file: the exec succeeded, which closed the child's end.
  int error = 0;
  if (::read(from_child.get(), &error, sizeof(error)) == sizeof(error)) {
    ::waitpid(pid, nullptr, 0);
    return Error(Code::kInternal, "cannot start " + options.command[0] + ": " + std::strerror(error));
  }
  Stat stat;
  ReadStat(pid, stat);  // present even when it has died already, as it is our child and not reaped
  return ProcessId{.pid = pid, .start_ticks = stat.start_ticks, .boot_id = BootId()};
}

bool IsAlive(const ProcessId& id) {
  Stat stat;
  if (!IsSame(id, stat)) return false;
  if (stat.state != 'Z' && stat.state != 'X') return true;
  Reap(id.pid);
  return false;
}

Status Signal(const ProcessId& id, int signal) {
  // The descriptor names one process for good: once the check has passed, the pid cannot become another's.
  Descriptor process(id ? ::pidfd_open(id.pid, 0) : -1);
  Stat stat;
  if (!process.valid() || !IsSame(id, stat))
    return Error(Code::kNotFound, "process " + std::to_string(id.pid) + " is gone");
  if (::pidfd_send_signal(process.get(), signal, nullptr, 0) != 0)
    return SystemError(errno == ESRCH ? Code::kNotFound : Code::kInternal,
                       "cannot signal process " + std::to_string(id.pid));
  return Status::Ok();
}

bool WaitForExit(const ProcessId& id, std::chrono::milliseconds timeout) {
  Descriptor process(id ? ::pidfd_open(id.pid, 0) : -1);
  Stat stat;
  if (!process.valid() || !IsSame(id, stat)) return true;
  if (!AwaitEnd(process, timeout)) return false;
  Reap(id.pid);
  return true;
}

Result<int> ExitCode(const ProcessId& id, std::chrono::milliseconds timeout) {
  Descriptor process(id ? ::pidfd_open(id.pid, 0) : -1);
  Stat stat;
  const std::string name = "process " + std::to_string(id.pid);
  if (!process.valid() || !IsSame(id, stat)) return Error(Code::kNotFound, name + " is gone");
  if (!AwaitEnd(process, timeout)) return Error(Code::kDeadlineExceeded, name + " still runs");
  siginfo_t end{};
  if (::waitid(P_PIDFD, static_cast<id_t>(process.get()), &end, WEXITED | WNOHANG) != 0 || end.si_pid != id.pid)
    return SystemError(Code::kNotFound, name + " is no child of this process");
  return end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
}

std::chrono::seconds Uptime(const ProcessId& id) {
  Stat stat;
  if (!IsSame(id, stat)) return std::chrono::seconds(0);
  double since_boot = 0;
  std::istringstream(ReadFile("/proc/uptime")) >> since_boot;
  const double started = static_cast<double>(stat.start_ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return std::chrono::seconds(static_cast<int64_t>(std::max(0.0, since_boot - started)));
}

}  // namespace ebla::cluster
