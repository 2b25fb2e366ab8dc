// tabletserver/tablet/tablet_common.h
// The state that all parts of one tablet's core share: its replica, the applied state, the unapplied writes, the dedup
// window, tablet time. Each part owns what it alone decides on, and holds a reference to this.
// Place:   tablet_core.h makes one, and hands it to its parts.
// Threads: thread-compatible.
#pragma once

#include <glog/logging.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <variant>

#include "common/base/functions.h"
#include "tabletserver/replication/replica_core.h"
#include "tabletserver/tablet/dedup_window.h"
#include "tabletserver/tablet/tablet_clock.h"
#include "tabletserver/tablet/tablet_types.h"
#include "tabletserver/tablet/unapplied_writes.h"
#include "tabletserver/tablet/write_evaluator.h"

namespace ebla::tabletserver {

struct TabletOptions {
  TabletId tablet;
  ServerName self;
  DedupLimits dedup_window;
  size_t unapplied_bytes_max = 64 << 20;
  size_t apply_bytes_max = 4 << 20;    // of one ApplyBatch, about
  int64_t tombstone_retention_ms = 0;  // last_write_wins: so long a delete is remembered, and a write may be on its way
  std::shared_ptr<const Functions> functions;  // that writes may apply; null: none
  LeaseTerms lease;
  MonotonicTime started;                   // when this process began to answer
  bool may_have_lost_writes = false;       // it may have lost what it acknowledged (PROTOCOL 5)
  std::function<TabletId()> forgot_below;  // see ReplicaOptions
};

struct TabletReaders {
  RecordReaders records;
  LogReader log;  // store.ReadLog of this tablet
};

// The dedup window follows the log, so each of these changes it: Append (what a new entry answers), the applier (what
// is applied), tablet_core.h (recovery, and a log whose end is removed) and split_state.h (both halves inherit it).
struct TabletCommon {
  const TabletOptions options;
  const TabletReaders readers;
  ReplicaCore replica;
  UnappliedWrites unapplied;
  DedupWindow dedup_window;
  TabletClock clock;
  AppliedState applied;
  std::shared_ptr<const TabletSchema> schema;
  Lsn replay_upto;    // entries up to here are in neither unapplied writes nor dedup window
  MonotonicTime now;  // the greatest seen
  bool view_dirty = true;
  // Committed entries cannot be applied, or be read to be applied, because files here are damaged. The log continues.
  bool files_damaged = false;

  void ObserveTimeOf(const auto& input) {
    if constexpr (requires { input.now; }) now = std::max(now, input.now);
  }
  // A primary's tablet time counts, unless its epoch is over.
  void AdvanceClockTo(const PeerRequest& input) {
    const auto see = [&](const auto& body) {
      if (body.epoch >= replica.state().promised && replica.standing().AcceptsPrimary(input.peer, body.epoch)) {
        clock.RaiseTo(body.time, now);
      }
    };
    std::visit(see, input.body);
  }
  void NoteDamage(const Status& status) {
    if (std::exchange(files_damaged, true)) return;
    LOG(ERROR) << "tablet " << options.tablet << " applies nothing more here: " << status;
  }
  // If the records are in memory alone, so is the applied state with their range. So the replica's state keeps the
  // range.
  void KeepPlaceInMemory() {
    if (!schema->in_memory || replica.role() == RoleKind::kAbsent || replica.state().incomplete) return;
    if (replica.state().incomplete_range != applied.range) replica.Step(KeepPlace{applied.range});
  }
  void SetSchema(std::shared_ptr<const TabletSchema> newer) {
    schema = std::move(newer);
    replica.set_flush_mode(schema->durability);
  }
  const Status& failure() const { return replica.failure(); }  // not OK: the replica is dead
  TabletTime Time() const { return clock.Now(now); }
  Lsn applied_lsn() const { return applied.applied.lsn; }
  // The log that was inherited, or that a restart found, is not wholly applied yet.
  bool Replaying() const { return applied_lsn() < replay_upto; }

  // The next entry of the log, which this replica leads.
  EntryPtr Append(LogEntry entry) {
    entry.version = replica.NextVersion();
    entry.time = Time();
    auto shared = std::make_shared<const LogEntry>(std::move(entry));
    dedup_window.Appended(*shared);
    unapplied.Add(shared);
    replica.Propose(shared);
    return shared;
  }
};

}  // namespace ebla::tabletserver
