// tabletserver/storage/wiredtiger/verify_log.h
// Reads all of a server's log and changes nothing: for operators who want to know whether it is whole.
// Errors:  NOT_FOUND: there is no log. UNAVAILABLE: a server runs there. INVALID_ARGUMENT: it is another server's.
//          INTERNAL: damage, with the file and the place
//          in it, as a start of the server would name it; or the log ends before what the disk had.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/base/status.h"

namespace ebla::tabletserver {

struct LogSummary {
  size_t segments = 0;
  int64_t bytes = 0;  // of the segments' files
  size_t tablets = 0;
  uint64_t entries = 0;  // that count
  size_t values = 0;     // states of replicas, and unresolved writes
};

// Told now and then: segments read, and of how many.
using LogProgress = std::function<void(int64_t done, int64_t all)>;

struct VerifyLogOptions {
  std::string server;  // its uuid, as in IDENTITY; empty: unknown
  // Start counter of the next process, because a build without an inventory may have removed the oldest segments
  // (FoundByLife). 0: unknown.
  uint64_t life = 0;
  LogProgress progress;
};

// Reads the log of a server's --data_dir. An unfinished end that a crash has left does not count, and is no damage. The
// inventory tells how far the log reached for certain, and an end before that is a loss.
Result<LogSummary> VerifyLog(const std::string& data_dir, VerifyLogOptions options = {});

}  // namespace ebla::tabletserver
