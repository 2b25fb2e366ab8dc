#include "common/process/log_files.h"

#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "common/process/bounded_flag.h"

DEFINE_bool(log_to_stderr, false, "Write the log to standard error instead of files.");
DEFINE_string(logs_dir, "",
              "Directory for log files. Empty: <data_dir>/logs, or standard error if there is no data directory.");
DEFINE_BOUNDED(int32, log_file_mb_max, 64, 1, 4096, "MiB",
               "Size at which the program starts a new log file. A quarter of --logs_mb_max applies instead if that is "
               "less. A larger size makes fewer files.");
DEFINE_BOUNDED(int32, log_days_max, 7, 1, 36'500, "days",
               "Age at which log files are deleted. A higher age retains more history and takes more disk.");
DEFINE_BOUNDED(int32, logs_mb_max, 1024, 4, 1 << 24, "MiB",
               "Size of all log files of this program in its log directory. Beyond it, the program deletes the oldest "
               "ones. A larger size retains more history.");
DEFINE_BOUNDED(int32, log_lines_per_second_max, 50, 1, 1'000'000, "lines/s",
               "Most lines per second that one place in the code writes into a log file. The program leaves out "
               "further ones, and logs how many. A higher limit shows more detail and takes more disk.");

namespace ebla::process {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 4> kSeverities = {"INFO", "WARNING", "ERROR", "FATAL"};

// Writes to a file of glog's, within the limit of each place. glog holds its lock around all calls.
class LimitedLogger final : public google::base::Logger {
 public:
  LimitedLogger(google::base::Logger* file, uint64_t lines_per_second)
      : file_(file), lines_per_second_(lines_per_second) {}

  // `message`: "W20261129 11:34:04.000000 1234 file.cc:12] text".
  void Write(bool force_flush, time_t second, const char* message, size_t length) override {
    const std::string_view line(message, length);
    if (second != second_) StartSecond(second);
    const size_t end = line.find("] ");
    if (end != std::string_view::npos && !line.starts_with('F')) {
      const size_t blank = line.rfind(' ', end);
      Place& place = PlaceNamed(line.substr(blank + 1, end - blank - 1));
      if (++place.lines > lines_per_second_) {
        ++place.left_out;
        return;
      }
    }
    file_->Write(force_flush, second, message, length);
  }
  void Flush() override {
    if (const time_t now = std::time(nullptr); now != second_) StartSecond(now);
    file_->Flush();
  }
  google::uint32 LogSize() override { return file_->LogSize(); }

 private:
  struct Place {
    uint64_t lines = 0, left_out = 0;  // in this second
  };

  Place& PlaceNamed(std::string_view name) {
    const auto found = places_.find(name);
    return found != places_.end() ? found->second : places_.emplace(name, Place{}).first->second;
  }

  void StartSecond(time_t second) {
    for (const auto& [name, place] : places_) {
      if (place.left_out > 0) WriteCount(name, place.left_out);
    }
    places_.clear();
    second_ = second;
  }

  void WriteCount(const std::string& place, uint64_t lines) {
    const time_t now = std::time(nullptr);
    const std::string text = std::to_string(lines) + " more lines of " + place +
                             " were left out within a second (--log_lines_per_second_max)";
    const std::string line =
        google::LogSink::ToString(google::WARNING, "log_files.cc", __LINE__,
                                  google::LogMessageTime(now, static_cast<double>(now)), text.data(), text.size()) +
        "\n";
    file_->Write(false, second_, line.data(), line.size());
  }

  google::base::Logger* const file_;  // glog's
  const uint64_t lines_per_second_;
  time_t second_ = 0;
  std::map<std::string, Place, std::less<>> places_;
};

// "PROGRAM.HOST.USER.log.SEVERITY.DATE-TIME.PID"
struct LogFile {
  fs::path path;
  uint64_t bytes = 0;
  int64_t written_s = 0;
  std::string kind;  // ".log.INFO."
  bool own = false;  // of this process
};

std::vector<LogFile> LogFilesOf(const LogFileLimits& limits) {
  std::vector<LogFile> files;
  const std::string own_end = "." + std::to_string(getpid());
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(limits.directory, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(limits.program + ".")) continue;
    for (const char* severity : kSeverities) {
      const std::string kind = std::string(".log.") + severity + ".";
      struct stat status{};
      if (!name.contains(kind) || lstat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      files.push_back(
          {entry.path(), static_cast<uint64_t>(status.st_size), status.st_mtime, kind, name.ends_with(own_end)});
    }
  }
  std::ranges::sort(files, {}, [](const LogFile& file) { return std::pair(file.written_s, file.path); });
  return files;
}

LogFileLimits limits;  // set by StartLogging; without a directory logs go to stderr

}  // namespace

void DeleteOldLogs(const LogFileLimits& limits, int64_t now_s) {
  std::vector<LogFile> files = LogFilesOf(limits);
  std::set<std::string> written;
  uint64_t bytes = 0;
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    file->own = file->own && written.insert(file->kind).second;  // of this process's files the newest of each kind
    bytes += file->bytes;
  }
  for (const LogFile& file : files) {
    const bool old = file.written_s < now_s - int64_t{limits.days_max} * 86'400;
    if (file.own || (!old && bytes <= limits.bytes_max)) continue;
    std::error_code error;
    if (fs::remove(file.path, error)) bytes -= file.bytes;
  }
}

void MaintainLogs() {
  if (limits.directory.empty()) return;
  google::FlushLogFiles(google::INFO);
  DeleteOldLogs(limits, std::time(nullptr));
}

Status StartLogging(const std::string& data_dir, char* program) {
  FLAGS_logbuflevel = -1;  // nothing is buffered: the last lines before a crash are the ones that count
  FLAGS_max_log_size = static_cast<uint32_t>(std::min(FLAGS_log_file_mb_max, FLAGS_logs_mb_max / 4));
  FLAGS_stop_logging_if_full_disk = true;
  FLAGS_logtostderr = FLAGS_log_to_stderr || (data_dir.empty() && FLAGS_logs_dir.empty());
  if (!FLAGS_logtostderr) {
    std::error_code error;
    FLAGS_log_dir = FLAGS_logs_dir.empty() ? data_dir + "/logs" : FLAGS_logs_dir;
    fs::create_directories(FLAGS_log_dir, error);
    if (error)
      return Error(Code::kInternal, "cannot make the directory " + FLAGS_log_dir + " for logs: " + error.message());
    limits = {FLAGS_log_dir, fs::path(program).filename(), FLAGS_log_days_max,
              static_cast<uint64_t>(FLAGS_logs_mb_max) << 20};
    DeleteOldLogs(limits, std::time(nullptr));
  }
  google::InitGoogleLogging(program);
  for (int severity = google::INFO; severity < google::NUM_SEVERITIES && !FLAGS_logtostderr; ++severity) {
    google::base::SetLogger(severity, new LimitedLogger(google::base::GetLogger(severity),
                                                        static_cast<uint64_t>(FLAGS_log_lines_per_second_max)));
  }
  return {};
}

}  // namespace ebla::process
