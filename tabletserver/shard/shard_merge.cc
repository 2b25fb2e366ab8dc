// Merges (PROTOCOL 10, 13, 14), as a shard has its part in them. The shard of the new tablet asks the shards of the two
// whether they are applied through their FREEZE; then both are lent to it, which nothing obeys or changes from then
// on. What the new tablet needs is stored, then, in one transaction, it has all that both had, and they have nothing;
// the directory exchanges them in one step. No record is touched.
//
//   shard of C        shard of A                 shard of B
//   Merge             AwaitPart ..ready          AwaitPart ..ready
//                     LendPart (lent_)           LendPart (lent_)
//   CommitMerge       FinishPart (parts_)        FinishPart (parts_)
//   Configure         log forgotten, once a checkpoint has the merge
#include <glog/logging.h>

#include <utility>

#include "tabletserver/shard/shard.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {
namespace {

constexpr Duration kAgain = std::chrono::milliseconds(2);
constexpr Duration kPatience = std::chrono::milliseconds(300);  // an order waits; others came with it in one request

Status BeingMerged() { return Error(Code::kComeAgain, "the tablet is being merged"); }

}  // namespace

void Shard::Freeze(TabletId id, Epoch epoch, TabletId into, ControlDone done) {
  ports_.executor.Post([this, id, epoch, into, done = std::move(done)]() mutable {
    if (RefuseLent(id, done)) return;
    const auto tablet = FindOrMake(id);
    tablet->core->Step(FreezeTablet{Expect(std::move(done)), epoch, into, ports_.executor.Now()});
    Touch(tablet);
    Pump();
  });
}

// ---- the two --------------------------------------------------------------------------------------------------------

void Shard::AwaitPart(MergedTablet part, TabletId into, std::move_only_function<void(Status)> done) {
  ports_.executor.Post([this, part = std::move(part), into, done = std::move(done)]() mutable {
    const auto tablet = Find(part.tablet);
    if (tablet == nullptr) return done(Error(Code::kNotFound, "no replica is here"));
    tablet->part_waiters.push_back({std::move(part), into, std::move(done)});
    WakeParts(*tablet);
    Touch(tablet);
    Pump();
  });
}

// Tells those that wait for nothing any more. For the others, all through FREEZE is committed: the catalog says so.
void Shard::WakeParts(Tablet& tablet) {
  for (Tablet::PartWaiter& one : std::exchange(tablet.part_waiters, {})) {
    Status status = tablet.removing ? Error(Code::kNotFound, "the replica is being removed")
                                    : tablet.core->Unready(one.part.freeze, one.into);
    if (status.code() != Code::kComeAgain) {
      one.done(std::move(status));
    } else {
      tablet.core->Step(KnownCommitted{one.part.freeze.lsn});
      tablet.part_waiters.push_back(std::move(one));
    }
  }
}

void Shard::LendPart(MergedTablet part, TabletId into, std::move_only_function<void(Result<FrozenPart>)> done) {
  ports_.executor.Post([this, part = std::move(part), into, done = std::move(done)]() mutable {
    const auto tablet = Find(part.tablet);
    if (tablet == nullptr || tablet->removing) return done(Error(Code::kNotFound, "no replica is here"));
    if (Status status = tablet->core->Unready(part.freeze, into); !status.ok())
      return done(std::unexpected(std::move(status)));
    if (tablet->core->range() != part.range) {
      return done(Error(Code::kInternal, "tablet " + std::to_string(part.tablet.value) + " is of " +
                                             tablet->core->range().ToString() + " here, not of " +
                                             part.range.ToString()));
    }
    const bool busy = tablet->background_work || tablet->dirty || tablet->core->HasOutput();
    if (busy) return done(std::unexpected(BeingMerged()));
    AbandonCopies(tablet);
    tablet->removing = true;
    lent_.emplace(tablet->id, tablet);
    tablets_.erase(tablet->id);
    done(FrozenPart{tablet->core->ExportFrozen(), tablet->handle});
  });
}

