#include "tabletserver/shard/shard_tablets.h"

#include <glog/logging.h>

#include <algorithm>

#include "tabletserver/reads/tablet_directory.h"

namespace ebla::tabletserver {

ShardTabletPtr ShardTablets::Find(TabletId tablet) const {
  const auto found = tablets_.find(tablet);
  return found == tablets_.end() ? nullptr : found->second;
}

ShardTabletPtr ShardTablets::FindStaying(TabletId tablet) const {
  const auto found = tablets_.find(tablet);
  return found == tablets_.end() || found->second->data.leaving() ? nullptr : found->second;
}

ShardTabletPtr ShardTablets::Make(RecoveredReplica replica, TabletSchema schema) {
  auto made = std::make_shared<ShardTablet>(replica.tablet);
  ShardTablet& tablet = *made;
  TabletOptions options;
  options.tablet = tablet.id;
  options.self = options_.self;
  options.dedup_window = options_.dedup_window;
  options.unapplied_bytes_max = options_.unapplied_bytes_max;
  options.tombstone_retention_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.tombstone_retention).count();
  options.functions = options_.functions;
  options.lease = options_.lease;
  options.started = ports_.executor.Now();
  options.may_have_lost_writes =
      options_.machine_crashed && schema.durability == FlushMode::kInterval && replica.state.table;
  options.forgot_below = [&lost = ports_.store.lost_replicas()] { return lost.forgot_below(); };
  TabletReaders readers;
  // The core dies before its tablet.
  readers.records.get = [this, &tablet](std::span<const std::string_view> keys) {
    return ReadRecords(tablet.table, keys);
  };
  readers.records.scan = [this, &tablet](const ScanBounds& bounds, const RecordStore::Visitor& visitor) {
    return ports_.store.Scan(tablet.table, bounds, visitor);
  };
  readers.records.now = [this] { return ports_.executor.Now(); };
  readers.log = [this, id = tablet.id](Lsn from, Lsn last, size_t bytes_max) {
    return ports_.store.ReadLog(id, from, last, bytes_max);
  };
  tablet.table = replica.state.table;
  tablet.core =
      std::make_unique<TabletCore>(std::move(options), std::move(replica), std::move(schema), std::move(readers));
  return made;
}

Result<std::vector<std::optional<StoredRecord>>> ShardTablets::ReadRecords(
    TableId table, std::span<const std::string_view> keys) const {
  // Few: if the first condition of a batch fails, the other reads were for nothing.
  constexpr size_t kBytesAtOnce = 1 << 20, kKeysAtOnce = 32;
  if (keys.size() > 1)
    return ports_.store.MultiGet(table, keys.first(std::min(keys.size(), kKeysAtOnce)), kBytesAtOnce);
  // Without a snapshot.
  std::vector<std::optional<StoredRecord>> records;
  EBLA_ASSIGN(records.emplace_back(), ports_.store.Get(table, keys.front()));
  return records;
}

ShardTabletPtr ShardTablets::FindOrMake(TabletId id) {
  if (auto found = Find(id)) return found;
  RecoveredReplica blank;
  blank.tablet = id;
  if (const auto departed = departed_.find(id); departed != departed_.end()) {
    blank.state = departed->second;
    departed_.erase(departed);
  }
  const auto tablet = Make(std::move(blank), {});
  Add(tablet);
  return tablet;
}

void ShardTablets::Depart(ShardTablet& tablet) {
  tablet.core->Step(ReplicaForgotten{});
  CountUnapplied(tablet);  // what was never applied is no burden any more
  departed_[tablet.id] = tablet.core->replica().state();
  Pass(tablet, DataState::Event::kDepart);
  tablets_.erase(tablet.id);
}

Epoch ShardTablets::PromisedByDeparted(TabletId tablet) const {
  const auto departed = departed_.find(tablet);
  return departed == departed_.end() ? Epoch{} : departed->second.promised;
}

// ---- what is under way on their data --------------------------------------------------------------------------------

void ShardTablets::Pass(ShardTablet& tablet, DataState::Event event) {
  using enum DataState::State;
  const DataState::State before = tablet.data.state();
  tablet.data.Take(event);
  // Chunks and truncations end often and free nothing that waits. Else each would repeat the failed work of others.
  const bool frees = before == kInstalling || before == kEmptying || before == kStoringMerge;
  if (before == kDroppedAtWork || (frees && event == DataState::Event::kFinish)) LookAgain();
}

