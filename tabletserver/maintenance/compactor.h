// tabletserver/maintenance/compactor.h
// Returns the room of deleted records to the file system, table by table, when an operator asks for it.
// How:        WiredTiger moves blocks from the end of a table's file into gaps before it, while reads and writes
//             continue, and takes checkpoints of its own. It cannot be interrupted, so it runs in slices, and the
//             server's stop waits for one slice at most.
// Place:      control_service.h begins a compaction and reports its progress; tabletserver_host.h owns the compactor.
// Invariants: 1. One table at a time, and no table twice; further tables wait for their turn.
//             2. The time that a compaction may take is counted from its turn on.
// Threads:    any; the work on the executor, which does nothing else.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "common/base/status.h"

namespace ebla::tabletserver {

inline constexpr Duration kCompactionMax = std::chrono::hours(24);

class Compactor {
 public:
  struct State {
    bool running = false;              // or waits for its turn
    std::chrono::milliseconds age{0};  // since it was begun
    int64_t bytes_before = 0;          // of the table's file
    int64_t bytes_after = 0;           // or now, while it runs
    Status outcome;                    // DEADLINE_EXCEEDED: the time was up, and more could be gained
  };

  // The functions of the store (tablet_store.h).
  struct Ports {
    std::function<Result<bool>(TableId, Duration limit)> compact;
    std::function<Result<int64_t>(TableId)> file_bytes;
  };

  // The executor and what the ports reach outlive this; nothing runs there any more when this is destroyed.
  Compactor(Executor& executor, Ports ports) : executor_(executor), ports_(std::move(ports)) {}

  // Begins, unless one of this table runs or waits. INVALID_ARGUMENT: no such limit; NO_SUCH_TABLE.
  Status Begin(TableId table, Duration limit);
  // The running compaction, or else the latest; none: there was none since the server started.
  std::optional<State> Latest(TableId table) const;

 private:
  struct Run {
    bool running = true;
    MonotonicTime begun;
    Duration limit{};
    MonotonicTime until;  // zero: has not had its turn yet
    int64_t bytes_before = 0;
    int64_t bytes_after = 0;
    Status outcome;
  };
  void Slice();
  Status CompactFor(TableId table, Duration slice, bool& more);

  Executor& executor_;
  const Ports ports_;
  mutable Mutex mutex_;
  std::map<TableId, Run> runs_ EBLA_GUARDED_BY(mutex_);
  std::deque<TableId> waiting_ EBLA_GUARDED_BY(mutex_);  // the first has its turn
};

}  // namespace ebla::tabletserver
