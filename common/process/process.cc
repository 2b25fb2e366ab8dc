#include "common/process/process.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>
#include <vector>

#include "common/base/features.h"
#include "common/process/flags.h"
#include "common/process/log_files.h"

namespace ebla::process {
namespace {

std::string program = "ebla";  // set by InitProcess
bool logging = false;          // whether there is a log
std::vector<std::string> early_warnings;

// The data directory, once it is locked; empty: there is none. An operator may remove it under the process.
std::string data_directory;
struct stat data_lock{};

DirectoryLock LockDirectory(const std::string& data_dir, DirectoryLock::Content content) {
  if (data_dir.empty()) return {};
  DirectoryLock lock = OrRefuse(DirectoryLock::Take(data_dir, content));
  if (fstat(lock.fd(), &data_lock) == 0) data_directory = data_dir;
  return lock;
}

// A server without its files could acknowledge writes that no restart finds. Its replicas elsewhere have them.
void EndWithoutDataDirectory() {
  struct stat now{};
  if (data_directory.empty()) return;
  const bool found = stat((data_directory + "/LOCK").c_str(), &now) == 0;
  if (found ? now.st_ino == data_lock.st_ino && now.st_dev == data_lock.st_dev : errno != ENOENT) return;
  std::error_code error;
  logging = logging && std::filesystem::exists(FLAGS_log_dir, error);  // the log's files may be gone, too
  Complain(Error(Code::kInternal, "the data directory " + data_directory +
                                      " was removed or replaced while this process ran: it ends at once"));
  google::FlushLogFiles(google::INFO);
  _exit(1);
}

// Shells and supervisors give processes 1,024, for the sake of programs that call select(). Not above a million: what
// this process starts inherits the limit, and there are programs that count up to it.
void RaiseOpenFiles() {
  constexpr rlim_t kEnough = 1 << 20;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min(limit.rlim_max, kEnough);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);  // a supervisor may forbid it, and CheckOpenFiles then judges whether it matters
}

sigset_t TerminationSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Reports on stderr why a process is not ready yet.
class Delay {
 public:
  Delay(const std::function<Status()>& ready, const std::string& checked) : ready_(ready), checked_(checked) {}

  // False once it is ready.
  bool Look() {
    const Status status = ready_();
    const std::string& why = status.message();
    if (status.ok()) {
      if (!said_.empty()) std::cerr << program << ": ready\n";
      return false;
    }
    if (why == said_ || std::chrono::steady_clock::now() - began_ < kReadyPatience) return true;
    said_ = why;
    std::cerr << program << ": not ready yet: " << why << (checked_.empty() ? "" : " (" + checked_ + ")");
    if (!FLAGS_logtostderr) std::cerr << "; log: " << FLAGS_log_dir;
    std::cerr << "\n";
    return true;
  }

 private:
  const std::function<Status()>& ready_;
  const std::string& checked_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::string said_;
};

}  // namespace

int FeatureLevel() {
  const char* level = std::getenv("EBLA_FEATURE_LEVEL");
  return level == nullptr ? kFeatureLevel : LevelOr1(std::atoi(level));
}

DirectoryLock InitProcess(const ProcessOptions& options, int argc, char** argv) {
  // Blocked here, they are blocked in every thread to come, and wait for WaitForTermination.
  const sigset_t signals = TerminationSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  program = "ebla-" + options.role;
  ParseFlags(options, argc, argv);
  umask(077);
  RaiseOpenFiles();
  if (options.check != nullptr) OrRefuse(options.check());
  const std::string data_dir = options.data_dir == nullptr ? "" : *options.data_dir;
  DirectoryLock lock = LockDirectory(data_dir, options.content);
  OrRefuse(StartLogging(data_dir, argv[0]));
  logging = true;
  LOG(INFO) << "ebla " << options.role << " " << BuildVersion() << ", process " << getpid();
  for (const std::string& warning : early_warnings) LOG(WARNING) << warning;
  return lock;
}