void ShardTablets::LookAgain() {
  look_again_ = true;
  want_rounds_();
}

void ShardTablets::Lend(const ShardTabletPtr& tablet) {
  Pass(*tablet, DataState::Event::kLend);
  lent_.emplace(tablet->id, tablet);
  tablets_.erase(tablet->id);
}

ShardTabletPtr ShardTablets::EndLoan(TabletId id, DataState::Event how) {
  auto lent = lent_.extract(id);
  CHECK(!lent.empty());
  ShardTabletPtr tablet = std::move(lent.mapped());
  Pass(*tablet, how);
  Add(tablet);
  return tablet;
}

bool ShardTablets::BeingMerged(TabletId id) const {
  const auto found = tablets_.find(id);
  return lent_.contains(id) || (found != tablets_.end() && found->second->data.being_merged());
}

Status ShardTablets::WhyGone(TabletId id) const {
  const auto found = tablets_.find(id);
  if (lent_.contains(id) || (found != tablets_.end() && found->second->data.merged()))
    return Error(Code::kComeAgain, "the tablet has just been merged");
  return NoReplicaHere();
}

// ---- output ---------------------------------------------------------------------------------------------------------

std::vector<ShardTabletPtr> ShardTablets::TakeTouched() {
  auto taken = std::exchange(touched_, {});
  for (const ShardTabletPtr& tablet : taken) tablet->touched = false;
  return taken;
}

// ---- place and view -------------------------------------------------------------------------------------------------

Status ShardTablets::Place(ShardTablet& tablet, TableId table, const KeyRange& range) {
  auto handle = std::make_shared<TabletHandle>(tablet.id, table, options_.index);
  EBLA_TRY(ports_.directory.Add(handle, range));
  tablet.table = table;
  tablet.placed_range = range;
  tablet.handle = std::move(handle);
  return Status::Ok();
}

void ShardTablets::Unplace(ShardTablet& tablet) {
  if (tablet.handle != nullptr) ports_.directory.Remove(*tablet.handle);
  tablet.handle.reset();
  tablet.schema.reset();
}

void ShardTablets::Publish(ShardTablet& tablet, const std::shared_ptr<const TabletView>& view) {
  if (tablet.handle == nullptr || tablet.data.leaving()) return;
  if (view->role == RoleKind::kAbsent) return;  // being made, or refused, or dropped: its control reply settles it
  // A replica that is being copied keeps its place, because until the checkpoint that ends the copy a crash restores
  // its former range (PROTOCOL 10).
  if (view->range != tablet.placed_range && !view->incomplete) {
    if (Status status = ports_.directory.ChangeRange(*tablet.handle, view->range); !status.ok()) {
      LOG(ERROR) << "tablet " << tablet.id << " cannot take its range: " << status;
      return;
    }
    tablet.placed_range = view->range;
  }
  if (view->schema != tablet.schema) {
    tablet.schema = view->schema;
    tablet.handle->in_memory.store(view->schema->in_memory, std::memory_order_relaxed);
    if (auto decoded = ports_.decode_schema(view->schema->encoded)) {
      tablet.handle->default_bounded.store(decoded->default_bounded, std::memory_order_relaxed);
      tablet.handle->default_read_level.store(decoded->default_read_level, std::memory_order_relaxed);
    }
  }
  tablet.view = view;
  tablet.handle->SetSplitAt(view->split_at());
  tablet.handle->Publish(view);
}

void ShardTablets::CountUnapplied(ShardTablet& tablet) {
  const size_t bytes = tablet.core->unapplied_bytes();
  ports_.counters.unapplied_bytes.fetch_add(
      static_cast<int64_t>(bytes) - static_cast<int64_t>(tablet.counted_unapplied_bytes), std::memory_order_relaxed);
  tablet.counted_unapplied_bytes = bytes;
}

// ---- state ----------------------------------------------------------------------------------------------------------

Status ShardTablets::PutState(ShardTablet& tablet, const ReplicaState& state) {
  return ports_.store.PutReplicaState(tablet.id, state);
}

}  // namespace ebla::tabletserver
