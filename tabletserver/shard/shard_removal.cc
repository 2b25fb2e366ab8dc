// What a drop leaves behind: once nobody reads it any more its range is truncated, its rows and log are forgotten, and
// its place stays taken until a checkpoint begun after that is done (PROTOCOL 8, 10): else a crash would bring the old
// records back under a newer replica of the same range.
#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/shard/shard.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

void Shard::BeginRemoval(const std::shared_ptr<Tablet>& tablet) {
  tablet->removing = true;
  AbandonCopies(tablet);
  tablet->handle->Close();
  for (auto& [lsn, one] : std::exchange(tablet->awaiting, {})) {
    EndAwaiting(std::move(one), Error(Code::kWrongTablet, "the replica was dropped"));
  }
  WakeParts(*tablet);
  removals_.push_back(tablet);
  ports_.executor.Post([this] { ContinueRemovals(); });
}

void Shard::ContinueRemovals() {
  for (const std::shared_ptr<Tablet>& tablet : removals_) {
    if (tablet->background_work || !tablet->handle->ReadersGone() || !SplitIsCheckpointed(*tablet)) continue;
    tablet->background_work = true;
    ports_.background.Post([this, tablet] {
      Status status = ports_.store.TruncateRange(tablet->table, tablet->placed_range);
      if (status.ok()) status = ports_.store.ForgetReplica(tablet->id);
      ports_.executor.Post([this, tablet, status = std::move(status)] { OnTruncated(tablet, status); });
    });
  }
  if (!removed_.empty() && !checkpointing_) CheckpointRemovals();
}

void Shard::OnTruncated(const std::shared_ptr<Tablet>& tablet, const Status& status) {
  tablet->background_work = false;
  if (!status.ok()) {
    LOG_EVERY_N(WARNING, 100) << "cannot remove what is left of tablet " << tablet->id << ", trying again: " << status;
    return;  // the next tick
  }
  std::erase(removals_, tablet);
  removed_.push_back(tablet);
  if (!checkpointing_) CheckpointRemovals();
}

void Shard::CheckpointRemovals() {
  checkpointing_ = true;
  ports_.store.Checkpoint(ports_.executor, [this, covered = std::exchange(removed_, {})](auto result) {
    checkpointing_ = false;
    for (const std::shared_ptr<Tablet>& tablet : covered) {
      if (!result) {
        removed_.push_back(tablet);
        continue;
      }
      ports_.directory.Remove(*tablet->handle);
      Depart(*tablet);
      LOG(INFO) << "tablet " << tablet->id << " is gone from this server";
    }
    if (!result) {
      LOG_EVERY_N(WARNING, 100) << "no checkpoint after a drop, trying again: " << result.error();
    }
  });
}

// Nothing is left of it but its state.
void Shard::Depart(Tablet& tablet) {
  tablet.core->Step(ReplicaForgotten{});
  CountUnapplied(tablet);  // what was never applied is no burden any more
  departed_[tablet.id] = tablet.core->replica().state();
  tablets_.erase(tablet.id);
}

}  // namespace ebla::tabletserver