void Shard::GiveBackPart(TabletId part) {
  ports_.executor.Post([this, part] {
    const auto lent = lent_.extract(part);
    CHECK(!lent.empty());
    lent.mapped()->removing = false;
    Touch(lent.mapped());
    tablets_.emplace(part, lent.mapped());
    Pump();
  });
}

void Shard::FinishPart(TabletId part, TabletId into, Version position) {
  ports_.executor.Post([this, part, into, position] {
    const auto lent = lent_.extract(part);
    CHECK(!lent.empty());
    const std::shared_ptr<Tablet>& tablet = lent.mapped();
    tablets_.emplace(part, tablet);
    parts_.push_back({tablet, into, position.lsn});
    tablet->handle->Close();
    tablet->core->Step(BecomePart{position.epoch});
    // They find the new tablet when they look again.
    for (auto& [lsn, one] : std::exchange(tablet->awaiting, {})) EndAwaiting(std::move(one), Status::Ok());
    Touch(tablet);
    Pump();
  });
}

bool Shard::RefuseLent(TabletId id, ControlDone& done) const {
  const auto merging = mergings_.find(id);
  const bool storing = merging != mergings_.end() && merging->second->storing;
  if (!lent_.contains(id) && !storing) return false;
  ControlReply reply;
  reply.status = BeingMerged();
  done(std::move(reply));
  return true;
}

// Why a tablet is not here, to whoever found it a moment ago.
Status Shard::Gone(TabletId id) const {
  const auto is_part = [id](const Part& part) { return part.tablet->id == id; };
  if (lent_.contains(id) || std::ranges::any_of(parts_, is_part))
    return Error(Code::kComeAgain, "the tablet has just been merged");
  return Error(Code::kWrongTablet, "no replica of that part of the table is on this server");
}

// ---- their logs -----------------------------------------------------------------------------------------------------

// Not here, where clients wait, nor in the background, where orders do: a log of hundreds of MB takes a while.
void Shard::ForgetParts(const std::function<bool(TabletId part, TabletId into, Lsn position)>& covered) {
  for (const Part& part : parts_) {
    const std::shared_ptr<Tablet>& tablet = part.tablet;
    if (tablet->background_work || !covered(tablet->id, part.into, part.position)) continue;
    tablet->background_work = true;
    ports_.housekeeping.Post([this, tablet] {
      Status status = ports_.store.ForgetReplica(tablet->id);
      ports_.executor.Post([this, tablet, status = std::move(status)] { OnPartForgotten(tablet, status); });
    });
  }
}

void Shard::OnPartForgotten(const std::shared_ptr<Tablet>& tablet, const Status& status) {
  tablet->background_work = false;
  if (!status.ok()) {
    LOG_EVERY_N(WARNING, 100) << "cannot forget the log of tablet " << tablet->id << ", trying again: " << status;
    return;  // the next checkpoint
  }
  std::erase_if(parts_, [&](const Part& part) { return part.tablet == tablet; });
  Depart(*tablet);
}

// A start needs their logs until a checkpoint has what was made of them.
void Shard::DropCheckpointedParts(const TabletStore::CheckpointResult& covered) {
  if (parts_.empty()) return;
  bool late = false;
  ForgetParts([&](TabletId part, TabletId into, Lsn position) {
    if (!into) return true;  // merged before this process began its first checkpoint
    const auto merged = covered.find(into);
    // Dropped since, it tells no more which checkpoint has it: one begun now has.
    if (merged == covered.end() && !covered.contains(part)) late = true;
    return merged != covered.end() && merged->second >= position;
  });
  if (!late || std::exchange(covering_, true)) return;
  std::vector<TabletId> parts;
  for (const Part& part : parts_) parts.push_back(part.tablet->id);
  ports_.store.Checkpoint(ports_.executor, [this, parts = std::move(parts)](auto result) {
    covering_ = false;
    if (result)
      ForgetParts([&](TabletId part, TabletId, Lsn) { return std::ranges::find(parts, part) != parts.end(); });
  });
}

