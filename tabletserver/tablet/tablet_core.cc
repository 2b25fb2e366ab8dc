#include "tabletserver/tablet/tablet_core.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/base/key_range.h"
#include "tabletserver/tablet/rules.h"
#include "tabletserver/tablet/session_token.h"

namespace ebla::tabletserver {

namespace {

Version AppliedOf(const RecoveredReplica& recovered) {
  return recovered.applied.has_value() ? recovered.applied->applied : Version{};
}

}  // namespace

TabletCore::TabletCore(TabletOptions options, RecoveredReplica recovered, TabletSchema schema, TabletReaders readers)
    : options_(std::move(options)),
      readers_(std::move(readers)),
      replica_({.tablet = options_.tablet,
                .self = options_.self,
                .flush_mode = schema.durability,
                .lease = options_.lease,
                .held_bytes_max = options_.unapplied_bytes_max,
                .started = options_.started,
                .may_have_lost_writes = options_.may_have_lost_writes},
               recovered.state, recovered.first_logged, recovered.last_logged, AppliedOf(recovered), readers_.log),
      dedup_window_(options_.dedup_window, recovered.dedup_window,
                    recovered.applied.has_value() ? recovered.applied->dedup_floor : TabletTime{}),
      schema_(std::make_shared<const TabletSchema>(std::move(schema))),
      replay_upto_(std::max(recovered.last_logged, AppliedOf(recovered)).lsn),
      now_(options_.started) {
  if (recovered.applied.has_value()) {
    applied_ = *std::move(recovered.applied);
  } else {
    applied_.range = recovered.state.incomplete_range;
  }
}

// ---- the master's requests ------------------------------------------------------------------------------------------

void TabletCore::Step(const ConfigureTablet& input) {
  Observe(input.now);
  const bool existed = replica_.role() != RoleKind::kAbsent;
  const Before before = Now();
  const bool newer = !existed || input.schema.version > schema_->version;
  ConfigureReplica configure = input.replica;
  configure.table = input.schema.table;
  configure.schema = newer ? input.schema.encoded : schema_->encoded;
  configure.now = now_;
  if (const Result<TabletTime> time = BarrierTime(input); time.has_value()) {
    configure.barrier_time = *time;
  } else {
    Die(time.error());
  }
  replica_.Step(configure);
  if (replica_.role() != RoleKind::kAbsent) {
    if (!existed) BeginAnew(configure.range);
    // A refused configuration leaves the old schema in force.
    if (newer && replica_.state().schema == input.schema.encoded) {
      schema_ = std::make_shared<const TabletSchema>(input.schema);
    }
    replica_.set_flush_mode(schema_->durability);
  }
  After(before);
}

// Tablet time as the Barrier shall carry it, if this replica begins to lead.
Result<TabletTime> TabletCore::BarrierTime(const ConfigureTablet& input) {
  if (replica_.role() == RoleKind::kAbsent) {
    return clock_.StartAt(input.now, input.learnt, input.time_of_day_ms, /*restarted=*/!input.learnt);
  }
  if (replica_.Leads()) return clock_.Now(now_);
  EBLA_ASSIGN(const TabletTime logged, LastLoggedTime());
  if (!rules::TimeNeverRunsBack()) return TabletTime{static_cast<uint64_t>(input.time_of_day_ms)};
  return clock_.StartAt(input.now, std::max(input.learnt, logged), input.time_of_day_ms, /*restarted=*/!input.learnt);
}

void TabletCore::Step(const FenceReplica& input) {
  Observe(input.now);
  const Before before = Now();
  replica_.Step(input);
  After(before);
}

void TabletCore::Step(const DropReplica& input) {
  const auto committed = [&input](const LogEntry&, const SplitDetail& split) {
    return std::ranges::find(input.splits, split.child) != input.splits.end();
  };
  if (!input.splits.empty() && rules::DropAppliesSplitFirst() && AppliesSplitFirst(committed)) {
    return AnswerSplit(input.token, Error(Code::kComeAgain, "a split that is committed is applied first"));
  }
  const Before before = Now();
  replica_.Step(input);
  if (!failure_.ok() && replica_.failure().ok()) {
    failure_ = {};
    view_dirty_ = true;
  }
  After(before);
}

void TabletCore::Step(const TransferReplica& input) {
  if (pending_freeze_) return AnswerFreeze(input.token, Error(Code::kComeAgain, "the tablet is being merged"));
  const Before before = Now();
  replica_.Step(input);
  After(before);
}

void TabletCore::Step(const AlterTablet& input) {
  const bool newer = replica_.role() != RoleKind::kAbsent && input.schema.version > schema_->version;
  if (newer) {
    schema_ = std::make_shared<const TabletSchema>(input.schema);
    replica_.set_flush_mode(schema_->durability);
    view_dirty_ = true;
  }
  replica_.Step(AlterReplica{input.token, schema_->encoded});
}

void TabletCore::Step(const ReplicaForgotten& input) {
  replica_.Step(input);
  BeginAnew({});
}

// The replica as one that is new here: nothing applied, nothing remembered.
void TabletCore::BeginAnew(const KeyRange& range) {
  CHECK(!batch_out_);
  unapplied_ = {};
  dedup_window_ = DedupWindow(options_.dedup_window);
  clock_ = {};
  applied_ = {};
  applied_.range = range;
  replay_upto_ = {};
  pending_primary_ = {};
  read_ahead_.clear();
  refused_batch_.reset();
  split_child_.reset();
  GiveUpSplit();
  held_split_ = {};
  pending_freeze_.reset();
  view_dirty_ = true;
}

// Follows what an input did to the replica's role and log.
void TabletCore::After(const Before& before) {
  const bool leads = replica_.Leads();
  const bool newly = leads && (!before.led || replica_.epoch() != before.epoch);
  if (newly || leads != before.led || replica_.epoch() != before.epoch) view_dirty_ = true;
  if (before.led && (!leads || newly)) {
    // Their entries may be committed all the same, by whoever leads next.
    if (!leads) GiveUpAll();
    GiveUpFreeze();
  }
  if (before.led && !leads) {
    unapplied_ = {};
    dedup_window_.RemoveAbove(applied_.applied.lsn);
    pending_primary_ = {};
    GiveUpSplit();
  }
  if (newly) {
    const EntryPtr barrier = replica_.log().Held(replica_.standing().barrier());
    // Without a break in its leadership, unapplied writes and dedup window still cover what is not applied.
    if (!before.led) replay_upto_ = Lsn{barrier->version.lsn.value - 1};
    clock_.See(barrier->time, now_);
    unapplied_.Add(barrier);
    dedup_window_.Appended(*barrier);
  }
  if (!leads) replay_upto_ = std::min(replay_upto_, replica_.last_appended().lsn);
  if (failure_.ok() && !replica_.failure().ok()) {
    failure_ = replica_.failure();
    view_dirty_ = true;
  }
}

Result<TabletTime> TabletCore::LastLoggedTime() const {
  const Lsn last = replica_.last_appended().lsn;
  if (last <= applied_.applied.lsn) return applied_.time;  // none: the log is empty
  if (const EntryPtr entry = replica_.log().Held(last)) return entry->time;
  EBLA_ASSIGN(const std::vector<LogEntry> entries, readers_.log(last, last, 1));
  if (entries.empty()) return Error(Code::kInternal, "the log has lost its last entry, " + std::to_string(last.value));
  return entries.back().time;
}

// ---- peers ----------------------------------------------------------------------------------------------------------

void TabletCore::Step(PeerRequest input) {
  Observe(input.now);
  const Before before = Now();
  if (const auto* append = std::get_if<AppendMessage>(&input.body)) {
    if (append->epoch >= replica_.state().promised) clock_.See(append->time, now_);
  } else if (const auto* heartbeat = std::get_if<HeartbeatMessage>(&input.body)) {
    if (heartbeat->epoch >= replica_.state().promised) clock_.See(heartbeat->time, now_);
  }
  const MonotonicTime fresh = replica_.followed().fresh_as_of();
  replica_.Step(std::move(input));
  if (replica_.followed().fresh_as_of() != fresh) view_dirty_ = true;
  After(before);
}

void TabletCore::Step(const PeerReply& input) {
  Observe(input.now);
  const Before before = Now();
  replica_.Step(input);
  After(before);  // a transfer may have been completed by it
  Settle();
  SettleFreeze();
  PublishLease();
}

// A view for every answer would be one too many; one that runs out early costs readers a round of confirmation.
void TabletCore::PublishLease() {
  const MonotonicTime until = replica_.standing().lease_until();
  const MonotonicTime told = published_.lease_until;
  if (until == told) return;
  if (until < told || told <= now_ || until - told >= options_.lease.length / 8) view_dirty_ = true;
}

void TabletCore::Step(const HeartbeatDue& input) {
  Observe(input.now);
  replica_.Step(input);
}

void TabletCore::Step(const ConfirmLeadership& input) {
  Observe(input.now);
  replica_.Step(input);
}

void TabletCore::Step(const ReceiveCopy& input) {
  Observe(input.now);
  // Part of what the source has applied, so it is committed, and its child may be nowhere else.
  const auto committed = [&input](const LogEntry& entry, const SplitDetail&) {
    return entry.version.lsn <= input.start.lsn && InHistory(entry.version, input.history);
  };
  if (rules::CopyAppliesSplitFirst() && AppliesSplitFirst(committed)) {
    copy_refusals_.push_back({input.token, Error(Code::kComeAgain, "a split that is committed is applied first")});
    return;
  }
  const Before before = Now();
  replica_.Step(input);
  After(before);
  view_dirty_ = true;
}

void TabletCore::Step(const InstallCopy& input) {
  const TabletClock clock = clock_;
  BeginAnew(input.applied.range);
  clock_ = clock;  // what was seen of tablet time stays seen
  applied_ = input.applied;
  dedup_window_ = DedupWindow(options_.dedup_window, input.dedup_window, input.applied.dedup_floor);
  replica_.Step(CopyPrepared{input.id});
}

Result<LoggedSlice> TabletCore::Logged(const KeyRange& range, Lsn upto, size_t records_max) const {
  if (!replica_.Leads() || applied_.applied.lsn < replay_upto_)
    return Error(Code::kComeAgain, "the log is not at hand");
  if (upto > replica_.log().flushed()) return Error(Code::kComeAgain, "a crash might yet roll it back");
  LoggedSlice slice{replica_.epoch(), upto, {}};
  for (UnappliedWrites::Cursor at(unapplied_, {.range = range}, upto); at.Valid(); at.Next()) {
    if (slice.records.size() == records_max)
      return Error(Code::kOverloaded, "too much of the range is still to be applied");
    const Effect& effect = *at.item().effect;
    slice.records.emplace(at.key(), StoredRecord{effect.value, at.item().version, effect.expires_at,
                                                 effect.write_time_ms, effect.writer, effect.is_delete});
  }
  return slice;
}

std::vector<DedupRow> TabletCore::DedupRows() const {
  std::vector<DedupRow> rows = dedup_window_.Rows();
  std::erase_if(rows, [this](const DedupRow& row) { return row.version.lsn > applied_.applied.lsn; });
  return rows;
}

}  // namespace ebla::tabletserver
