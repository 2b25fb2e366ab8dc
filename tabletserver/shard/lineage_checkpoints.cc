#include "tabletserver/shard/lineage_checkpoints.h"

#include <glog/logging.h>

#include <utility>

#include "tabletserver/shard/copy_target.h"
#include "tabletserver/shard/part_lender.h"
#include "tabletserver/shard/remover.h"
#include "tabletserver/shard/shard_tablets.h"
#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {

bool LineageCheckpoints::Cover(const ShardTablet& tablet) {
  if (!tablet.uncheckpointed || shard_.store().InMemory(tablet.table) || !rules::DiscardWaitsForCheckpoint())
    return true;
  Take([this](const auto& result) {
    if (!result) {
      LOG_EVERY_N(WARNING, 100) << "no checkpoint after a split, trying again: " << result.error();
      return;  // the next tick
    }
    OnCheckpointed(*result);
    parts_.copy_target.Continue();
    parts_.remover.Continue();
  });
  return false;
}

void LineageCheckpoints::OnCheckpointed(const TabletStore::CheckpointResult& covered) {
  for (const auto& [id, lsn] : covered) {
    const auto tablet = shard_.tablets.Find(id);
    if (tablet != nullptr && tablet->uncheckpointed && tablet->uncheckpointed <= lsn) tablet->uncheckpointed = {};
  }
  parts_.part_lender.ForgetCheckpointed(covered);
}

void LineageCheckpoints::OnTruncatedInMemory() { parts_.part_lender.ForgetInMemory(); }

void LineageCheckpoints::Take(std::move_only_function<void(const Result<TabletStore::CheckpointResult>&)> done) {
  if (std::exchange(under_way_, true)) return;
  shard_.store().Checkpoint(shard_.executor(), [this, done = std::move(done)](const auto& result) mutable {
    under_way_ = false;
    done(result);
  });
}

}  // namespace ebla::tabletserver
