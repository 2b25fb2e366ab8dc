// tests/sim/cluster/faulty_records.h
// Planted bugs that need no switch in production's code, because they are in a server's records, or in the disk under
// its log. bugs.h lists them beside the rules that a planted bug leaves out.
// Threads: as records/record_store.h.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tabletserver/storage/testing/fake_record_store.h"

namespace ebla::sim {

enum class StoreFault : uint8_t {
  kNone,
  kAckBeforeFlush,  // the log's disk answers a sync before it is done, so a crash loses acknowledged writes
  kForgetWindow,    // a restart loses the dedup window, so a retry is executed again
  kTornBatch,       // now and then the last of an entry's changes is not applied, so half a batch remains
  kStaleRead,       // now and then a read finds the record before its last change
};

inline constexpr auto kStoreFaultNames =
    std::to_array<std::string_view>({"none", "ack_before_flush", "forget_window", "torn_batch", "stale_read"});

class FaultyRecords final : public tabletserver::FakeRecordStore {
 public:
  FaultyRecords(StoreFault fault, tabletserver::SimulatedDisk& disk) : FakeRecordStore(disk), fault_(fault) {}

  Status Apply(std::span<const tabletserver::ApplyBatch> batches) override;
  Result<std::vector<std::optional<tabletserver::StoredRecord>>> MultiGet(
      TableId table, std::span<const std::string_view> keys, size_t bytes_max,
      tabletserver::SnapshotPosition* position) override;
  Result<TabletRows> Recover(TabletId tablet) override;

 private:
  void Remember(const tabletserver::ApplyBatch& batch);

  const StoreFault fault_;
  uint64_t applied_ = 0;
  uint64_t reads_ = 0;
  std::map<std::pair<TableId, std::string>, std::optional<tabletserver::StoredRecord>> before_;
};

}  // namespace ebla::sim
