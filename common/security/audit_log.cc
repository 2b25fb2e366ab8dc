#include "common/security/audit_log.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace ebla::security {
namespace {

std::string TimeNow() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char text[40] = "";
  const size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + size, sizeof(text) - size, ".%03ldZ", now.tv_nsec / 1'000'000);
  return text;
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
  if (file_ != nullptr) std::fclose(file_);
}

Status AuditLog::OpenFile() {
  const int fd = open(options_.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct stat about{};
  if (fd < 0 || fstat(fd, &about) != 0 || (file_ = fdopen(fd, "a")) == nullptr) {
    const std::string why = std::strerror(errno);
    if (fd >= 0) close(fd);
    return {Code::kInvalidArgument, "cannot write the audit log " + options_.file + ": " + why};
  }
  bytes_ = static_cast<size_t>(about.st_size);
  return {};
}

void AuditLog::Rotate() {
  std::fclose(file_);
  file_ = nullptr;
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
  const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  MutexLock lock(mutex_);
  if (bytes_ >= options_.bytes_max && file_ != nullptr) Rotate();
  const Status opened = file_ == nullptr ? OpenFile() : Status();
  if (!opened.ok() || std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fflush(file_) != 0) {
    LOG_EVERY_T(ERROR, 60) << (opened.ok() ? "cannot write to the audit log " + options_.file : opened.message());
    return;
  }
  bytes_ += text.size();
}

}  // namespace ebla::security
