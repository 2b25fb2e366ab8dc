// tabletserver/storage/wiredtiger/verify_log.h
// Reads all of a server's log and changes nothing: for operators who want to know whether it is whole.
// Errors:  NOT_FOUND: there is no log. UNAVAILABLE: a server runs there. INTERNAL: damage, with the file and the place
//          in it, as a start of the server would name it; or the log ends before what the disk had.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tabletserver/storage/log/log_disk.h"
#include "tabletserver/storage/wiredtiger/store_inventory.h"

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

// An unfinished end that a crash has left does not count, and is no damage. `inventory` tells how far the log reached
// for certain: an end before that is a loss.
Result<LogSummary> VerifyLog(LogDisk& disk, const StoreInventory& inventory, LogProgress progress = {});
// The same for a server's --data_dir.
Result<LogSummary> VerifyLogOf(const std::string& data_dir, LogProgress progress = {});

}  // namespace ebla::tabletserver
