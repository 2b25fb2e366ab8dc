#include "common/process/process.h"

#include <fcntl.h>
#include <gflags/gflags.h>
#include <glog/logging.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>
#include <vector>

#include "common/base/features.h"

DEFINE_bool(log_to_stderr, false, "Write the log to stderr, not to files.");
DEFINE_string(logs_dir, "",
              "Directory for log files. Empty: <data_dir>/logs; without a data directory, standard error.");
DEFINE_int32(log_file_mb_max, 64, "Size at which a new log file is started, in MiB.");
DEFINE_int32(log_days_max, 7, "Age in days at which log files are deleted.");

namespace ebla::process {
namespace {

constexpr int kFailed = 1, kUsageError = 2;

std::string program = "ebla";  // set by InitProcess

bool OptionIsSet(const char* name) {
  std::string value;
  return gflags::GetCommandLineOption(name, &value) && value == "true";
}

// Defined in one of our folders? The compiler may have been given the file by an absolute or a relative path.
bool IsOurs(std::string_view file) {
  static constexpr std::string_view kFolders[] = {"common/",  "master/", "tabletserver/",
                                                  "gateway/", "tools/",  "tests/"};
  return std::ranges::any_of(kFolders, [file](std::string_view folder) {
    return file.starts_with(folder) || file.contains("/" + std::string(folder));
  });
}

// The default value as a person would write it; gflags prints 0.1 with all digits of a double.
std::string DefaultOf(const gflags::CommandLineFlagInfo& flag) {
  if (flag.default_value.empty()) return "\"\"";
  if (flag.type != "double") return flag.default_value;
  char shortest[32];
  const double value = std::strtod(flag.default_value.c_str(), nullptr);
  const auto end = std::to_chars(shortest, shortest + sizeof shortest, value).ptr;
  return {shortest, end};
}

// Ebla's own flags; those of the libraries (glog's, gflags' own) would bury them.
std::string HelpText(const ProcessOptions& options) {
  std::vector<gflags::CommandLineFlagInfo> flags;
  gflags::GetAllFlags(&flags);
  std::string text = options.usage + "\n\nFlags (or one per line in a file, with --flagfile=FILE):\n";
  for (const auto& flag : flags) {
    if (!IsOurs(flag.filename)) continue;
    text += "  --" + flag.name + "=" + DefaultOf(flag) + "\n      " + flag.description + "\n";
  }
  return text + "  --flagfile, --version, --help\n";
}

[[noreturn]] void ExitWithUsage(const std::string& what) {
  std::cerr << what << "\n(--help lists the flags)\n";
  std::exit(kUsageError);
}

bool IsFlag(std::string name) {
  gflags::CommandLineFlagInfo info;
  std::ranges::replace(name, '-', '_');
  if (gflags::GetCommandLineFlagInfo(name.c_str(), &info)) return true;
  return name.starts_with("no") && gflags::GetCommandLineFlagInfo(name.c_str() + 2, &info) && info.type == "bool";
}

std::string Wanted(const std::string& type) {
  if (type == "bool") return "true or false";
  if (type == "double") return "a number";
  return (type.starts_with('u') ? "a whole number of 0 or more (" : "a whole number (") + type + ")";
}

// A flag as it is written, with or without a value. Of one that it does not know, and of a value, gflags says no more
// than that it is wrong.
void CheckFlag(const std::string& place, std::string_view flag) {
  flag.remove_prefix(std::min(flag.find_first_not_of('-'), flag.size()));
  const size_t equals = flag.find('=');
  std::string name(flag.substr(0, equals));
  if (!IsFlag(name)) ExitWithUsage(place + "there is no flag --" + name);
  if (equals == std::string_view::npos) return;
  std::ranges::replace(name, '-', '_');
  gflags::CommandLineFlagInfo info;
  if (!gflags::GetCommandLineFlagInfo(name.c_str(), &info) || info.type == "string") return;
  const std::string value(flag.substr(equals + 1));
  if (!gflags::SetCommandLineOption(name.c_str(), value.c_str()).empty()) return;
  ExitWithUsage(place + "--" + name + " cannot be \"" + value + "\": it takes " + Wanted(info.type));
}

// gflags passes over what it does not know in a flagfile; a misspelt setting must not go unnoticed.
void CheckFlagfile(const std::string& path, int depth = 0) {
  std::ifstream file(path);
  if (!file || depth > 8) ExitWithUsage("cannot read the flag file " + path);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    line.erase(0, line.find_first_not_of(" \t"));
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (line.empty() || line.front() == '#') continue;
    const std::string place = path + ", line " + std::to_string(number) + ": ";
    if (line.front() != '-') ExitWithUsage(place + "\"" + line + "\" is not a flag: flags begin with --");
    CheckFlag(place, line);
    const size_t equals = line.find('=');
    if (line.substr(0, equals).ends_with("-flagfile") && equals != std::string::npos)
      CheckFlagfile(line.substr(equals + 1), depth + 1);
  }
}

// Both --flagfile=FILE and --flagfile FILE.
void CheckArguments(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument.starts_with("--")) CheckFlag("", argument);
    argument.remove_prefix(std::min(argument.find_first_not_of('-'), argument.size()));
    if (argument == "flagfile" && i + 1 < argc) CheckFlagfile(argv[i + 1]);
    if (argument.starts_with("flagfile=")) CheckFlagfile(std::string(argument.substr(9)));
  }
}

