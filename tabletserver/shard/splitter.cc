#include "tabletserver/shard/splitter.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/shard/peer_exchange.h"
#include "tabletserver/shard/remover.h"
#include "tabletserver/shard/shard_tablets.h"

namespace ebla::tabletserver {

Status Splitter::Prepare(std::span<TakenOutput*> taken, std::vector<ApplyBatch>& batches,
                         std::vector<Creation>& creations) {
  for (TakenOutput* one : taken) {
    if (one->output.split == nullptr) continue;
    EBLA_TRY(PrepareChild(*one, creations));
    const SplitChild& split_child = *creations.back().split_child;
    ApplyBatch& batch = batches.emplace_back();
    batch.tablet = split_child.split.child;
    batch.table = one->tablet->table;
    batch.dedup_window.put = split_child.dedup_window;
    batch.state = split_child.applied;
  }
  return Status::Ok();
}

Status Splitter::PrepareChild(TakenOutput& parent, std::vector<Creation>& creations) {
  Creation creation{shard_.tablets.FindOrMake(parent.output.split->split.child), parent.output.split, &parent};
  if (creation.child->handle != nullptr || creation.child->core->replica().role() != RoleKind::kAbsent) {
    return Error(Code::kInternal,
                 "tablet " + std::to_string(creation.child->id.value) + " is here before it is split off");
  }
  EBLA_TRY(shard_.tablets.PutState(*creation.child, creation.child->core->StateAtCreation(*creation.split_child)));
  creations.push_back(std::move(creation));
  return Status::Ok();
}

void Splitter::Withdraw(const Creation& creation) {
  ReplicaState state = creation.child->core->replica().state();
  state.promised = std::max(state.promised, creation.split_child->split.version.epoch);  // no promise is taken back
  const Status put = shard_.tablets.PutState(*creation.child, state);
  LOG_IF(WARNING, !put.ok()) << "cannot store the state of tablet " << creation.child->id << ": " << put;
}

void Splitter::Create(Creation& creation) {
  ShardTablet& parent = *creation.parent->tablet;
  ShardTablet& child = *creation.child;
  const SplitChild& split_child = *creation.split_child;
  child.table = parent.table;
  child.placed_range = split_child.applied.range;
  child.handle = std::make_shared<TabletHandle>(child.id, child.table, shard_.options.index);
  child.handle->RaiseAppliedBound(split_child.applied.applied);
  // Until now the parent's heartbeats have shown the follower its primary.
  child.handle->heard_ns.store(shard_.Now().since_boot.count(), std::memory_order_relaxed);
  child.handle->may_expire.store(parent.handle->may_expire.load(std::memory_order_relaxed), std::memory_order_relaxed);
  child.core->Step(BeginChild{creation.split_child, shard_.Now()});
  parent.uncheckpointed = child.uncheckpointed = split_child.split.version.lsn;
  parent.placed_range.end = split_child.split.key;
  unlogged_.push_back(creation.split_child);
  // The child's view first, then both places at once; the parent's new view follows in this round, before the child
  // does anything.
  const auto view = child.core->CurrentView();
  shard_.tablets.Publish(child, view);
  const Status placed =
      shard_.ports.directory.Split(*parent.handle, parent.placed_range, child.handle, child.placed_range);
  CHECK(placed.ok()) << placed;
  creation.parent->output.view = parent.core->CurrentView();
  if (view->role == RoleKind::kAbsent) remover_.Begin(creation.child);  // dropped before it was created
  // Before the child's first messages leave, so that these bring its followers the entries too.
  for (AdmitWrite& write : parent.core->TakeParked()) child.core->Step(std::move(write));
  peers_.ReceiveEarly([&child](TabletId id) { return id == child.id; });
  shard_.tablets.Touch(creation.child);
  // Its followers exist by now, or soon will, because they know that the split is committed.
  for (const int ms : {10, 30, 60}) StepSoon(creation.child, std::chrono::milliseconds(ms));
}

void Splitter::StepSoon(const ShardTabletPtr& child, Duration after) {
  if (!child->core->replica().Leads()) return;
  shard_.executor().After(after, [this, weak = std::weak_ptr(child)] {
    const auto child = weak.lock();
    if (child == nullptr || child->data.leaving() || !child->core->replica().Leads()) return;
    child->core->Step(Tick{shard_.Now()});
    child->core->Step(HeartbeatDue{shard_.Now()});
    shard_.tablets.Touch(child);
  });
}

void Splitter::LogNew() {
  for (const auto& split_child : std::exchange(unlogged_, {})) {
    LOG(INFO) << "tablet " << split_child->parent << " is split at \"" << EscapeBytes(split_child->split.key)
              << "\": tablet " << split_child->split.child << " begins there"
              << (split_child->lead ? ", primary here" : "");
  }
}

}  // namespace ebla::tabletserver
