#include "tabletserver/shard/remover.h"

#include <glog/logging.h>

#include <utility>

#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/shard/copy_target.h"
#include "tabletserver/shard/lineage_checkpoints.h"
#include "tabletserver/shard/outgoing_copies.h"
#include "tabletserver/shard/part_lender.h"
#include "tabletserver/shard/read_waiters.h"
#include "tabletserver/shard/shard_tablets.h"

namespace ebla::tabletserver {

void Remover::Begin(const ShardTabletPtr& tablet) {
  shard_.tablets.Pass(*tablet, DataState::Event::kDrop);
  parts_.outgoing_copies.CancelAll(tablet->id);
  parts_.copy_target.Abandon(*tablet);
  tablet->handle->Close();
  parts_.reads.WakeAll(*tablet, Error(Code::kWrongTablet, "the replica was dropped"));
  parts_.part_lender.Wake(*tablet);
  reading_.push_back(tablet);
  shard_.executor().Post([this] { Continue(); });
}

void Remover::Continue() {
  for (const ShardTabletPtr& tablet : reading_) {
    const bool waits = tablet->data.state() == DataState::State::kDropped;
    if (!waits || !tablet->handle->ReadersGone() || !parts_.checkpoints.Cover(*tablet)) continue;
    shard_.tablets.Pass(*tablet, DataState::Event::kTruncate);
    shard_.ports.background.Post([this, tablet] {
      Status status = shard_.store().TruncateRange(tablet->table, tablet->placed_range);
      if (status.ok()) status = shard_.store().ForgetReplica(tablet->id);
      shard_.executor().Post([this, tablet, status = std::move(status)] { OnTruncated(tablet, status); });
    });
  }
  if (!truncated_.empty() && !checkpointing_) Checkpoint();
}

void Remover::OnTruncated(const ShardTabletPtr& tablet, const Status& status) {
  shard_.tablets.Pass(*tablet, status.ok() ? DataState::Event::kFinish : DataState::Event::kFail);
  if (!status.ok()) {
    LOG_EVERY_N(WARNING, 100) << "cannot remove what is left of tablet " << tablet->id << ", trying again: " << status;
    return;  // the next tick
  }
  std::erase(reading_, tablet);
  truncated_.push_back(tablet);
  if (!checkpointing_) Checkpoint();
}

void Remover::Checkpoint() {
  checkpointing_ = true;
  shard_.store().Checkpoint(shard_.executor(), [this, covered = std::exchange(truncated_, {})](auto result) {
    checkpointing_ = false;
    for (const ShardTabletPtr& tablet : covered) {
      if (!result) {
        truncated_.push_back(tablet);
        continue;
      }
      shard_.ports.directory.Remove(*tablet->handle);
      shard_.tablets.Depart(*tablet);
      LOG(INFO) << "tablet " << tablet->id << " is gone from this server";
    }
    if (!result) {
      LOG_EVERY_N(WARNING, 100) << "no checkpoint after a drop, trying again: " << result.error();
    }
  });
}

}  // namespace ebla::tabletserver
