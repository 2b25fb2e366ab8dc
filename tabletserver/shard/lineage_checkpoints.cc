#include "tabletserver/shard/lineage_checkpoints.h"

#include <glog/logging.h>

#include <utility>

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
    shard_.tablets.LookAgain();
  });
  return false;
}

void LineageCheckpoints::OnCheckpointed(Covered covered) {
  for (const auto& [id, lsn] : covered) {
    const auto tablet = shard_.tablets.Find(id);
    if (tablet != nullptr && tablet->uncheckpointed && tablet->uncheckpointed <= lsn) tablet->uncheckpointed = {};
  }
  finished_.push_back(std::move(covered));
  shard_.tablets.WantRounds();
}

void LineageCheckpoints::Take(std::move_only_function<void(const Result<Covered>&)> done) {
  if (std::exchange(under_way_, true)) return;
  shard_.store().Checkpoint(shard_.executor(), [this, done = std::move(done)](const auto& result) mutable {
    under_way_ = false;
    done(result);
  });
}

}  // namespace ebla::tabletserver
