// tabletserver/storage/wiredtiger/wt_tablet_states.h
// What the store knows of each tablet beside its records and its log: its state, which is a value of the log; rows of
// `applied`, which only checkpoints make durable.
// Invariants: Applied() never names more than what is committed, so that a checkpoint holds at least what was noted
//             before it began.
// Threads:    any, but one tablet's states change only from its shard.
#pragma once

#include <map>

#include "common/base/mutex.h"
#include "tabletserver/storage/store_log.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/wiredtiger/wt_dedup_rows.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

class WtTabletStates {
 public:
  WtTabletStates(WtSessions& sessions, StoreLog& log, WtDedupRows& dedup_rows)
      : sessions_(sessions), log_(log), dedup_rows_(dedup_rows) {}

  Status Put(TabletId tablet, const ReplicaState& state);

  // Inside the caller's transaction: a batch's state. A WiredTiger error.
  static int Write(WtSession& session, const ApplyBatch& batch);
  // Once that transaction is committed.
  void NoteApplied(std::span<const ApplyBatch> batches);
  std::map<TabletId, Lsn> Applied() const;
  // Of this replica, also once its records are another's or it is dropped, until ForgetLast; none: not known.
  Lsn LastApplied(TabletId tablet) const;
  // Reads the applied lsn inside the caller's snapshot.
  static int ReadPosition(WtSession& session, SnapshotPosition& position, Status& damage);

  // Removes the applied state and the dedup window; the replica's state stays. What was applied last, which is known
  // until ForgetLast: whoever follows the log must find it there, or in the log's cut.
  Result<Lsn> Forget(TabletId tablet);
  void ForgetLast(TabletId tablet);
  // After a start: all replicas and tombstones, but for the bounds of their logs.
  Result<std::vector<RecoveredReplica>> Recover();
  // Of the table: a replica that was not dropped.
  Result<bool> AnyPresent(TableId table);

 private:
  Result<std::optional<AppliedState>> ReadApplied(WtSession& session, TabletId tablet);

  WtSessions& sessions_;
  StoreLog& log_;
  WtDedupRows& dedup_rows_;
  mutable Mutex mutex_;
  std::map<TabletId, Lsn> applied_ EBLA_GUARDED_BY(mutex_);
  std::map<TabletId, Lsn> gone_ EBLA_GUARDED_BY(mutex_);  // the same of those without an applied state
};

}  // namespace ebla::tabletserver
