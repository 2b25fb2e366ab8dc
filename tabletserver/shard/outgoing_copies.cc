#include "tabletserver/shard/outgoing_copies.h"

#include <glog/logging.h>

#include <utility>

#include "tabletserver/shard/peer_exchange.h"
#include "tabletserver/shard/shard_tablets.h"
#include "tabletserver/transport/copy_source.h"

namespace ebla::tabletserver {

void OutgoingCopies::Begin(const ShardTabletPtr& tablet, const std::vector<StartCopy>& copies) {
  CancelOutdated(*tablet);
  for (const StartCopy& start : copies) {
    const TabletCore& core = *tablet->core;
    CHECK(core.applied_state().applied == start.start) << "the copy begins at " << start.start;
    const auto told = [this, id = tablet->id, peer = start.peer, copy = start.id](CopyNews::Kind kind) {
      shard_.executor().Post([this, id, peer, copy, kind] { OnNews(id, peer, copy, kind); });
    };
    if (const auto of_tablet = copies_.find(tablet->id); of_tablet != copies_.end()) {
      if (const auto before = of_tablet->second.find(start.peer); before != of_tablet->second.end()) {
        before->second.source->Cancel();
        Erase(tablet->id, start.peer, before->second.id);
      }
    }
    idl::PeerHeader header;
    auto peer = peers_.Stub(start.peer, header);
    if (peer == nullptr) {
      told(CopyNews::Kind::kFailed);  // its address is unknown
      continue;
    }
    CopyOrder order{tablet->id,           tablet->table,    start,
                    core.applied_state(), core.DedupRows(), core.replica().state().schema};
    auto source = CopySource::Begin(
        {shard_.ports.background, shard_.store(), shard_.ports.copy_throttle, std::move(peer), std::move(header)},
        std::move(order), told, shard_.options.copy);
    copies_[tablet->id].emplace(start.peer, Outgoing{start.epoch, start.id, std::move(source)});
  }
}

void OutgoingCopies::CancelOutdated(const ShardTablet& tablet) {
  if (copies_.empty()) return;
  const auto of_tablet = copies_.find(tablet.id);
  if (of_tablet == copies_.end()) return;
  const ReplicaCore& replica = tablet.core->replica();
  std::erase_if(of_tablet->second, [&](const auto& copy) {
    if (replica.Leads() && copy.second.epoch == replica.epoch()) return false;
    copy.second.source->Cancel();
    return true;
  });
  if (of_tablet->second.empty()) copies_.erase(of_tablet);
}

void OutgoingCopies::CancelAll(TabletId tablet) {
  const auto of_tablet = copies_.extract(tablet);
  if (of_tablet.empty()) return;
  for (auto& [peer, copy] : of_tablet.mapped()) copy.source->Cancel();
}

void OutgoingCopies::OnNews(TabletId id, const ServerName& peer, uint64_t copy, CopyNews::Kind kind) {
  const auto tablet = shard_.tablets.Find(id);
  if (tablet == nullptr) return;
  const bool over = kind != CopyNews::Kind::kAccepted;
  if (over) Erase(id, peer, copy);
  shard_.tablets.Step(tablet, CopyNews{peer, copy, kind, shard_.Now()});
}

void OutgoingCopies::Erase(TabletId tablet, const ServerName& peer, uint64_t copy) {
  const auto of_tablet = copies_.find(tablet);
  if (of_tablet == copies_.end()) return;
  const auto mine = of_tablet->second.find(peer);
  if (mine == of_tablet->second.end() || mine->second.id != copy) return;
  of_tablet->second.erase(mine);
  if (of_tablet->second.empty()) copies_.erase(of_tablet);
}

}  // namespace ebla::tabletserver
