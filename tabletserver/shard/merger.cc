#include "tabletserver/shard/merger.h"

#include <glog/logging.h>

#include <utility>
#include <vector>

#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/shard/shard_tablets.h"
#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {
namespace {

constexpr Duration kAgain = std::chrono::milliseconds(2);
constexpr Duration kPatience = std::chrono::milliseconds(300);  // an order waits, and so do all orders of its request

}  // namespace

bool Merger::Makes(const ShardTablet& tablet, const ConfigureTablet& input) {
  const ReplicaCore& replica = tablet.core->replica();
  return input.replica.merged && tablet.handle == nullptr && !tablet.data.leaving() &&
         replica.role() == RoleKind::kAbsent && !replica.state().tombstone;
}

Status Merger::CheckPromise(const ShardTablet& tablet, const ConfigureTablet& input) {
  const Epoch promised = tablet.core->replica().state().promised;
  if (input.replica.epoch >= promised || !rules::MergeHonoursPromise()) return {};
  return Error(Code::kStaleEpoch, "epoch " + std::to_string(promised.value) +
                                      " of the tablet is promised already, and it is not made for an earlier one");
}

void Merger::Merge(TabletId id, ConfigureTablet input, Done done) {
  auto& merging = mergings_[id];
  const bool begins = merging == nullptr;
  if (begins) merging = std::make_shared<Merging>();
  Answer(*merging, std::nullopt);  // asked again
  if (begins || input.replica.epoch >= merging->input.replica.epoch) merging->input = std::move(input);
  merging->done = std::move(done);
  shard_.executor().After(kPatience, [weak = std::weak_ptr(merging), order = ++merging->orders] {
    const auto merging = weak.lock();
    if (merging != nullptr && merging->orders == order) Answer(*merging, std::nullopt);
  });
  if (begins) AwaitPart(id, /*right=*/false);
}

void Merger::Answer(Merging& merging, std::optional<ConfigureTablet> input) {
  if (merging.done) std::exchange(merging.done, nullptr)(std::move(input));
}

// ---- the two --------------------------------------------------------------------------------------------------------

void Merger::AwaitPart(TabletId id, bool right) {
  const MergedTablet part = mergings_.at(id)->part(right);
  shard_.ports.part_lender_of(part.tablet).Await(part, id, [this, id, right](Status status) {
    shard_.executor().Post([this, id, right, status = std::move(status)] {
      if (!status.ok()) return Abandon(id, status);
      if (!right) return AwaitPart(id, true);
      TakePart(id, false);
    });
  });
}

void Merger::TakePart(TabletId id, bool right) {
  const MergedTablet part = mergings_.at(id)->part(right);
  shard_.ports.part_lender_of(part.tablet).Lend(part, id, [this, id, right](Result<FrozenPart> lent) mutable {
    shard_.executor().Post([this, id, right, lent = std::move(lent)]() mutable {
      Merging& merging = *mergings_.at(id);
      if (!lent && lent.error().code() == Code::kComeAgain) {  // busy for a moment
        shard_.executor().After(kAgain, [this, id, right] { TakePart(id, right); });
      } else if (!lent) {
        Abandon(id, lent.error());
      } else {
        (right ? merging.right : merging.left) = *std::move(lent);
        if (right) return Commit(id);
        TakePart(id, true);
      }
    });
  });
}

// The master then creates the tablet like any missing voter, once neither of the two occupies its place.
void Merger::Abandon(TabletId id, const Status& why, bool merge_failed) {
  const auto merging = mergings_.extract(id).mapped();
  for (const auto& part : {merging->left, merging->right}) {
    if (part) shard_.ports.part_lender_of(part->tablet.tablet).GiveBack(part->tablet.tablet);
  }
  LOG_EVERY_N(WARNING, 20) << "tablet " << id << " cannot be made here from the two tablets that were merged: " << why;
  if (!merge_failed) return Answer(*merging, std::nullopt);
  merging->input.replica.merged.reset();
  Answer(*merging, std::move(merging->input));
}

// ---- the new one ----------------------------------------------------------------------------------------------------

