// tabletserver/storage/wiredtiger/wt_sorted_records.h
// Reads and changes of sorted tables, by the contract of RecordStore (../records/record_store.h).
// Place:   wt_record_store.h calls it for the tables that wt_sorted_tables.h has.
// Threads: any, but one tablet's records change only from its shard.
#pragma once

#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"
#include "tabletserver/storage/wiredtiger/wt_sorted_tables.h"

namespace ebla::tabletserver {

class WtSortedRecords {
 public:
  WtSortedRecords(const WtStoreOptions& options, WtSessions& sessions, WtSortedTables& tables,
                  const CacheAdmission& admission)
      : options_(options), sessions_(sessions), tables_(tables), admission_(admission) {}

  // All batches are this table's. Cannot fail, but WtSortedTables::WaitForRoom before it can.
  void Apply(SortedTable& table, std::span<const ApplyBatch> batches);
  Result<std::optional<StoredRecord>> Get(SortedTable& table, std::string_view key, SnapshotPosition* position);
  Result<std::vector<std::optional<StoredRecord>>> MultiGet(SortedTable& table, std::span<const std::string_view> keys,
                                                            size_t bytes_max, SnapshotPosition* position);
  Status Read(SortedTable& table, SnapshotPosition* position, const RecordStore::ViewBody& body);
  Status ReplaceInterval(SortedTable& table, const KeyRange& interval,
                         std::span<const std::pair<std::string, StoredRecord>> records);
  Result<std::vector<RecordStore::RangeSize>> EstimateSizes(SortedTable& table, std::span<const KeyRange> ranges);

 private:
  class RunsView;
  Result<std::optional<StoredRecord>> GetFromRuns(WtSession& session, const SortedTable& table,
                                                  const std::vector<RunOfTable>& runs, std::string_view key);

  const WtStoreOptions& options_;
  WtSessions& sessions_;
  WtSortedTables& tables_;
  const CacheAdmission& admission_;
};

}  // namespace ebla::tabletserver
