// Splits (PROTOCOL 11 to 13), as a shard has its part in them: when a tablet's core applies a SPLIT, the child's state
// is stored before the records say that it exists, parent and child change in one transaction and one step of the
// directory, and the child's core, on this same shard (common/base/family.h), goes on from there. Until a checkpoint
// has the split, neither of the two discards anything: a start could not bring the child back.
#include <glog/logging.h>

#include <utility>

#include "common/base/planted_bug.h"
#include "tabletserver/shard/shard.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

void Shard::Split(TabletId id, Epoch epoch, std::string key, TabletId child, ControlDone done) {
  ports_.executor.Post([this, id, epoch, key = std::move(key), child, done = std::move(done)]() mutable {
    if (RefuseHanded(id, done)) return;
    const auto tablet = FindOrMake(id);
    tablet->core->Step(SplitTablet{Expect(std::move(done)), epoch, std::move(key), child, ports_.executor.Now()});
    Touch(tablet);
    Pump();
  });
}

Status Shard::PrepareBirths(std::span<Taken*> taken, std::vector<ApplyBatch>& batches, std::vector<Birth>& births) {
  for (Taken* one : taken) {
    if (one->output.split == nullptr) continue;
    EBLA_TRY(PrepareBirth(*one, births));
    const BornChild& born = *births.back().born;
    ApplyBatch& batch = batches.emplace_back();
    batch.tablet = born.split.child;
    batch.table = one->tablet->table;
    batch.window.put = born.window;
    batch.state = born.applied;
  }
  return Status::Ok();
}

Status Shard::PrepareBirth(Taken& parent, std::vector<Birth>& births) {
  Birth birth{FindOrMake(parent.output.split->split.child), parent.output.split, &parent};
  if (birth.child->handle != nullptr || birth.child->core->replica().role() != RoleKind::kAbsent) {
    return Error(Code::kInternal,
                 "tablet " + std::to_string(birth.child->id.value) + " is here before it is split off");
  }
  EBLA_TRY(PutState(*birth.child, birth.child->core->StateAtBirth(*birth.born)));
  births.push_back(std::move(birth));
  return Status::Ok();
}

void Shard::GiveBirth(Birth& birth) {
  Tablet& parent = *birth.parent->tablet;
  Tablet& child = *birth.child;
  const BornChild& born = *birth.born;
  child.table = parent.table;
  child.placed_range = born.applied.range;
  child.handle = std::make_shared<TabletHandle>(child.id, child.table, options_.index);
  child.handle->RaiseAppliedBound(born.applied.applied);
  // A follower has heard of its primary through its parent, until now.
  child.handle->heard_ns.store(ports_.executor.Now().since_boot.count(), std::memory_order_relaxed);
  child.handle->may_expire.store(parent.handle->may_expire.load(std::memory_order_relaxed), std::memory_order_relaxed);
  child.core->Step(BeginChild{birth.born, ports_.executor.Now()});
  parent.uncovered = child.uncovered = born.split.version.lsn;
  parent.placed_range.end = born.split.key;
  untold_.push_back(birth.born);
  // The child's view first, then both places at once; the parent's new view follows in this round, before the child
  // does anything.
  const auto view = child.core->CurrentView();
  Publish(child, view);
  const Status placed = ports_.directory.Split(*parent.handle, parent.placed_range, child.handle, child.placed_range);
  CHECK(placed.ok()) << placed;
  birth.parent->output.view = parent.core->CurrentView();
  if (view->role == RoleKind::kAbsent) BeginRemoval(birth.child);  // dropped before it was born
  // Before the child's first messages leave, so that these bring its followers the entries too.
  for (AdmitWrite& write : parent.core->TakeParked()) child.core->Step(std::move(write));
  ReceiveEarly([&child](TabletId id) { return id == child.id; });
  Touch(birth.child);
  // Its followers are born by now, or soon: they have heard that the split is committed.
  for (const int ms : {10, 30, 60}) Nudge(birth.child, std::chrono::milliseconds(ms));
}

void Shard::Nudge(const std::shared_ptr<Tablet>& child, Duration after) {
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
bool Shard::Covered(const Tablet& tablet) {
  if (!tablet.uncovered || Planted(PlantedBug::discard_before_checkpoint)) return true;
  if (std::exchange(covering_, true)) return false;
  ports_.store.Checkpoint(ports_.executor, [this](auto result) {
    covering_ = false;
    if (!result) {
      LOG_EVERY_N(WARNING, 100) << "no checkpoint after a split, trying again: " << result.error();
      return;  // the next tick
    }
    TakeCovered(*result);
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

void Shard::TakeCovered(const TabletStore::CheckpointResult& covered) {
  for (const auto& [id, lsn] : covered) {
    const auto tablet = Find(id);
    if (tablet != nullptr && tablet->uncovered && tablet->uncovered <= lsn) tablet->uncovered = {};
  }
  TakeCoveredParts(covered);
}

}  // namespace ebla::tabletserver
