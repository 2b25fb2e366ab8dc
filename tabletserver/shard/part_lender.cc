#include "tabletserver/shard/part_lender.h"

#include <glog/logging.h>

#include <algorithm>
#include <string>
#include <utility>

#include "tabletserver/shard/copy_target.h"
#include "tabletserver/shard/lineage_checkpoints.h"
#include "tabletserver/shard/outgoing_copies.h"
#include "tabletserver/shard/read_waiters.h"
#include "tabletserver/shard/shard_tablets.h"

namespace ebla::tabletserver {

// ---- what the new tablet's shard asks -------------------------------------------------------------------------------

void PartLender::Await(MergedTablet part, TabletId into, std::move_only_function<void(Status)> done) {
  shard_.executor().Post([this, part = std::move(part), into, done = std::move(done)]() mutable {
    const auto tablet = shard_.tablets.Find(part.tablet);
    if (tablet == nullptr) return done(Error(Code::kNotFound, "no replica is here"));
    waiters_.push_back({std::move(part), into, std::move(done)});
    Wake(*tablet);
    shard_.tablets.Touch(tablet);
  });
}

// For those that wait on, all through FREEZE is committed: the catalog says so.
void PartLender::Wake(ShardTablet& tablet) {
  if (waiters_.empty()) return;
  for (Waiter& one : std::exchange(waiters_, {})) {
    if (one.part.tablet != tablet.id) {
      waiters_.push_back(std::move(one));
      continue;
    }
    Status status = tablet.data.leaving() ? Error(Code::kNotFound, "the replica is being removed")
                                          : tablet.core->freeze().Unready(one.part.freeze, one.into);
    if (status.code() != Code::kComeAgain) {
      one.done(std::move(status));
    } else {
      tablet.core->Step(KnownCommitted{one.part.freeze.lsn});
      waiters_.push_back(std::move(one));
    }
  }
}

void PartLender::Lend(MergedTablet part, TabletId into, std::move_only_function<void(Result<FrozenPart>)> done) {
  shard_.executor().Post([this, part = std::move(part), into, done = std::move(done)]() mutable {
    const auto tablet = shard_.tablets.FindStaying(part.tablet);
    if (tablet == nullptr) return done(Error(Code::kNotFound, "no replica is here"));
    if (Status status = tablet->core->freeze().Unready(part.freeze, into); !status.ok())
      return done(std::unexpected(std::move(status)));
    if (tablet->core->applied_state().range != part.range) {
      return done(Error(Code::kInternal, "tablet " + std::to_string(part.tablet.value) + " is of " +
                                             tablet->core->applied_state().range.ToString() + " here, not of " +
                                             part.range.ToString()));
    }
    const bool busy = !tablet->data.quiet() || tablet->touched || tablet->core->HasOutput();
    if (busy) return done(Error(Code::kComeAgain, "the tablet is busy for a moment"));
    parts_.outgoing_copies.CancelAll(tablet->id);
    parts_.copy_target.Abandon(*tablet);
    shard_.tablets.Lend(tablet);
    done(FrozenPart{tablet->core->freeze().Export(), tablet->handle});
  });
}

void PartLender::GiveBack(TabletId part) {
  shard_.executor().Post(
      [this, part] { shard_.tablets.Touch(shard_.tablets.EndLoan(part, DataState::Event::kGiveBack)); });
}

void PartLender::Finish(TabletId part, TabletId into, Version position) {
  shard_.executor().Post([this, part, into, position] {
    const ShardTabletPtr tablet = shard_.tablets.EndLoan(part, DataState::Event::kBecomePart);
    merged_.push_back({tablet, into, position.lsn});
    tablet->handle->Close();
    tablet->core->Step(BecomePart{position.epoch});
    parts_.reads.WakeAll(*tablet, Status::Ok());  // they find the new tablet when they look again
    shard_.tablets.Touch(tablet);
  });
}

// ---- their logs -----------------------------------------------------------------------------------------------------

void PartLender::AddRecovered(const ShardTabletPtr& tablet) {
  shard_.tablets.Pass(*tablet, DataState::Event::kBecomePart);
  shard_.tablets.Add(tablet);
  merged_.push_back({tablet, {}, {}});
}

// Not here, where clients wait, nor in the background, where orders do: a log of hundreds of MB takes a while.
void PartLender::ForgetIf(const std::function<bool(const Merged&)>& covered) {
  for (const Merged& one : merged_) {
    const ShardTabletPtr& tablet = one.tablet;
    if (tablet->data.state() != DataState::State::kPart || !covered(one)) continue;
    shard_.tablets.Pass(*tablet, DataState::Event::kForgetLog);
    shard_.ports.housekeeping.Post([this, tablet] {
      Status status = shard_.store().ForgetReplica(tablet->id);
      shard_.executor().Post([this, tablet, status = std::move(status)] { OnForgotten(tablet, status); });
    });
  }
}

void PartLender::OnForgotten(const ShardTabletPtr& tablet, const Status& status) {
  if (!status.ok()) {
    shard_.tablets.Pass(*tablet, DataState::Event::kFail);
    LOG_EVERY_N(WARNING, 100) << "cannot forget the log of tablet " << tablet->id << ", trying again: " << status;
    return;  // the next checkpoint
  }
  std::erase_if(merged_, [&](const Merged& one) { return one.tablet == tablet; });
  shard_.tablets.Depart(*tablet);
}

void PartLender::ForgetInMemory() {
  ForgetIf([this](const Merged& one) { return shard_.store().InMemory(one.tablet->table); });
}

void PartLender::ForgetCheckpointed(const TabletStore::CheckpointResult& covered) {
  if (merged_.empty()) return;
  bool late = false;
  ForgetIf([&](const Merged& one) {
    if (!one.into) return true;  // merged before this process began its first checkpoint
    const auto into = covered.find(one.into);
    // Dropped since, it tells no more which checkpoint has it: one begun now has.
    if (into == covered.end() && !covered.contains(one.tablet->id)) late = true;
    return into != covered.end() && into->second >= one.position;
  });
  if (!late) return;
  std::vector<TabletId> begun;
  for (const Merged& one : merged_) begun.push_back(one.tablet->id);
  parts_.checkpoints.Take([this, begun = std::move(begun)](const auto& result) {
    if (!result) return;
    ForgetIf([&](const Merged& one) { return std::ranges::find(begun, one.tablet->id) != begun.end(); });
  });
}

}  // namespace ebla::tabletserver
