// tabletserver/shard/outgoing_copies.h
// The copies of tablets whose source is this shard (PROTOCOL 9): begins those that a core asks for, tells the core how
// they go, and cancels those of an epoch that the replica does not lead any more.
// Place:      copy_source.h carries out one copy; copy_target.h is the other end.
// Invariants: 1. A copy begins at the applied position that the core named with it.
//             2. A target has one copy of a tablet at a time from here: a new one cancels the one before.
// Threads:    the shard's executor.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

class CopySource;
class PeerExchange;

class OutgoingCopies {
 public:
  OutgoingCopies(const ShardContext& shard, PeerExchange& peers) : shard_(shard), peers_(peers) {}

  // Right after the output was taken: the round's Apply moves on from the start that the core has named.
  void Begin(const ShardTabletPtr& tablet, const std::vector<StartCopy>& copies);
  void CancelOutdated(const ShardTablet& tablet);
  void CancelAll(TabletId tablet);

 private:
  struct Outgoing {
    Epoch epoch;
    uint64_t id = 0;
    std::shared_ptr<CopySource> source;
  };
  using ByTarget = std::map<ServerName, Outgoing>;

  void OnNews(TabletId tablet, const ServerName& peer, uint64_t copy, CopyNews::Kind kind);
  void Erase(TabletId tablet, const ServerName& peer, uint64_t copy);

  const ShardContext shard_;
  PeerExchange& peers_;
  std::unordered_map<TabletId, ByTarget> copies_;  // no tablet without any
};

}  // namespace ebla::tabletserver