void Merger::Commit(TabletId id) {
  const std::shared_ptr<Merging> merging = mergings_.at(id);
  const auto tablet = shard_.tablets.FindOrMake(id);
  if (tablet->data.state() != DataState::State::kStoringMerge) {
    if (!Makes(*tablet, merging->input)) return Abandon(id, Error(Code::kStaleEpoch, "it was dropped meanwhile"));
    Status may = CheckPromise(*tablet, merging->input);
    if (may.ok() && merging->input.check_term) may = merging->input.check_term();
    if (!may.ok()) return Abandon(id, may, /*merge_failed=*/false);
    // A round that is due may store an older state, such as a promise, over the merged state.
    if (tablet->touched) {
      shard_.executor().After(kAgain, [this, id] { Commit(id); });
      return;
    }
    shard_.tablets.Pass(*tablet, DataState::Event::kStoreMerge);
  }
  const FrozenPart &left = *merging->left, &right = *merging->right;
  const auto result =
      std::make_shared<const MergeResult>(MergeFrozen(left.tablet, right.tablet, merging->merged(), shard_.Now()));
  for (const FrozenPart* part : {&left, &right}) part->handle->BecomePart();
  if (Status status = Store(*tablet, *result, left.tablet, right.tablet); !status.ok()) {
    LOG_EVERY_N(WARNING, 100) << "cannot store the merge to tablet " << id << ", trying again: " << status;
    shard_.executor().After(kAgain * 10, [this, id] { Commit(id); });
    return;
  }
  shard_.tablets.Pass(*tablet, DataState::Event::kFinish);
  Create(tablet, result, left, right);
  mergings_.erase(id);
  // The tablet's first view names its primary.
  Answer(*merging, std::move(merging->input));
  shard_.tablets.Publish(*tablet, tablet->core->CurrentView());
  const Status placed = shard_.ports.directory.Merge(*left.handle, *right.handle, tablet->handle, tablet->placed_range);
  CHECK(placed.ok()) << placed;
  for (const FrozenPart* part : {&left, &right}) {
    shard_.ports.part_lender_of(part->tablet.tablet).Finish(part->tablet.tablet, id, result->merged.position);
  }
}

Status Merger::Store(ShardTablet& tablet, const MergeResult& result, const FrozenTablet& left,
                     const FrozenTablet& right) {
  EBLA_TRY(shard_.tablets.PutState(tablet, tablet.core->StateAtMerge(result)));
  std::vector<ApplyBatch> batches(3);
  batches[0].tablet = tablet.id;
  batches[0].dedup_window.put = result.dedup_window;
  batches[0].state = result.applied;
  batches[1].tablet = left.tablet;
  batches[2].tablet = right.tablet;
  for (const FrozenTablet* part : {&left, &right}) {
    EBLA_TRY(shard_.store().PutReplicaState(part->tablet, StateAsPart(part->state, result.merged)));
  }
  for (ApplyBatch& batch : batches) {
    batch.table = result.schema->table;
    batch.forget = batch.tablet != tablet.id;
  }
  return shard_.store().Apply(batches);
}

void Merger::Create(const ShardTabletPtr& tablet, const std::shared_ptr<const MergeResult>& result,
                    const FrozenPart& left, const FrozenPart& right) {
  LOG(INFO) << "tablets " << left.tablet.tablet << " and " << right.tablet.tablet << " are merged: tablet "
            << tablet->id << " " << result->applied.range;
  constexpr auto relaxed = std::memory_order_relaxed;
  tablet->table = result->schema->table;
  tablet->placed_range = result->applied.range;
  tablet->handle = std::make_shared<TabletHandle>(tablet->id, tablet->table, shard_.options.index);
  TabletHandle& handle = *tablet->handle;
  handle.RaiseAppliedBound(result->applied.applied);
  handle.heard_ns.store(shard_.Now().since_boot.count(), relaxed);  // its primary begins now
  handle.may_expire.store(true, relaxed);                           // a pass over either may have been under way
  handle.size_bytes.store(left.handle->size_bytes.load(relaxed) + right.handle->size_bytes.load(relaxed), relaxed);
  handle.records.store(left.handle->records.load(relaxed) + right.handle->records.load(relaxed), relaxed);
  tablet->uncheckpointed = result->merged.position.lsn;
  shard_.tablets.Step(tablet, BeginMerged{result, shard_.Now()});
}

}  // namespace ebla::tabletserver
