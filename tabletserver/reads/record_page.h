// tabletserver/reads/record_page.h
// One page of a replica's records as numbers, read in one snapshot. Replicas at the same position give the same
// numbers.
// Place:      service/checksum_handler.h answers `ebla check` and other servers with it; maintenance/replica_comparer.h
//             reads its own.
// Invariants: 1. The records are those applied exactly through `applied`.
//             2. A page's end depends only on the records before it, so that pages of two replicas can be compared.
// Errors:     WRONG_TABLET: the replica is being removed. COME_AGAIN: it is being copied, or has changed its range.
// Threads:    any that may wait for the disk.
#pragma once

#include <cstdint>
#include <string>

#include "tabletserver/reads/tablet_handle.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

inline constexpr int64_t kPageRecords = 20'000;
inline constexpr int64_t kPageBytes = 4 << 20;

struct RecordPage {
  KeyRange range;  // of the replica
  Epoch epoch;
  Lsn applied;
  int64_t records = 0;
  int64_t bytes = 0;  // of keys and values
  uint32_t checksum = 0;
  std::string next;  // where the next page begins
  bool done = true;  // there is none

  bool SameRecords(const RecordPage& other) const {
    return records == other.records && bytes == other.bytes && checksum == other.checksum;
  }
};

// The one that begins at `from`, or where the replica does.
Result<RecordPage> ReadRecordPage(TabletStore& store, const TabletHandle& handle, const std::string& from);

}  // namespace ebla::tabletserver
