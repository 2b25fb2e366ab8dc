#include "tabletserver/tablet/tablet_core.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/base/lineage.h"
#include "tabletserver/replication/rules.h"
#include "tabletserver/tablet/rules.h"
#include "tabletserver/tablet/session_token.h"

namespace ebla::tabletserver {

namespace {

Version AppliedOf(const RecoveredReplica& recovered) {
  return recovered.applied.has_value() ? recovered.applied->applied : Version{};
}

ReplicaOptions OptionsOf(const TabletOptions& options, const TabletSchema& schema) {
  return {.tablet = options.tablet,
          .self = options.self,
          .flush_mode = schema.durability,
          .lease = options.lease,
          .held_bytes_max = options.unapplied_bytes_max,
          .started = options.started,
          .may_have_lost_writes = options.may_have_lost_writes,
          .forgot_below = options.forgot_below};
}

Result<TabletTime> LastLoggedTime(const TabletCommon& tablet) {
  const Lsn last = tablet.replica.last_appended().lsn;
  if (last <= tablet.applied_lsn()) return tablet.applied.time;  // none: the log is empty
  if (const EntryPtr entry = tablet.replica.log().Held(last)) return entry->time;
  EBLA_ASSIGN(const std::vector<LogEntry> entries, tablet.readers.log(last, last, 1));
  if (entries.empty()) return Error(Code::kInternal, "the log has lost its last entry, " + std::to_string(last.value));
  return entries.back().time;
}

// Tablet time as the Barrier shall carry it, if this replica begins to lead.
Result<TabletTime> BarrierTime(const TabletCommon& tablet, const ConfigureTablet& input) {
  const bool restarted = !input.learnt;
  if (tablet.replica.role() == RoleKind::kAbsent) {
    return tablet.clock.StartAt(input.now, input.learnt, input.time_of_day_ms, restarted);
  }
  if (tablet.replica.Leads()) return tablet.Time();
  EBLA_ASSIGN(const TabletTime logged, LastLoggedTime(tablet));
  if (!rules::TimeNeverRunsBack()) return TabletTime{static_cast<uint64_t>(input.time_of_day_ms)};
  return tablet.clock.StartAt(input.now, std::max(input.learnt, logged), input.time_of_day_ms, restarted);
}

// Only those that the log lacks, because a repeated order names them again.
void KeepLostSplits(const SplitState& splits, KeyRange range, ConfigureReplica& input) {
  if (input.lost_splits.empty()) return;
  const Result<std::string> end = splits.LoggedEnd();
  range.end = end.value_or(range.start);
  std::erase_if(input.lost_splits, [&](const LostSplit& split) {
    if (!end.has_value() || split.key <= range.start || !range.Contains(split.key)) return true;
    range.end = split.key;
    return false;
  });
}

bool Forgotten(const TabletCommon& tablet) {
  return MayBeForgotten(tablet.options.tablet, tablet.replica.state(), tablet.options.forgot_below);
}

}  // namespace

TabletCore::TabletCore(TabletOptions options, RecoveredReplica recovered, TabletSchema schema, TabletReaders readers)
    : common_{.options = options,
              .readers = readers,
              .replica = ReplicaCore(OptionsOf(options, schema), recovered.state, recovered.first_logged,
                                     recovered.last_logged, AppliedOf(recovered), readers.log),
              .dedup_window = DedupWindow(options.dedup_window, recovered.dedup_window,
                                          recovered.applied ? recovered.applied->dedup_floor : TabletTime{}),
              .schema = std::make_shared<const TabletSchema>(std::move(schema)),
              .replay_upto = std::max(recovered.last_logged, AppliedOf(recovered)).lsn,
              .now = options.started},
      replies_(common_),
      split_(common_, replies_),
      freeze_(common_, replies_, split_),
      waiters_(common_, replies_, split_),
      writes_(common_, replies_, split_, freeze_, waiters_),
      applier_(common_, split_, freeze_),
      views_(common_, split_, freeze_, waiters_) {
  if (recovered.applied.has_value()) {
    common_.applied = *std::move(recovered.applied);
  } else {
    common_.applied.range = recovered.state.incomplete_range;
  }
}

// ---- the master's requests ------------------------------------------------------------------------------------------

void TabletCore::Step(const ConfigureTablet& input) {
  common_.ObserveTimeOf(input);
  ReplicaCore& replica = common_.replica;
  const bool existed = replica.role() != RoleKind::kAbsent;
  const Seen before(replica);
  const bool newer = !existed || input.schema.version > common_.schema->version;
  ConfigureReplica configure = input.replica;
  configure.table = input.schema.table;
  configure.schema = newer ? input.schema.encoded : common_.schema->encoded;
  configure.now = common_.now;
  if (const Result<TabletTime> time = BarrierTime(common_, input); time.has_value()) {
    configure.barrier_time = *time;
  } else {
    Die(time.error());
  }
  KeepLostSplits(split_, common_.applied.range, configure);
  const bool anew = existed && replica.RestartsEmpty(configure);
  replica.Step(configure);
  if (replica.role() != RoleKind::kAbsent) {
    if (!existed || anew) {
      AppliedState nothing{.range = configure.range};
      // Its history begins here: with this, what earlier epochs wrote is none of it, for a session's token, too.
      if (anew) nothing.epoch_starts = {{Epoch{1}, Lsn{1}}};
      // The latest seen tablet time stays.
      ResetState(std::move(nothing), {}, anew ? common_.clock : TabletClock());
    }
    // A refused configuration leaves the old schema in force.
    if (newer && replica.state().schema == input.schema.encoded) {
      common_.SetSchema(std::make_shared<const TabletSchema>(input.schema));
    }
  }
  After(before);
}

void TabletCore::Step(const AlterTablet& input) {
  ReplicaCore& replica = common_.replica;
  if (replica.role() != RoleKind::kAbsent && input.schema.version > common_.schema->version) {
    common_.SetSchema(std::make_shared<const TabletSchema>(input.schema));
    common_.view_dirty = true;
  }
  replica.Step(AlterReplica{input.token, common_.schema->encoded});
}

void TabletCore::Step(const TransferReplica& input) {
  if (freeze_.pending()) return freeze_.Answer(input.token, Error(Code::kComeAgain, "the tablet is being merged"));
  StepReplica(input);
}

void TabletCore::Step(const DropReplica& input) {
  const auto committed = [&input](const LogEntry&, const SplitDetail& split) {
    return std::ranges::find(input.splits, split.child) != input.splits.end();
  };
  // Not what cannot be applied here for damage: others have it, and this one would wait for ever.
  if (!input.splits.empty() && !common_.files_damaged && rules::DropAppliesSplitFirst() &&
      AppliesSplitFirst(committed)) {
    return split_.Answer(input.token, Error(Code::kComeAgain, "a committed split is being applied first"));
  }
  StepReplica(input);
}

void TabletCore::Step(const ReplicaForgotten& input) {
  common_.replica.Step(input);
  ResetState({}, {}, {});
}

// The replica as one that is new here, with what is applied and remembered elsewhere, or nothing.
void TabletCore::ResetState(AppliedState applied, std::vector<DedupRow> remembered, TabletClock clock) {
  applier_.Reset();
  common_.unapplied = {};
  common_.dedup_window = DedupWindow(common_.options.dedup_window, std::move(remembered), applied.dedup_floor);
  common_.clock = clock;
  common_.applied = std::move(applied);
  common_.replay_upto = {};
  common_.files_damaged = false;
  waiters_.ForgetPendingPrimary();
  split_.Reset();
  freeze_.Reset();
  common_.view_dirty = true;
}

void TabletCore::After(const Seen& before) {
  ReplicaCore& replica = common_.replica;
  const Seen now(replica);
  if (now != before) common_.view_dirty = true;
  const bool leads = now.led;
  const bool another = leads != before.led || now.epoch != before.epoch;
  const bool newly = leads && another;
  if (before.led && another) {
    // The next primary may still commit their entries.
    if (!leads) waiters_.GiveUpAll();
    freeze_.GiveUp();
  }
  if (before.led && !leads) {
    common_.unapplied = {};
    common_.dedup_window.RemoveAbove(common_.applied_lsn());
    waiters_.ForgetPendingPrimary();
    split_.GiveUp();
  }
  if (newly) {
    const EntryPtr barrier = replica.log().Held(replica.standing().barrier());
    // Without a break in its leadership, unapplied writes and dedup window still cover what is not applied. Entries
    // committed here before a majority has the Barrier are on no other replica yet, so they answer no retry.
    const bool alone = replica.standing().leadership()->inherited() != Lsn{};
    if (!before.led) common_.replay_upto = alone ? barrier->version.lsn : Lsn{barrier->version.lsn.value - 1};
    common_.clock.RaiseTo(barrier->time, common_.now);
    common_.unapplied.Add(barrier);
    common_.dedup_window.Appended(*barrier);
  }
  if (!leads) common_.replay_upto = std::min(common_.replay_upto, replica.last_appended().lsn);
}

bool TabletCore::AppliesSplitFirst(const SplitState::Wanted& wanted) {
  const Result<bool> first = split_.AppliesFirst(wanted);
  if (!first) Die(first.error());
  return first.value_or(false);
}

// ---- splits and merges ----------------------------------------------------------------------------------------------

void TabletCore::Step(const SplitTablet& input) {
  common_.ObserveTimeOf(input);
  split_.Order(input, freeze_.frozen());
}

void TabletCore::Step(const FreezeTablet& input) {
  common_.ObserveTimeOf(input);
  freeze_.Order(input);
}

ReplicaState TabletCore::StateAtCreation(const SplitChild& child) const {
  ReplicaState state = tabletserver::StateAtCreation(common_.replica.state(), common_.options.self, child);
  state.lost = state.lost || (Forgotten(common_) && state.present());
  return state;
}

ReplicaState TabletCore::StateAtMerge(const MergeResult& result) const {
  ReplicaState state = tabletserver::StateAtMerge(common_.replica.state(), result);
  state.lost = state.lost || Forgotten(common_);
  return state;
}

void TabletCore::Step(const BeginChild& input) {
  common_.ObserveTimeOf(input);
  const SplitChild& child = *input.split_child;
  const ReplicaState& mine = common_.replica.state();
  const bool forgotten = Forgotten(common_);
  BecomeChild become{.state = StateAtCreation(child),
                     .at = child.split.version,
                     .primary = child.split.primary,
                     .voters = child.split.voters,
                     .lead = child.lead && !forgotten && mine.promised <= child.split.version.epoch &&
                             mine.led < child.split.version.epoch,
                     .now = common_.now};
  ResetState(child.applied, child.dedup_window, child.clock);
  if (!rules::ChildLogGoesOn()) become.at.lsn = common_.applied.applied.lsn = {};
  common_.SetSchema(child.schema);
  common_.replica.Step(become);
}

void TabletCore::Step(const BeginMerged& input) {
  common_.ObserveTimeOf(input);
  const MergeResult& result = *input.merge_result;
  const BecomeMerged become{StateAtMerge(result), result.merged.position, common_.now};
  ResetState(result.applied, result.dedup_window, result.clock);
  common_.SetSchema(result.schema);
  common_.replica.Step(become);
}

// ---- clients --------------------------------------------------------------------------------------------------------

Result<LoggedSlice> TabletCore::Logged(const KeyRange& range, Lsn upto, size_t records_max) {
  if (!replica().Leads() || common_.Replaying()) return Error(Code::kComeAgain, "the log cannot be read at present");
  if (upto > replica().log().flushed()) return Error(Code::kComeAgain, "a crash might yet roll it back");
  LoggedSlice slice{replica().epoch(), upto, {}};
  bool all = true;
  common_.unapplied.Visit(range, upto, [&](const UnappliedWrites::Item& item) {
    all = slice.records.size() < records_max;
    if (!all) return false;
    const Effect& effect = *item.effect;
    slice.records.emplace(effect.key, StoredRecord{effect.value, item.version, effect.expires_at, effect.write_time_ms,
                                                   effect.writer, effect.is_delete});
    return true;
  });
  if (!all) return Error(Code::kOverloaded, "too much of the range is still to be applied");
  return slice;
}

Version TabletCore::Remembered(ClientId client, Sequence sequence) const {
  const DedupRow* row = common_.dedup_window.Find(client, sequence);
  return row == nullptr ? Version{} : row->version;
}

std::vector<DedupRow> TabletCore::DedupRows() const {
  std::vector<DedupRow> rows = common_.dedup_window.Rows();
  std::erase_if(rows, [this](const DedupRow& row) { return row.version.lsn > common_.applied_lsn(); });
  return rows;
}

// ---- copies ---------------------------------------------------------------------------------------------------------

void TabletCore::Step(const ReceiveCopy& input) {
  common_.ObserveTimeOf(input);
  // Part of what the source has applied, so it is committed, and its child may be nowhere else.
  const auto committed = [&input](const LogEntry& entry, const SplitDetail&) {
    return entry.version.lsn <= input.start.lsn && InHistory(entry.version, input.history);
  };
  if (rules::CopyAppliesSplitFirst() && AppliesSplitFirst(committed)) {
    return replies_.RefuseCopy(input.token, Error(Code::kComeAgain, "a committed split is being applied first"));
  }
  StepReplica(input);
}

void TabletCore::Step(const InstallCopy& input) {
  ResetState(input.applied, input.dedup_window, common_.clock);  // what was seen of tablet time stays seen
  common_.replica.Step(CopyPrepared{input.id});
}

// ---- the store, and time --------------------------------------------------------------------------------------------

void TabletCore::Step(const RaiseTime& input) {
  common_.ObserveTimeOf(input);
  if (!common_.replica.Leads() || input.to <= common_.Time()) return;
  common_.clock.RaiseTo(input.to, common_.now);
  common_.view_dirty = true;  // readers compute the time from it
}

void TabletCore::Step(const StoreFailed& input) {
  const Seen before(common_.replica);
  common_.replica.Step(input);
  if (!rules::SentEntriesStand()) {
    common_.unapplied.RemoveAbove(common_.replica.last_appended().lsn);
    common_.dedup_window.RemoveAbove(common_.replica.last_appended().lsn);
  }
  After(before);
  common_.view_dirty = true;
}

void TabletCore::Step(const Applied& input) {
  applier_.OnApplied(input);
  common_.files_damaged = false;
  common_.KeepPlaceInMemory();
  split_.Finish();
  waiters_.Settle();
  freeze_.Settle();
  common_.view_dirty = true;
}

void TabletCore::Step(ApplyFailed input) {
  const Code code = input.status.code();
  // The master has another lead, or makes this one anew; where it can do neither, the log is worth having all the same.
  if (code == Code::kUnavailable) common_.NoteDamage(input.status);
  const bool again = code == Code::kOverloaded || code == Code::kComeAgain || code == Code::kUnavailable;
  applier_.OnFailed(again ? std::optional(std::move(input.batch)) : std::nullopt);
  if (!again) Die(input.status);
}

void TabletCore::Step(const Tick& input) {
  common_.ObserveTimeOf(input);
  if (common_.replica.store_stalled()) common_.view_dirty = true;  // it is tried again
  StepReplica(input);
  views_.OnTick();
  applier_.OnTick();
  split_.ExpireParked(input.now);
  waiters_.Expire(input.now);
}

void TabletCore::Die(const Status& status) {
  LOG(ERROR) << "tablet " << common_.options.tablet << ": " << status;
  Step(StoreFailed{status});
}

// ---- outputs --------------------------------------------------------------------------------------------------------

bool TabletCore::HasOutput() const {
  return common_.view_dirty || !replies_.empty() || common_.replica.HasOutput() || applier_.CanApply();
}

std::optional<ApplyBatch> TabletCore::TakeBatch() {
  if (!applier_.CanApply()) return std::nullopt;
  Result<std::optional<ApplyBatch>> batch = applier_.TakeBatch();
  if (batch.has_value()) return *std::move(batch);
  if (batch.error().code() != Code::kUnavailable) {
    Die(batch.error());
  } else {
    common_.NoteDamage(batch.error());
    applier_.Stall();
  }
  return std::nullopt;
}

std::optional<TabletCore::Replay> TabletCore::TakeReplay() {
  std::optional<ApplyBatch> batch = TakeBatch();
  if (!batch) return std::nullopt;
  return Replay{*std::move(batch), split_.child()};
}

TabletOutput TabletCore::TakeOutput() {
  TabletOutput output;
  output.apply = TakeBatch();
  if (output.apply) output.split = split_.child();
  output.split_next = split_.TakeNext();
  const Seen before(common_.replica);
  output.replica = common_.replica.TakeOutput();
  if (!replica().failure().ok()) After(before);  // the log could not be read for a peer
  for (PeerMessage& message : output.replica.messages) {
    std::visit([this](auto& body) { body.time = common_.Time(); }, message.body);
  }
  for (ControlReply& reply : output.replica.replies) {
    reply.time = common_.Time();
    if (!common_.schema->in_memory || !reply.known || reply.incomplete) continue;
    if (const Result<std::string> end = split_.LoggedEnd(); end.has_value()) reply.logged_end = *end;
  }
  replies_.MoveTo(output);
  output.view = views_.Take();
  return output;
}

}  // namespace ebla::tabletserver
