// tabletserver/storage/wiredtiger/wt_ranges.h
// Whole ranges of records: truncation after a drop, replacement during a copy, and estimates of size for splits.
// Threads: any, but a range changes only from the shard of its tablet.
#pragma once

#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

class WtRanges {
 public:
  explicit WtRanges(WtSessions& sessions) : sessions_(sessions) {}

  // See the functions of the port.
  Status Replace(TableId table, const KeyRange& interval,
                 std::span<const std::pair<std::string, StoredRecord>> records);
  Result<std::vector<RecordStore::RangeSize>> EstimateSizes(TableId table, std::span<const KeyRange> ranges);

 private:
  Status Truncate(TableId table, const KeyRange& range);

  WtSessions& sessions_;
};

}  // namespace ebla::tabletserver
