// tabletserver/storage/log_flusher.h
// Group commit: one sync of the log for everybody who asked since the last one.
// Place:      TabletStore::Flush; runs on the executor that the store's owner gives for it.
// Invariants: 1. A completion runs after a flush that began after its request.
//             2. What was flushed to the operating system only is fsynced within the interval.
//             3. When a flush fails, so has the store: whether what it covered is on the disk cannot be known, and no
//                later fsync would tell (the kernel forgets the pages that failed).
// Threads:    any. The destructor waits for a flush in progress; requests not begun by then are dropped unanswered.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "common/base/executor.h"
#include "tabletserver/storage/tablet_log.h"

namespace ebla::tabletserver {

class LogFlusher {
 public:
  LogFlusher(TabletLog& log, Executor& executor, Duration interval);
  ~LogFlusher();

  void Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done);
  // To the operating system, on the caller's thread. None: it would wait, or others wait already, or it has lately
  // taken long, as where the kernel makes writers wait for a disk that falls behind.
  std::optional<Status> FlushAtOnce();
  // How long this table lets what was flushed to the operating system wait for its fsync; an older schema's word is passed
  // over. The most demanding table sets the interval, also for what waits already.
  void SetInterval(TableId table, int64_t schema_version, Duration interval);
  void ForgetTable(TableId table);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the tasks on the executor
};

}  // namespace ebla::tabletserver
