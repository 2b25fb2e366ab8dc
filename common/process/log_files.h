// common/process/log_files.h
// The log files of a process, and what bounds them: each place in the code may write so many lines a second, a file
// has a largest size, and old files are deleted by age and by the bytes of all.
// Place:      InitProcess starts them; WaitForTermination deletes what is too old while the process runs.
// Why so:     glog's own cleaner deletes nothing where files lie in FLAGS_log_dir, and knows no limit of bytes.
// Invariants: 1. A line that is left out is counted, and a line in the same file tells the count within three seconds.
//             2. The file that this process writes is never deleted, nor is a file that another program has made.
// Threads:    main's; what glog calls holds glog's lock.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"

namespace ebla::process {

// Before anything is logged. Logs go to --logs_dir, or <data_dir>/logs, or stderr where there is neither, or with
// --log_to_stderr. INTERNAL: the directory cannot be made.
Status StartLogging(const std::string& data_dir, char* program);

// Tells in the log how many lines were left out, and deletes old files.
void MaintainLogs();

// Deletes log files of `program` in `directory`: those last written more than `days_max` days before `now_s` (Unix
// time), and the oldest ones until the rest has at most `bytes_max` bytes.
struct LogFileLimits {
  std::string directory, program;
  int days_max = 0;
  uint64_t bytes_max = 0;
};
void DeleteOldLogs(const LogFileLimits& limits, int64_t now_s);

}  // namespace ebla::process
