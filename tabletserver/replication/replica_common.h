// tabletserver/replication/replica_common.h
// The state that all parts of one replica's core share: its durable state, its log, outputs on their way to the disk,
// the epoch that it obeys, the committed position. Each part owns the state that it alone decides on, and refers to
// this.
// Place:   replica_core.h makes one, and hands it to its parts.
// Tests:   tabletserver/replication/replica_group_test.cc
// Threads: thread-compatible.
#pragma once

#include <glog/logging.h>

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "tabletserver/replication/flush_tracker.h"
#include "tabletserver/replication/replica_log.h"
#include "tabletserver/replication/replica_types.h"
#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

struct ReplicaOptions {
  TabletId tablet;
  ServerName self;
  FlushMode flush_mode = FlushMode::kSync;  // of ordinary appends; what answers the master is always flushed kSync
  LeaseTerms lease;
  size_t held_bytes_max = 64 << 20;   // of entries a follower holds unapplied; beyond it appends are BUSY
  MonotonicTime started;              // when this process began to answer
  bool may_have_lost_writes = false;  // it may have lost what it acknowledged: noted until it has it again
  // The disk lost a part of its log: ids below this may have been here before. It falls once the cluster tells which
  // ids are new. Null: nothing was lost.
  std::function<TabletId()> forgot_below;
};

// No replica is here, but the disk may have lost it, with its promises (PROTOCOL 6).
inline bool MayBeForgotten(TabletId tablet, const ReplicaState& state, const std::function<TabletId()>& forgot_below) {
  return !state.present() && forgot_below && tablet < forgot_below() && rules::UnknownMayBeForgotten();
}

struct ReplicaCommon {
  ReplicaOptions options;
  ReplicaState state;        // as decided; flushes.durable() is what a flush has vouched for
  bool state_dirty = false;  // differs from what the store was last given
  ReplicaLog log;
  FlushTracker flushes;
  Epoch epoch;  // as last configured or followed; none since a restart
  Lsn committed;
  bool commit_news = false;  // the host is yet to hear of it
  MonotonicTime now;         // the greatest seen
  std::vector<EntryPtr> rolled_back;
  std::map<ServerName, Version> vouched;  // others' disks had the log through there, as they said in `epoch`
  Status failure;                         // not OK: the store lied, the replica is dead

  void ObserveTimeOf(const auto& input) {
    if constexpr (requires { input.now; }) now = std::max(now, input.now);
  }
  void CheckStoreAnswered() const {
    CHECK(!flushes.store_busy()) << "the last output was not answered with Stored or StoreFailed";
  }

  bool Forgotten() const { return MayBeForgotten(options.tablet, state, options.forgot_below); }

  // All that is flushed outlives a crash of the machine. Entries of a former interval table do once the schema that
  // ended this is durable.
  bool KeepsFlushed() const {
    return options.flush_mode == FlushMode::kSync && flushes.durable().schema == state.schema;
  }

  // The disk lost a part of the log, and no start has seen it.
  void NoteLost() {
    if (state.lost) return;
    state.lost = state.may_have_lost_writes = true;
    state_dirty = true;
  }

  void CommitTo(Lsn lsn) {
    if (lsn <= committed) return;
    committed = lsn;
    commit_news = true;
  }

  // Stores aside the acknowledged PRIMARY writes that are in no other log, before all unapplied entries are removed
  // (PROTOCOL 22).
  Status RollBackUnapplied() {
    if (log.last().lsn <= log.applied().lsn) return {};
    EBLA_TRY(log.Remove(log.applied().lsn.Next(), log.applied(), rolled_back));
    committed = std::min(committed, log.applied().lsn);
    return {};
  }
};

}  // namespace ebla::tabletserver
