#include "common/security/audit_log.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/iso_time.h"

namespace ebla::security {
namespace {

std::string TimeNow() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return IsoTime(int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000);
}

}  // namespace

Result<std::unique_ptr<AuditLog>> AuditLog::Open(Options options) {
  std::unique_ptr<AuditLog> log(new AuditLog(std::move(options)));
  MutexLock lock(log->mutex_);
  EBLA_TRY(log->OpenFile());
  return log;
}

AuditLog::~AuditLog() {
  MutexLock lock(mutex_);
  if (file_ >= 0) close(file_);
}

Status AuditLog::OpenFile() {
  const int fd = open(options_.file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct stat about{};
  if (fd < 0 || fstat(fd, &about) != 0) {
    const std::string why = std::strerror(errno);
    if (fd >= 0) close(fd);
    return {Code::kInvalidArgument, "cannot write the audit log " + options_.file + ": " + why};
  }
  file_ = fd;
  bytes_ = static_cast<size_t>(about.st_size);
  char last = '\n';
  torn_ = about.st_size > 0 && pread(fd, &last, 1, about.st_size - 1) == 1 && last != '\n';
  return {};
}

void AuditLog::Rotate() {
  close(std::exchange(file_, -1));
  const auto name = [this](int number) { return options_.file + (number == 0 ? "" : "." + std::to_string(number)); };
  std::error_code ignored;  // one that lacks, or cannot be moved, is written on or over
  for (int number = options_.files_max; number > 0; --number) {
    std::filesystem::rename(name(number - 1), name(number), ignored);
  }
}

void AuditLog::Record(const AuditEvent& event) {
  nlohmann::ordered_json line = {{"time", TimeNow()}};
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty()) line[name] = text;
  };
  add("user", event.who.name);
  add("kind", event.who.kind == Identity::Kind::kTrusted ? "trusted" : UnitOf(event.who.kind));
  add("from", event.from);
  add("action", event.action);
  add("of", event.of);
  add("code", std::string(CodeName(event.outcome.code())));
  add("message", event.outcome.message());
  if (event.outcome.code() == Code::kPermissionDenied) {
    const MonotonicTime now{std::chrono::steady_clock::now().time_since_epoch()};
    const HostBudget::Spent line_of = refusals_.Spend(event.from, now);
    if (!line_of.granted) return;
    if (line_of.left_out > 0) line["left_out"] = line_of.left_out;
  }
  std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  MutexLock lock(mutex_);
  if (bytes_ >= options_.bytes_max && file_ >= 0) Rotate();
  const Status opened = file_ < 0 ? OpenFile() : Status();
  if (!opened.ok()) {
    LOG_EVERY_T(ERROR, 60) << opened.message();
    return;
  }
  if (torn_) text.insert(0, 1, '\n');
  const ssize_t written = write(file_, text.data(), text.size());
  const int error = errno;
  bytes_ += static_cast<size_t>(std::max<ssize_t>(written, 0));
  if (written == std::ssize(text)) {
    torn_ = false;
    return;
  }
  torn_ = torn_ || written > 0;
  LOG_EVERY_T(ERROR, 60) << "cannot write to the audit log " << options_.file << ": "
                         << (written < 0 ? std::strerror(error) : "there was room for a part of a line");
}

}  // namespace ebla::security
