// common/security/audit_log.h
// Records actions and refusals with their callers: a file of JSON lines, apart from the log for people.
// Format:     {"time": "2026-01-31T12:00:00.123Z", "user": ..., "kind": "user|operator|...", "from": "host:port",
//             "action": "dropTable", "of": "table=carts", "code": "OK", "message": ...}; what is empty is left out.
// Refusals:   have 20 lines a minute for each address, and beyond that only a count, so that a flood of refusals does
//             not displace other lines.
// Files:      at 64 MiB the file becomes FILE.1, that FILE.2, and so on up to FILE.8.
// Errors:     if the file cannot be written, the log says so once a minute, and no call is refused; events of that time
//             are not recorded. A line written in part stays as it is; the next record begins a line of its own.
// Waiting:    Record() writes with one system call, and syncs nothing; its caller waits for that, and for concurrent
//             records. A file system that hangs delays them.
// Threads:    any.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/security/host_budget.h"
#include "common/security/identity.h"

namespace ebla::security {

struct AuditEvent {
  Identity who;
  std::string from;
  std::string action;
  std::string of;
  Status outcome;
};

class AuditLog {
 public:
  struct Options {
    std::string file;
    bool data = false;  // reads and writes of data, too
    size_t bytes_max = 64 << 20;
    int files_max = 8;
  };
  // INVALID_ARGUMENT, naming the file, when it cannot be written.
  static Result<std::unique_ptr<AuditLog>> Open(Options options);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  void Record(const AuditEvent& event);
  bool wants_data() const { return options_.data; }

 private:
  explicit AuditLog(Options options) : options_(std::move(options)) {}
  Status OpenFile() EBLA_REQUIRES(mutex_);
  void Rotate() EBLA_REQUIRES(mutex_);

  const Options options_;
  HostBudget refusals_{20, std::chrono::minutes(1)};
  Mutex mutex_;
  int file_ EBLA_GUARDED_BY(mutex_) = -1;
  size_t bytes_ EBLA_GUARDED_BY(mutex_) = 0;
  bool torn_ EBLA_GUARDED_BY(mutex_) = false;  // the file ends within a line
};

}  // namespace ebla::security
