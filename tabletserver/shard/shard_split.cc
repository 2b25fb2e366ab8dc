// Splits (PROTOCOL 11 to 13), as a shard has its part in them: when a tablet's core applies a SPLIT, the child's state
// is stored before the records say that it exists, parent and child change in one transaction and one step of the
// directory, and the child's core, on this same shard (common/base/lineage.h), goes on from there. Until a checkpoint
// has the split, neither of the two discards anything: a start could not bring the child back.
#include <glog/logging.h>

#include <utility>

#include "common/base/planted_bug.h"
#include "tabletserver/shard/shard.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

void Shard::Split(TabletId id, Epoch epoch, std::string key, TabletId child, ControlDone done) {
  ports_.executor.Post([this, id, epoch, key = std::move(key), child, done = std::move(done)]() mutable {
    if (RefuseLent(id, done)) return;
    const auto tablet = FindOrMake(id);
    tablet->core->Step(SplitTablet{Expect(std::move(done)), epoch, std::move(key), child, ports_.executor.Now()});
    Touch(tablet);
    Pump();
  });
}

Status Shard::PrepareChildren(std::span<Taken*> taken, std::vector<ApplyBatch>& batches,
                              std::vector<ChildCreation>& creations) {
  for (Taken* one : taken) {
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

Status Shard::PrepareChild(Taken& parent, std::vector<ChildCreation>& creations) {
  ChildCreation creation{FindOrMake(parent.output.split->split.child), parent.output.split, &parent};
  if (creation.child->handle != nullptr || creation.child->core->replica().role() != RoleKind::kAbsent) {
    return Error(Code::kInternal,
                 "tablet " + std::to_string(creation.child->id.value) + " is here before it is split off");
  }
  EBLA_TRY(PutState(*creation.child, creation.child->core->StateAtCreation(*creation.split_child)));
  creations.push_back(std::move(creation));
  return Status::Ok();
}

void Shard::CreateChild(ChildCreation& creation) {
  Tablet& parent = *creation.parent->tablet;
  Tablet& child = *creation.child;
  const SplitChild& split_child = *creation.split_child;
  child.table = parent.table;
  child.placed_range = split_child.applied.range;
  child.handle = std::make_shared<TabletHandle>(child.id, child.table, options_.index);
  child.handle->RaiseAppliedBound(split_child.applied.applied);
  // A follower has heard of its primary through its parent, until now.
  child.handle->heard_ns.store(ports_.executor.Now().since_boot.count(), std::memory_order_relaxed);
  child.handle->may_expire.store(parent.handle->may_expire.load(std::memory_order_relaxed), std::memory_order_relaxed);
  child.core->Step(BeginChild{creation.split_child, ports_.executor.Now()});
  parent.uncheckpointed = child.uncheckpointed = split_child.split.version.lsn;
  parent.placed_range.end = split_child.split.key;
  unlogged_splits_.push_back(creation.split_child);
  // The child's view first, then both places at once; the parent's new view follows in this round, before the child
  // does anything.
  const auto view = child.core->CurrentView();
  Publish(child, view);
  const Status placed = ports_.directory.Split(*parent.handle, parent.placed_range, child.handle, child.placed_range);
  CHECK(placed.ok()) << placed;
  creation.parent->output.view = parent.core->CurrentView();
  if (view->role == RoleKind::kAbsent) BeginRemoval(creation.child);  // dropped before it was created
  // Before the child's first messages leave, so that these bring its followers the entries too.
  for (AdmitWrite& write : parent.core->TakeParked()) child.core->Step(std::move(write));
  ReceiveEarly([&child](TabletId id) { return id == child.id; });
  Touch(creation.child);
  // Its followers are created by now, or soon: they have heard that the split is committed.
  for (const int ms : {10, 30, 60}) TouchSoon(creation.child, std::chrono::milliseconds(ms));
}

void Shard::TouchSoon(const std::shared_ptr<Tablet>& child, Duration after) {
  if (!child->core->replica().Leads()) return;
  ports_.executor.After(after, [this, weak = std::weak_ptr(child)] {
    const auto child = weak.lock();
    if (child == nullptr || child->removing || !child->core->replica().Leads()) return;
    child->core->Step(Tick{ports_.executor.Now()});
    child->core->Step(HeartbeatDue{ports_.executor.Now()});
    Touch(child);
    Pump();
  });
}

// Whether what the tablet has may be discarded; else a checkpoint is taken, and whoever waits is looked at again.
bool Shard::SplitIsCheckpointed(const Tablet& tablet) {
  if (!tablet.uncheckpointed || Planted(PlantedBug::discard_before_checkpoint)) return true;
  if (std::exchange(covering_, true)) return false;
  ports_.store.Checkpoint(ports_.executor, [this](auto result) {
    covering_ = false;
    if (!result) {
      LOG_EVERY_N(WARNING, 100) << "no checkpoint after a split, trying again: " << result.error();
      return;  // the next tick
    }
    OnCheckpointed(*result);
    ContinuePreparations();
    ContinueRemovals();
  });
  return false;
}

// Once its applied state is discarded, a start gives the replica the place that its state names: that must not be the
// range that it had before it was split, where others are by now. False: it is on its way to the disk; the next tick
// looks again.
bool Shard::KeepsPlace(const std::shared_ptr<Tablet>& tablet) {
  if (tablet->core->replica().KeepsPlace(tablet->placed_range) || Planted(PlantedBug::place_of_before_split))
    return true;
  tablet->core->Step(KeepPlace{tablet->placed_range});
  Touch(tablet);
  return false;
}

void Shard::OnCheckpointed(const TabletStore::CheckpointResult& covered) {
  for (const auto& [id, lsn] : covered) {
    const auto tablet = Find(id);
    if (tablet != nullptr && tablet->uncheckpointed && tablet->uncheckpointed <= lsn) tablet->uncheckpointed = {};
  }
  DropCheckpointedParts(covered);
}

}  // namespace ebla::tabletserver
