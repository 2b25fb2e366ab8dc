// common/wiredtiger/error_messages.h
// The latest error messages of a WiredTiger database.
// Why:     WiredTiger's errors are numbers, and only its messages name a file. The first message about damage names it,
//          and those that follow tell how WiredTiger ends. So the latest message that tells of a damaged block
//          is kept, and of all others those that name a file longer than the rest. Dumps of blocks are left out.
// Threads: any.
#pragma once

#include <wiredtiger.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/mutex.h"

namespace ebla::wiredtiger {

// After a panic WiredTiger's threads may call it for as long as the process lives.
class ErrorMessages : private WT_EVENT_HANDLER {
 public:
  enum class Log : uint8_t { kErrors, kDetails };
  // Each message is logged, after `prefix`.
  explicit ErrorMessages(std::string prefix, Log log = Log::kErrors);
  ErrorMessages(const ErrorMessages&) = delete;
  ErrorMessages& operator=(const ErrorMessages&) = delete;

  // For wiredtiger_open.
  WT_EVENT_HANDLER* handler() { return this; }

  void Add(std::string message);
  // " (first; second)", of which a damaged block is the first; empty: there are none.
  std::string All() const;
  // "/data/store/data_7.wt is damaged at byte 4096: ..." of the latest such message; empty: there is none.
  std::string DamagedBlock() const;
  // A message had an error of this moment (system_error.h). A full disk makes WiredTiger panic, and only its messages
  // tell the cause.
  bool of_this_moment() const { return of_this_moment_; }
  // Follows the directory of a database that does not open. Empty where a message names a path in it. Else it names
  // the files by which WiredTiger finds all tables, because WiredTiger does not report damage that it finds there.
  std::string Suspects(const std::string& directory) const;

 private:
  static int OnError(WT_EVENT_HANDLER* self, WT_SESSION*, int error, const char* message);
  static int OnMessage(WT_EVENT_HANDLER* self, WT_SESSION*, const char* message);

  const std::string prefix_;
  const Log log_;
  std::atomic<bool> of_this_moment_{false};
  mutable Mutex mutex_;
  std::string block_ EBLA_GUARDED_BY(mutex_);  // the latest message that tells of a damaged block
  std::vector<std::string> kept_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::wiredtiger