void CheckOpenFiles(size_t needed, const std::string& connections_flag) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return;
  Warn("this process may open " + std::to_string(limit.rlim_cur) + " files, and may come to need " +
       std::to_string(needed) + ", most of them for the connections of --" + connections_flag +
       ": without them connections are refused, and other work may fail. Raise the limit (LimitNOFILE= of systemd, "
       "ulimit -Hn), or lower --" +
       connections_flag);
}

int WaitForTermination(const std::function<Status()>& ready, const std::string& checked) {
  const sigset_t signals = TerminationSignals();
  constexpr timespec kLookEvery{.tv_sec = 0, .tv_nsec = 200'000'000}, kTendEvery{.tv_sec = 2, .tv_nsec = 0};
  Delay delay(ready, checked);
  bool waits = ready != nullptr;
  int first = -1;
  for (int looks = 0; first < 0; ++looks) {
    first = sigtimedwait(&signals, nullptr, waits ? &kLookEvery : &kTendEvery);
    waits = waits && delay.Look();
    EndWithoutDataDirectory();
    if (!waits || looks % 10 == 0) MaintainLogs();
  }
  LOG(INFO) << "stopping on " << strsignal(first) << "; a second signal ends the process at once";
  std::thread([signals] {
    int second = 0;
    while (sigwait(&signals, &second) != 0) {
    }
    _exit(128 + second);
  }).detach();
  return first;
}

void Complain(const Status& why) {
  FLAGS_stderrthreshold = google::GLOG_FATAL;  // a person at a terminal reads it once
  if (logging && !FLAGS_logtostderr) LOG(ERROR) << why;
  std::cerr << program << ": " << why.message() << "\n";
}

void Refuse(const Status& why) {
  Complain(why);
  std::exit(ExitCode(why));
}

void Warn(const std::string& what) {
  if (logging) LOG(WARNING) << what;
  if (!logging) early_warnings.push_back(what);
}

void RequestTermination() { kill(getpid(), SIGTERM); }

Status WriteAddressFile(const std::string& data_dir, const rpc::Endpoint& thrift, const rpc::Endpoint& http) {
  const std::string path = data_dir + "/ADDRESS", draft = path + ".new";
  const auto failed = [&](const std::string& what, const std::string& why) {
    return Error(Code::kUnavailable, what + ", where tools look for this server's address: " + why +
                                         "; --data_dir must name a directory that can be written");
  };
  {
    std::ofstream file(draft, std::ios::trunc);
    file << "thrift " << thrift.ToString() << "\nhttp " << http.ToString() << "\npid " << getpid() << "\n";
    file.flush();
    if (!file) return failed("cannot write " + path, std::strerror(errno));
  }
  if (rename(draft.c_str(), path.c_str()) != 0) return failed("cannot write " + path, std::strerror(errno));
  return Status::Ok();
}

uint64_t RandomId() {
  uint64_t id = 0;
  while (id == 0) {
    CHECK_EQ(getrandom(&id, sizeof(id), 0), static_cast<ssize_t>(sizeof(id)));
    id &= INT64_MAX;
  }
  return id;
}

std::string BootId() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  return boot;
}

bool ClockIsSynchronized() {
  timex clock{};  // without modes, it changes nothing
  const int state = adjtimex(&clock);
  return state >= 0 && state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
}

Usage ReadUsage() {
  Usage usage;
  rusage self{};
  getrusage(RUSAGE_SELF, &self);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec / 1e6; };
  usage.cpu_seconds = seconds(self.ru_utime) + seconds(self.ru_stime);
  std::ifstream statm("/proc/self/statm");
  uint64_t total_pages = 0, resident_pages = 0;
  if (statm >> total_pages >> resident_pages) {
    usage.resident_bytes = resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  return usage;
}

}  // namespace ebla::process