void ParseFlags(const ProcessOptions& options, int argc, char** argv) {
  CheckArguments(argc, argv);
  gflags::SetVersionString(std::string(BuildVersion()));
  gflags::SetUsageMessage(options.usage);
  gflags::ParseCommandLineNonHelpFlags(&argc, &argv, /*remove_flags=*/true);
  for (const char* help : {"help", "helpfull", "helpshort"}) {
    if (!OptionIsSet(help)) continue;
    std::cout << HelpText(options);
    std::exit(0);
  }
  if (OptionIsSet("version")) {
    std::cout << options.role << " " << BuildVersion() << "\n";
    std::exit(0);
  }
  if (argc > 1) ExitWithUsage("unexpected argument \"" + std::string(argv[1]) + "\": flags begin with --");
}

// Before there is a log.
[[noreturn]] void ExitWith(const Status& why) {
  std::cerr << program << ": " << why.message() << "\n";
  std::exit(why.code() == Code::kInvalidArgument ? kUsageError : kFailed);
}

DirectoryLock LockDirectory(const std::string& data_dir, DirectoryLock::Content content) {
  if (data_dir.empty()) return {};
  auto lock = DirectoryLock::Take(data_dir, content);
  if (!lock) ExitWith(lock.error());
  return *std::move(lock);
}

void StartLogging(const std::string& data_dir, char* program) {
  FLAGS_logbuflevel = -1;  // nothing is buffered: the last lines before a crash are the ones that count
  FLAGS_max_log_size = static_cast<uint32_t>(std::max(1, FLAGS_log_file_mb_max));
  FLAGS_stop_logging_if_full_disk = true;
  FLAGS_logtostderr = FLAGS_log_to_stderr || (data_dir.empty() && FLAGS_logs_dir.empty());
  if (!FLAGS_logtostderr) {
    std::error_code error;
    FLAGS_log_dir = FLAGS_logs_dir.empty() ? data_dir + "/logs" : FLAGS_logs_dir;
    std::filesystem::create_directories(FLAGS_log_dir, error);
    if (error) {
      ExitWith(Error(Code::kInternal, "cannot make the directory " + FLAGS_log_dir + " for logs: " + error.message()));
    }
    google::EnableLogCleaner(static_cast<unsigned>(std::max(1, FLAGS_log_days_max)));
  }
  // A person at a terminal reads what the program prints. The journal of a supervisor has the whole log.
  if (FLAGS_logtostderr && !FLAGS_log_to_stderr && isatty(STDERR_FILENO) == 1)
    FLAGS_minloglevel = std::max(FLAGS_minloglevel, static_cast<int>(google::GLOG_WARNING));
  google::InitGoogleLogging(program);
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
  setrlimit(RLIMIT_NOFILE, &limit);  // a supervisor may forbid it: CheckOpenFiles says whether it matters
}

sigset_t TerminationSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// What a process waits for until it is ready, on stderr.
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
  const std::string data_dir = options.data_dir == nullptr ? "" : *options.data_dir;
  DirectoryLock lock = LockDirectory(data_dir, options.content);
  StartLogging(data_dir, argv[0]);
  LOG(INFO) << "ebla " << options.role << " " << BuildVersion() << ", process " << getpid();
  return lock;
}

void CheckOpenFiles(size_t needed, const std::string& connections_flag) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return;
  LOG(WARNING)
      << "this process may open " << limit.rlim_cur << " files, and may come to need " << needed
      << ", most of them for the connections of --" << connections_flag
      << ": without them connections are refused, and what else it does may fail. Raise the limit (LimitNOFILE= "
      << "of systemd, ulimit -Hn), or lower --" << connections_flag;
}

int WaitForTermination(const std::function<Status()>& ready, const std::string& checked) {
  const sigset_t signals = TerminationSignals();
  constexpr timespec kLookEvery{.tv_sec = 0, .tv_nsec = 200'000'000};
  Delay delay(ready, checked);
  int first = -1;
  for (bool waits = ready != nullptr; first < 0; waits = waits && delay.Look()) {
    first = sigtimedwait(&signals, nullptr, waits ? &kLookEvery : nullptr);
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
  if (!FLAGS_logtostderr) LOG(ERROR) << why;
  std::cerr << program << ": " << why.message() << "\n";
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

Result<rpc::Endpoint> EndpointFlag(const std::string& flag, const std::string& text) {
  auto endpoint = rpc::Endpoint::Parse(text);
  if (!endpoint) return Error(endpoint.error().code(), "--" + flag + ": " + endpoint.error().message());
  return endpoint;
}

uint64_t RandomId() {
  uint64_t id = 0;
  while (id == 0) {
    CHECK_EQ(getrandom(&id, sizeof(id), 0), static_cast<ssize_t>(sizeof(id)));
    id &= INT64_MAX;
  }
  return id;
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
