// tabletserver/storage/wiredtiger/wt_flusher.h
// Group commit: one sync of the log for everybody who asked since the last one.
// Place:      WtStore::Flush; runs on the executor that the store's owner gives for it.
// Invariants: 1. A completion runs after a flush that began after its request.
//             2. What was flushed to the operating system only is fsynced within the interval.
//             3. When a flush fails, so has the store: whether what it covered is on the disk cannot be known, and no
//                later fsync would tell (the kernel forgets the pages that failed).
// Threads:    any. The destructor waits for a flush in progress; requests not begun by then are dropped unanswered.
#pragma once

#include <memory>
#include <optional>

#include "tabletserver/storage/store_log.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class WtFlusher {
 public:
  WtFlusher(StoreLog& log, Executor& executor, Duration interval);
  ~WtFlusher();

  void Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done);
  // To the operating system, on the caller's thread. None: it would wait, or others wait already, or it has lately
  // taken long, as where the kernel makes writers wait for a disk that falls behind.
  std::optional<Status> FlushAtOnce();
  // Also for what waits already.
  void SetInterval(Duration interval);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the tasks on the executor
};

}  // namespace ebla::tabletserver
