// tabletserver/storage/wiredtiger/wt_records.h
// The records: rows of data_<table id>, which WiredTiger does not log, so that only checkpoints make them durable.
// Whole ranges are in wt_ranges.h.
// Invariants: Apply changes a tablet's records and states in one transaction; a read sees one snapshot of them.
// Threads:    any, but one tablet's records change only from its shard.
#pragma once

#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"
#include "tabletserver/storage/wiredtiger/wt_tablet_states.h"

namespace ebla::tabletserver {

class WtRecords {
 public:
  WtRecords(WtSessions& sessions, WtTabletStates& states, WtDedupRows& dedup_rows)
      : sessions_(sessions), states_(states), dedup_rows_(dedup_rows) {}

  // As the functions of the port.
  Status Apply(std::span<const ApplyBatch> batches);
  Result<std::optional<StoredRecord>> Get(TableId table, std::string_view key, SnapshotPosition* position);
  Result<std::vector<std::optional<StoredRecord>>> MultiGet(TableId table, std::span<const std::string_view> keys,
                                                            size_t bytes_max, SnapshotPosition* position);
  Status Scan(TableId table, const ScanBounds& bounds, const TabletStore::Visitor& visitor, SnapshotPosition* position);

 private:
  WtSessions& sessions_;
  WtTabletStates& states_;
  WtDedupRows& dedup_rows_;
};

}  // namespace ebla::tabletserver