// ---- the new one ----------------------------------------------------------------------------------------------------

// What is said of it while nothing of it is here. Below a promise or a tombstone the order is refused as any other.
bool Shard::ToBeMerged(const Tablet& tablet, const ConfigureTablet& input) const {
  const ReplicaCore& replica = tablet.core->replica();
  return input.replica.merged && tablet.handle == nullptr && !tablet.removing && replica.role() == RoleKind::kAbsent &&
         !replica.state().tombstone;
}

void Shard::Merge(TabletId id, ConfigureTablet input, ControlDone done) {
  auto& merging = mergings_[id];
  const bool begins = merging == nullptr;
  if (begins) merging = std::make_shared<Merging>();
  AnswerMerging(*merging);  // asked again
  if (begins || input.replica.epoch >= merging->input.replica.epoch) merging->input = std::move(input);
  merging->done = std::move(done);
  ports_.executor.After(kPatience, [this, weak = std::weak_ptr(merging), order = ++merging->orders] {
    const auto merging = weak.lock();
    if (merging != nullptr && merging->orders == order) AnswerMerging(*merging);
  });
  if (begins) AskPart(id, /*right=*/false);
}

// It goes on by itself, and the master asks again.
void Shard::AnswerMerging(Merging& merging) {
  if (!merging.done) return;
  ControlReply reply;
  reply.status = BeingMerged();
  std::exchange(merging.done, nullptr)(std::move(reply));
}

void Shard::AskPart(TabletId id, bool right) {
  const MergedTablet part = mergings_.at(id)->part(right);
  ports_.shard_of(part.tablet).AwaitPart(part, id, [this, id, right](Status status) {
    ports_.executor.Post([this, id, right, status = std::move(status)] {
      if (!status.ok()) return AbandonMerge(id, status);
      if (!right) return AskPart(id, true);
      TakePart(id, false);
    });
  });
}

void Shard::TakePart(TabletId id, bool right) {
  const MergedTablet part = mergings_.at(id)->part(right);
  ports_.shard_of(part.tablet).LendPart(part, id, [this, id, right](Result<FrozenPart> lent) mutable {
    ports_.executor.Post([this, id, right, lent = std::move(lent)]() mutable {
      Merging& merging = *mergings_.at(id);
      if (!lent && lent.error().code() == Code::kComeAgain) {  // busy for a moment
        ports_.executor.After(kAgain, [this, id, right] { TakePart(id, right); });
      } else if (!lent) {
        AbandonMerge(id, lent.error());
      } else {
        (right ? merging.right : merging.left) = *std::move(lent);
        if (right) return CommitMerge(id);
        TakePart(id, true);
      }
    });
  });
}

// It is made as any voter that is missing, then, once nothing of the two stands in its way.
void Shard::AbandonMerge(TabletId id, const Status& why) {
  const auto merging = mergings_.extract(id).mapped();
  for (const auto& part : {merging->left, merging->right}) {
    if (part) ports_.shard_of(part->tablet.tablet).GiveBackPart(part->tablet.tablet);
  }
  LOG_EVERY_N(WARNING, 20) << "tablet " << id << " cannot be made here of the two that it was merged of: " << why;
  if (!merging->done) return;
  ConfigureTablet input = std::move(merging->input);
  input.replica.merged.reset();
  ConfigureHere(id, std::move(input), std::move(merging->done));
}

