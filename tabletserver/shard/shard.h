// tabletserver/shard/shard.h
// Owns some of the server's tablets on one executor: every write passes through here. Clients' writes come in by its
// mailbox and are admitted to the tablets' cores; the rounds carry out what the cores put out.
// Parts:      Each has its own state and its own header, and request handlers call it directly. They share the context
//             (shard_context.h), and a part knows those above it alone that it calls, never in a circle:
//
//               tablets, requests, rounds     shard_tablets.h, client_requests.h, round_driver.h
//               from the event loops          shard.h (writes), read_waiters.h
//               from peers                    peer_exchange.h, copy_target.h; to them outgoing_copies.h, core_timers.h
//               from the master               tablet_orders.h
//               splits, merges, removals      splitter.h, merger.h with part_lender.h, remover.h
//               checkpoints                   lineage_checkpoints.h, log_truncator.h
//
// Place:      server/tabletserver_host.h makes it and passes its parts to the request handlers. Replies travel back
//             through the loops' mailboxes, one wake-up for a batch.
// Invariants: 1. A tablet's core is stepped on the shard's executor only; its contract (tablet_core.h) is kept here.
//             2. A view is published before the replies that it explains; the applied bound before the store shows it.
//             3. A dropped replica's data is removed only when no reader holds a view of it (PROTOCOL 8).
// Bounds:     the mailbox, the unapplied writes of all tablets together, the reads that wait for an entry to be
//             applied; beyond them OVERLOADED with a time to come back.
// Threads:    Admit, FindRepeated, Start and Drain from any thread; each part names its own. Destroyed when its
//             executor runs nothing any more.
#pragma once

#include <functional>
#include <vector>

#include "common/base/turn_end.h"
#include "tabletserver/shard/client_requests.h"
#include "tabletserver/shard/copy_target.h"
#include "tabletserver/shard/core_timers.h"
#include "tabletserver/shard/lineage_checkpoints.h"
#include "tabletserver/shard/log_truncator.h"
#include "tabletserver/shard/merger.h"
#include "tabletserver/shard/outgoing_copies.h"
#include "tabletserver/shard/part_lender.h"
#include "tabletserver/shard/peer_exchange.h"
#include "tabletserver/shard/read_waiters.h"
#include "tabletserver/shard/remover.h"
#include "tabletserver/shard/round_driver.h"
#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablets.h"
#include "tabletserver/shard/splitter.h"
#include "tabletserver/shard/tablet_orders.h"

namespace ebla::tabletserver {

class Shard final : private TurnEndHook {
 public:
  Shard(ShardOptions options, ShardPorts ports);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // Takes over a replica, or the rest of a dropped replica, that the store recovered. Before anything else, on the
  // constructing thread, and before the executor runs a task, because its tasks share this state without a lock.
  Status Recover(RecoveredReplica replica);
  void Start();
  // No write is admitted any more; `idle` runs on the executor once all that was has been answered.
  void Drain(std::move_only_function<void()> idle);

  // OVERLOADED: nothing was taken, `call` is as it was.
  Status Admit(WriteCall& call);
  // Which of these writes the dedup window of the tablet, or of what was split off it, knows here under another version
  // than theirs; `done` runs on the executor.
  void FindRepeated(TabletId tablet, std::vector<WriteName> writes,
                    std::move_only_function<void(std::vector<bool>)> done);

  ReadWaiters& reads() { return reads_; }
  PeerExchange& peers() { return peers_; }
  CopyTarget& copy_target() { return copy_target_; }
  TabletOrders& orders() { return orders_; }
  PartLender& part_lender() { return part_lender_; }
  LogTruncator& truncator() { return truncator_; }

 private:
  // A write that was dealt with in this turn.
  struct Served {
    std::shared_ptr<TabletHandle> handle;
    size_t bytes = 0;
  };
  void OnTurnEnd() override;
  void OnCalls(std::vector<WriteCall> calls);
  void OnCall(WriteCall call, MonotonicTime now, Room room);
  Status FindMemory(const ShardTablet& tablet) const;
  void OnTick();
  Status RecoverAbsent(RecoveredReplica replica);

  const ShardOptions options_;
  const ShardPorts ports_;
  Mailbox<WriteCall> calls_;

  // Executor only.
  std::vector<Served> served_;
  Duration admitting_{};  // took so long, of these
  ShardTablets tablets_;
  ClientRequests requests_;
  const ShardContext context_;
  ReadWaiters reads_;
  PeerExchange peers_;
  OutgoingCopies outgoing_copies_;
  LineageCheckpoints checkpoints_;
  CopyTarget copy_target_;
  PartLender part_lender_;
  LogTruncator truncator_;
  Remover remover_;
  Splitter splitter_;
  Merger merger_;
  TabletOrders orders_;
  CoreTimers timers_;
  RoundDriver rounds_;
};

}  // namespace ebla::tabletserver
