// tabletserver/storage/wiredtiger/wt_log.h
// The tablets' logs: rows of `oplog`, which WiredTiger logs. A Flush of WtFlusher makes them durable.
// Invariants: 1. An entry that is in a log is never overwritten.
//             2. Whatever a crash leaves of a log has no holes.
// Errors:     as in tablet_store.h.
// Threads:    any, but one tablet's log is changed only from its shard.
#pragma once

#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/wiredtiger/disk_reserve.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

class WtLog {
 public:
  WtLog(WtSessions& sessions, DiskReserve& reserve) : sessions_(sessions), reserve_(reserve) {}

  // As the functions of the port.
  Status Append(std::span<const AppendBatch> batches);
  Status End(TabletId tablet);
  Result<std::vector<LogEntry>> Read(TabletId tablet, Lsn from, Lsn last, size_t bytes_max);
  Status RemoveSuffix(TabletId tablet, Lsn from);
  Status Truncate(TabletId tablet, Lsn from, Lsn below);

  // Removes all of a tablet's log.
  Status Forget(TabletId tablet);
  // After a start: fills in the log's bounds. Of a replica that is gone, it removes what a crash left of the log's end.
  Status Recover(RecoveredReplica& replica);

 private:
  // True: there is nothing but the log's end.
  Result<bool> ReadBounds(WtSession& session, RecoveredReplica& replica);

  WtSessions& sessions_;
  DiskReserve& reserve_;
};

}  // namespace ebla::tabletserver
