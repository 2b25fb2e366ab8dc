#include "tests/sim/cluster/server_watch.h"

#include <algorithm>

namespace ebla::sim {

using namespace tabletserver;

void ServerWatch::Appended(std::span<const AppendBatch> batches) {
  for (const AppendBatch& batch : batches) watch_.Appended(server_, batch);
}

void ServerWatch::UnresolvedPut(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) {
  for (const LogEntry* entry : entries) hooks_.kept(tablet, table, *entry);
}

void ServerWatch::Applied(std::span<const ApplyBatch> batches) {
  for (const ApplyBatch& batch : batches) {
    watch_.Applied(server_, batch);
    const auto& split = batch.state.last_split;
    if (split && split->version == batch.state.applied) LookAtChild(*split, batches);
  }
}

// These batches apply a SPLIT. A batch may also fill a replica of the child by a copy. Such a replica shows newer
// records than its position, so the watch ignores this batch.
void ServerWatch::LookAtChild(const AppliedSplit& split, std::span<const ApplyBatch> batches) {
  const auto child_batch = std::ranges::find(batches, split.child, &ApplyBatch::tablet);
  if (child_batch == batches.end() || child_batch->state.applied != split.version) return;
  Version newest;
  const auto visit = [&newest](std::string_view, const StoredRecord& record) {
    if (record.version.lsn > newest.lsn) newest = record.version;
    return true;
  };
  const Status read = store().Scan(child_batch->table, {child_batch->state.range}, visit);
  if (read.ok()) watch_.ChildCreated(split.child, child_batch->state.applied, newest, server_);
}

void ServerWatch::Recovered(const std::vector<RecoveredReplica>& replicas) {
  watch_.Recovers(server_, replicas);
  Watch::Recovered(replicas);
}

void ServerWatch::Forgotten(TabletId tablet) { hooks_.forgotten(tablet); }

void ServerWatch::BeforePutState(TabletId tablet, const ReplicaState& state) {
  watch_.Becomes(server_, tablet, state);
  Watch::BeforePutState(tablet, state);
}

void ServerWatch::BeforeRemoveSuffix(TabletId tablet, Lsn from) {
  watch_.Removed(server_, tablet, from);
  Watch::BeforeRemoveSuffix(tablet, from);
}

void ServerWatch::BeforeTruncateLog(TabletId tablet, Lsn below) {
  watch_.Truncated(server_, tablet, below);
  Watch::BeforeTruncateLog(tablet, below);
}

void ServerWatch::BeforeRead(TableId table, std::string_view key) {
  const std::pair<TableId, std::string_view> before = std::exchange(reading_, std::pair(table, key));
  hooks_.read(key);
  reading_ = before;
}

void ServerWatch::BeforeTruncateRange(TableId table, const KeyRange& range) {
  watch_.Forget(server_);  // a copy may begin
  if (!reading_.second.empty() && reading_.first == table && range.Contains(reading_.second)) {
    watch_.Discards(server_, reading_.second);
  }
}

void ServerWatch::BeforeForget(TabletId tablet) { watch_.Forgets(server_, tablet); }

}  // namespace ebla::sim
