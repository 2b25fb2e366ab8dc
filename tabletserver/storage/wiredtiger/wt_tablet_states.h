// tabletserver/storage/wiredtiger/wt_tablet_states.h
// Rows of `applied`: each tablet's applied state, which only checkpoints make durable.
// Errors:  WiredTiger's numbers; damage of the table is the store's end (OfSystemTable).
// Threads: those of the sessions.
#pragma once

#include <optional>
#include <vector>

#include "tabletserver/storage/buffer/table_buffer.h"
#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

// Inside the caller's transaction: a batch's state, or that there is none any more.
int WriteAppliedState(WtSession& session, const ApplyBatch& batch);
int RemoveAppliedState(WtSession& session, TabletId tablet);
// The same for applied state and dedup window of a tablet of a sorted table.
int WriteTabletChanges(WtSession& session, TabletId tablet, const TabletChanges& changes);
// Reads the applied lsn inside the caller's snapshot.
int ReadPosition(WtSession& session, SnapshotPosition& position, Status& damage);
Result<std::optional<AppliedState>> ReadAppliedState(WtSessions& sessions, WtSession& session, TabletId tablet);
Result<std::vector<TabletId>> TabletsWithState(WtSessions& sessions, WtSession& session);

}  // namespace ebla::tabletserver