void Shard::CommitMerge(TabletId id) {
  const std::shared_ptr<Merging> merging = mergings_.at(id);
  const auto tablet = FindOrMake(id);
  if (!ToBeMerged(*tablet, merging->input))
    return AbandonMerge(id, Error(Code::kStaleEpoch, "it was dropped meanwhile"));
  const FrozenPart &left = *merging->left, &right = *merging->right;
  const auto merge_result = std::make_shared<const MergeResult>(
      MergeFrozen(left.tablet, right.tablet, merging->merged(), ports_.executor.Now()));
  for (const FrozenPart* part : {&left, &right}) part->handle->BecomePart();
  if (Status status = StoreMerge(*tablet, *merge_result, left.tablet, right.tablet); !status.ok()) {
    // Nothing but this goes on with the three, or a crash.
    merging->storing = true;
    LOG_EVERY_N(WARNING, 100) << "cannot store the merge to tablet " << id << ", trying again: " << status;
    ports_.executor.After(kAgain * 10, [this, id] {
      mergings_.at(id)->storing = false;
      CommitMerge(id);
    });
    return;
  }
  CreateMerged(tablet, merge_result, left, right);
  mergings_.erase(id);
  // The first view of it says who leads.
  if (merging->done) ConfigureHere(id, std::move(merging->input), std::move(merging->done));
  Publish(*tablet, tablet->core->CurrentView());
  const Status placed = ports_.directory.Merge(*left.handle, *right.handle, tablet->handle, tablet->placed_range);
  CHECK(placed.ok()) << placed;
  for (const FrozenPart* part : {&left, &right}) {
    ports_.shard_of(part->tablet.tablet).FinishPart(part->tablet.tablet, id, merge_result->merged.position);
  }
}

// In this order: the tombstones of the two without the new one's state would be the end of what they had.
Status Shard::StoreMerge(Tablet& tablet, const MergeResult& merge_result, const FrozenTablet& left,
                         const FrozenTablet& right) {
  EBLA_TRY(PutState(tablet, tablet.core->StateAtMerge(merge_result)));
  std::vector<ApplyBatch> batches(3);
  batches[0].tablet = tablet.id;
  batches[0].dedup_window.put = merge_result.dedup_window;
  batches[0].state = merge_result.applied;
  batches[1].tablet = left.tablet;
  batches[2].tablet = right.tablet;
  for (const FrozenTablet* part : {&left, &right}) {
    EBLA_TRY(ports_.store.PutReplicaState(part->tablet, StateAsPart(part->state, merge_result.merged)));
  }
  for (ApplyBatch& batch : batches) {
    batch.table = merge_result.schema->table;
    batch.forget = batch.tablet != tablet.id;
  }
  return ports_.store.Apply(batches);
}

void Shard::CreateMerged(const std::shared_ptr<Tablet>& tablet, const std::shared_ptr<const MergeResult>& merge_result,
                         const FrozenPart& left, const FrozenPart& right) {
  LOG(INFO) << "tablets " << left.tablet.tablet << " and " << right.tablet.tablet << " are one: tablet " << tablet->id
            << " " << merge_result->applied.range;
  constexpr auto relaxed = std::memory_order_relaxed;
  tablet->table = merge_result->schema->table;
  tablet->placed_range = merge_result->applied.range;
  tablet->handle = std::make_shared<TabletHandle>(tablet->id, tablet->table, options_.index);
  TabletHandle& handle = *tablet->handle;
  handle.RaiseAppliedBound(merge_result->applied.applied);
  handle.heard_ns.store(ports_.executor.Now().since_boot.count(), relaxed);  // its primary begins now
  handle.may_expire.store(true, relaxed);  // a pass over either may have been under way
  handle.size_bytes.store(left.handle->size_bytes.load(relaxed) + right.handle->size_bytes.load(relaxed), relaxed);
  handle.records.store(left.handle->records.load(relaxed) + right.handle->records.load(relaxed), relaxed);
  tablet->core->Step(BeginMerged{merge_result, ports_.executor.Now()});
  tablet->uncheckpointed = merge_result->merged.position.lsn;
  Touch(tablet);
}

}  // namespace ebla::tabletserver
