#include "tabletserver/tablet/tablet_core.h"

#include <glog/logging.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "common/base/key_range.h"

namespace ebla::tabletserver {

namespace {

constexpr size_t kEpochStartsMax = 256;       // older versions are then taken to be in history
constexpr int64_t kReplayRetryMs = 20;
constexpr int64_t kOverloadedRetryMs = 50;
constexpr int64_t kLearnRetryMs = 5;            // when a retry would learn the outcome

Version LastOf(const RecoveredReplica& recovered) {
  // The log may have been truncated through what is applied.
  return recovered.applied.has_value() ? std::max(recovered.last_logged, recovered.applied->applied)
                                       : recovered.last_logged;
}

Lsn AppliedOf(const RecoveredReplica& recovered) {
  return recovered.applied.has_value() ? recovered.applied->applied.lsn : Lsn{};
}

AckLevel Stronger(AckLevel a, AckLevel b) {
  const auto strength = [](AckLevel level) {
    switch (level) {
      case AckLevel::kAll: return 3;
      case AckLevel::kMajority: return 2;
      case AckLevel::kPrimary: return 1;
      case AckLevel::kDefault:
      case AckLevel::kAny: break;
    }
    return 0;
  };
  return strength(a) >= strength(b) ? a : b;
}

}  // namespace

TabletCore::TabletCore(TabletOptions options, RecoveredReplica recovered, TabletSchema schema, TabletReaders readers)
    : options_(std::move(options)),
      readers_(std::move(readers)),
      replica_({.tablet = options_.tablet, .self = options_.self, .flush_mode = schema.durability}, recovered.state,
               LastOf(recovered), AppliedOf(recovered)),
      window_(options_.window, recovered.window,
              recovered.applied.has_value() ? recovered.applied->window_floor : TabletTime{}),
      schema_(std::make_shared<const TabletSchema>(std::move(schema))),
      replay_upto_(LastOf(recovered).lsn) {
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
  const bool led = replica_.Leads();
  const Epoch epoch = replica_.epoch();
  const bool newer = !existed || input.schema.version > schema_->version;
  ConfigureReplica configure = input.replica;
  configure.table = input.schema.table;
  configure.schema = newer ? input.schema.encoded : schema_->encoded;
  const Result<TabletTime> logged = existed ? LastLoggedTime() : TabletTime{};
  if (!logged.has_value()) {
    Die(logged.error());
  } else {
    configure.barrier_time =
        clock_.StartAt(input.now, std::max(input.learnt, *logged), input.time_of_day_ms, /*restarted=*/!input.learnt);
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
  AfterMaster(led, epoch);
}

void TabletCore::Step(const FenceReplica& input, MonotonicTime now) {
  Observe(now);
  const bool led = replica_.Leads();
  const Epoch epoch = replica_.epoch();
  replica_.Step(input);
  AfterMaster(led, epoch);
}

void TabletCore::Step(const DropReplica& input) {
  const bool led = replica_.Leads();
  const Epoch epoch = replica_.epoch();
  replica_.Step(input);
  AfterMaster(led, epoch);
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
  overlay_ = {};
  window_ = Window(options_.window);
  clock_ = {};
  applied_ = {};
  applied_.range = range;
  replay_upto_ = {};
  read_ahead_.clear();
  refused_batch_.reset();
  view_dirty_ = true;
}

// Follows what a request of the master did to the replica's role and log.
void TabletCore::AfterMaster(bool led_before, Epoch epoch_before) {
  view_dirty_ = true;
  if (replica_.Leads() && (!led_before || replica_.epoch() != epoch_before)) {
    const EntryPtr barrier = replica_.Held(replica_.last_appended().lsn);
    clock_.See(barrier->time, now_);
    overlay_.Add(barrier);
    window_.Appended(*barrier);
  }
  if (led_before && !replica_.Leads()) {
    // What the store never got is no longer in the log; the rest may yet be committed by whoever leads next.
    overlay_.RemoveAbove(replica_.last_appended().lsn);
    window_.RemoveAbove(replica_.last_appended().lsn);
    for (const auto& [lsn, waiters] : waiters_) {
      for (const Waiter& waiter : waiters) GiveUp(waiter);
    }
    waiters_.clear();
  }
}

Result<TabletTime> TabletCore::LastLoggedTime() const {
  const Lsn last = replica_.last_appended().lsn;
  if (last <= applied_.applied.lsn) return applied_.time;
  if (const EntryPtr entry = replica_.Held(last)) return entry->time;
  EBLA_ASSIGN(const std::vector<LogEntry> entries, readers_.log(last, last, 1));
  if (entries.empty()) return Error(Code::kInternal, "the log has lost its last entry, " + std::to_string(last.value));
  return entries.back().time;
}

// ---- writes ---------------------------------------------------------------------------------------------------------

void TabletCore::Step(AdmitWrite input) {
  Observe(input.now);
  const WriteRequest& request = input.request;
  if (RefuseEarly(request, input.now)) return;
  const TabletTime now = clock_.Now(now_);
  const AckLevel level = LevelOf(request);
  const uint64_t digest = DigestOf(request.writes);
  // The window comes before anything that depends on state: a retry must get its first answer, not a new refusal.
  if (AnswerFromWindow(request, digest, level, now)) return;
  if (RefuseForRoom(request, input.disk_full)) return;
  Execute(request, digest, level, now);
}

AckLevel TabletCore::LevelOf(const WriteRequest& request) const {
  return request.level == AckLevel::kDefault ? schema_->default_level : request.level;
}

bool TabletCore::RefuseEarly(const WriteRequest& request, MonotonicTime now) {
  const auto refuse = [&](Code code, std::string message, int64_t retry_after_ms = -1) {
    RefuseWrite(request.token, Status(code, std::move(message)), retry_after_ms);
    return true;
  };
  if (!failure_.ok()) return refuse(failure_.code(), failure_.message());
  if (request.deadline <= now) return refuse(Code::kDeadlineExceeded, "the deadline had passed when the write arrived");
  if (replica_.role() == RoleKind::kAbsent) return refuse(Code::kWrongTablet, "the tablet is not here");
  if (!replica_.Leads()) return refuse(Code::kNotPrimary, "this replica does not lead the tablet");
  if (applied_.applied.lsn < replay_upto_) {
    return refuse(Code::kComeAgain, "the log is being replayed after a restart", kReplayRetryMs);
  }
  if (LevelOf(request) == AckLevel::kAny) {
    return refuse(Code::kInvalidArgument, "level ANY is not there yet: use MAJORITY, ALL or PRIMARY");
  }
  if (const Status status = CheckBatch(request.writes); !status.ok()) return refuse(status.code(), status.message());
  return false;
}

bool TabletCore::AnswerFromWindow(const WriteRequest& request, uint64_t digest, AckLevel level, TabletTime now) {
  const Window::Verdict verdict =
      window_.Ask({request.client, request.sequence, request.first_incomplete, request.learnt, digest}, now);
  if (const auto* refused = std::get_if<Window::Refused>(&verdict)) {
    RefuseWrite(request.token, refused->status, refused->retry_after_ms);
    return true;
  }
  const auto* seen = std::get_if<Window::Seen>(&verdict);
  if (seen == nullptr) return false;
  const WindowRow& row = *seen->row;
  if (row.version.lsn <= applied_.applied.lsn) {
    AnswerWrite(request.token, row.outcome, row.version);
  } else {
    Wait(row.version.lsn, {request.token, Stronger(level, row.level), request.deadline});
  }
  return true;
}

bool TabletCore::RefuseForRoom(const WriteRequest& request, bool disk_full) {
  if (disk_full || replica_.store_stalled()) {
    RefuseWrite(request.token, Error(Code::kOverloaded, "the disk takes no more writes for now"), kOverloadedRetryMs);
    return true;
  }
  size_t bytes = 0;
  for (const Write& write : request.writes) bytes += write.key.size() + write.value.size();
  if (overlay_.bytes() + bytes > options_.overlay_bytes_max && !overlay_.empty()) {
    RefuseWrite(request.token, Error(Code::kOverloaded, "too many writes of this tablet wait to be applied"),
                kOverloadedRetryMs);
    return true;
  }
  const auto mine = [this](const Write& write) { return applied_.range.Contains(write.key); };
  if (std::none_of(request.writes.begin(), request.writes.end(), mine)) {
    RefuseWrite(request.token, Error(Code::kWrongTablet, "the key is not in " + applied_.range.ToString()));
    return true;
  }
  return false;
}

Result<Evaluation> TabletCore::EvaluateInRange(const WriteRequest& request, TabletTime now) {
  for (size_t i = 0; i < request.writes.size(); ++i) {
    if (applied_.range.Contains(request.writes[i].key)) continue;
    return Evaluation{Refusal(Code::kInvalidArgument, "a batch lies within one tablet: the keys span several",
                              static_cast<int32_t>(i)),
                      {}};
  }
  return Evaluate(request.writes, {.now = now,
                                   .schema = *schema_,
                                   .overlay = overlay_,
                                   .read = readers_.record,
                                   .server = options_.self});
}

void TabletCore::Execute(const WriteRequest& request, uint64_t digest, AckLevel level, TabletTime now) {
  Result<Evaluation> evaluation = EvaluateInRange(request, now);
  if (!evaluation.has_value()) {
    RefuseWrite(request.token, std::move(evaluation.error()));
    return;
  }
  LogEntry entry;
  entry.kind = EntryKind::kWrite;
  entry.client = request.client;
  entry.sequence = request.sequence;
  entry.first_incomplete = request.first_incomplete;
  entry.request_digest = digest;
  entry.level = level;
  entry.outcome = std::move(evaluation->outcome);
  entry.effects = std::move(evaluation->effects);
  Wait(Append(std::move(entry), now_), {request.token, level, request.deadline});
  if (const std::optional<TabletTime> floor = window_.FloorToLog()) {
    LogEntry floor_entry;
    floor_entry.kind = EntryKind::kFloor;
    floor_entry.floor_time = *floor;
    Append(std::move(floor_entry), now_);
  }
}

Lsn TabletCore::Append(LogEntry entry, MonotonicTime now) {
  entry.version = replica_.NextVersion();
  entry.time = clock_.Now(now);
  auto shared = std::make_shared<const LogEntry>(std::move(entry));
  const Lsn lsn = shared->version.lsn;
  window_.Appended(*shared);
  overlay_.Add(shared);
  replica_.Propose(std::move(shared));
  return lsn;
}

// ---- purges ---------------------------------------------------------------------------------------------------------

void TabletCore::Step(const Purge& input) {
  Observe(input.now);
  const auto refuse = [&](Code code, std::string message) {
    if (input.token) purge_replies_.push_back({input.token, Status(code, std::move(message))});
  };
  if (!failure_.ok()) return refuse(failure_.code(), failure_.message());
  if (!replica_.Leads()) return refuse(Code::kNotPrimary, "this replica does not lead the tablet");
  if (applied_.applied.lsn < replay_upto_) return refuse(Code::kComeAgain, "the log is being replayed after a restart");
  if (replica_.store_stalled()) return refuse(Code::kOverloaded, "the disk takes no more writes for now");
  if (overlay_.bytes() > options_.overlay_bytes_max) {
    return refuse(Code::kOverloaded, "too many writes of this tablet wait to be applied");
  }
  clock_.See(input.reached, now_);
  const TabletTime now = clock_.Now(now_);
  Result<std::vector<Effect>> effects = PurgeEffects(input, now);
  if (!effects.has_value()) return refuse(effects.error().code(), effects.error().message());

  // Without anything to remove, an entry that is late enough may be there already.
  const Lsn last = replica_.last_appended().lsn;
  const EntryPtr newest = replica_.Held(last);
  if (effects->empty()) {
    if (!input.token) return;
    if (input.reached && applied_.time >= input.reached) {
      purge_replies_.push_back({input.token, {}, 0});
      return;
    }
    if (input.reached && newest != nullptr && newest->time >= input.reached) {
      return Wait(last, {.token = input.token, .purge = true});
    }
  }
  LogEntry entry;
  entry.kind = EntryKind::kPurge;
  entry.effects = *std::move(effects);
  const Lsn lsn = Append(std::move(entry), now_);
  if (input.token) Wait(lsn, {.token = input.token, .purge = true});
}

Result<std::vector<Effect>> TabletCore::PurgeEffects(const Purge& input, TabletTime now) {
  std::vector<Effect> effects;
  std::set<std::string_view> named;
  for (const ExpiredKey& expired : input.keys) {
    if (!applied_.range.Contains(expired.key)) continue;
    if (overlay_.Find(expired.key).has_value()) continue;  // written since: its own purge will come
    EBLA_ASSIGN(const std::optional<StoredRecord> record, readers_.record(expired.key));
    if (!record.has_value() || record->version != expired.version) continue;
    if (!record->expires_at || record->expires_at > now) continue;
    if (!named.insert(expired.key).second) continue;
    Effect effect;
    effect.key = expired.key;
    effect.is_delete = true;
    effects.push_back(std::move(effect));
  }
  return effects;
}

// ---- answers --------------------------------------------------------------------------------------------------------

void TabletCore::Wait(Lsn lsn, Waiter waiter) {
  next_deadline_ = std::min(next_deadline_, waiter.deadline);
  waiters_[lsn].push_back(std::move(waiter));
  ++waiting_;
}

void TabletCore::Answer(const Waiter& waiter, const LogEntry& entry) {
  --waiting_;
  if (waiter.purge) {
    purge_replies_.push_back({waiter.token, {}, entry.kind == EntryKind::kPurge ? entry.effects.size() : 0});
  } else {
    AnswerWrite(waiter.token, entry.outcome, entry.version);
  }
}

void TabletCore::AnswerWrite(RequestToken token, const Outcome& outcome, Version version) {
  WriteReply reply;
  reply.token = token;
  if (outcome.code != Code::kOk) reply.status = Status(outcome.code, outcome.message);
  if (outcome.wrote) reply.version = version;
  reply.counters = outcome.counters;
  reply.failed_index = outcome.failed_index;
  reply.applied = applied_.applied;
  reply.time = clock_.Now(now_);
  write_replies_.push_back(std::move(reply));
}

void TabletCore::RefuseWrite(RequestToken token, Status status, int64_t retry_after_ms) {
  WriteReply reply;
  reply.token = token;
  reply.status = std::move(status);
  reply.applied = applied_.applied;
  reply.time = clock_.Now(now_);
  reply.retry_after_ms = retry_after_ms;
  write_replies_.push_back(std::move(reply));
}

// The entry may be in the log, and committed by whoever leads next: only a retry can tell.
void TabletCore::GiveUp(const Waiter& waiter) {
  --waiting_;
  Status status = Error(Code::kUnknownOutcome, "the write was still being committed; retry it to learn its outcome");
  if (waiter.purge) {
    purge_replies_.push_back({waiter.token, Error(Code::kComeAgain, "the tablet's time has not been committed")});
  } else {
    RefuseWrite(waiter.token, std::move(status), kLearnRetryMs);
  }
}

void TabletCore::ExpireWaiters(MonotonicTime now) {
  if (now < next_deadline_) return;
  next_deadline_ = MonotonicTime::Max();
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    std::vector<Waiter>& waiters = at->second;
    std::erase_if(waiters, [&](const Waiter& waiter) {
      if (waiter.deadline <= now) {
        GiveUp(waiter);
        return true;
      }
      next_deadline_ = std::min(next_deadline_, waiter.deadline);
      return false;
    });
    at = waiters.empty() ? waiters_.erase(at) : std::next(at);
  }
}

// ---- the store's answers --------------------------------------------------------------------------------------------

void TabletCore::Step(const Stored& input) { replica_.Step(input); }

void TabletCore::Step(const StoreFailed& input) {
  const bool led = replica_.Leads();
  const Epoch epoch = replica_.epoch();
  replica_.Step(input);
  if (!replica_.failure().ok()) failure_ = replica_.failure();
  AfterMaster(led, epoch);
}

void TabletCore::Step(const Flushed& input) { replica_.Step(input); }

void TabletCore::Step(const Applied& input) {
  CHECK(batch_out_ && input.upto == batch_state_.applied.lsn) << "applied " << input.upto << " is not the batch offered";
  batch_out_ = false;
  applied_ = std::move(batch_state_);
  replica_.Step(input);
  overlay_.RemoveUpTo(input.upto);
  for (const EntryPtr& entry : batch_entries_) {
    const auto at = waiters_.find(entry->version.lsn);
    if (at == waiters_.end()) continue;
    for (const Waiter& waiter : at->second) Answer(waiter, *entry);
    waiters_.erase(at);
  }
  batch_entries_.clear();
  view_dirty_ = true;
}

void TabletCore::Step(ApplyFailed input) {
  CHECK(batch_out_);
  batch_out_ = false;
  if (input.status.code() != Code::kOverloaded && input.status.code() != Code::kComeAgain) return Die(input.status);
  refused_batch_ = std::move(input.batch);
  apply_stalled_ = true;
}

void TabletCore::Step(const Tick& input) {
  Observe(input.now);
  const bool stalled = replica_.store_stalled();
  replica_.Step(input);
  if (stalled) view_dirty_ = true;
  apply_stalled_ = false;
  ExpireWaiters(input.now);
}

// ---- outputs --------------------------------------------------------------------------------------------------------

bool TabletCore::CanApply() const {
  return failure_.ok() && !batch_out_ && !apply_stalled_ && applied_.applied.lsn < replica_.committed() &&
         replica_.role() != RoleKind::kAbsent;
}

bool TabletCore::HasOutput() const {
  return view_dirty_ || !write_replies_.empty() || !purge_replies_.empty() || !control_replies_.empty() ||
         replica_.HasOutput() || CanApply();
}

TabletOutput TabletCore::TakeOutput() {
  TabletOutput output;
  if (CanApply()) output.apply = NextBatch();
  ReplicaOutput replica = replica_.TakeOutput();
  output.state = std::move(replica.state);
  output.append = std::move(replica.append);
  output.flush = replica.flush;
  output.messages = std::move(replica.messages);
  for (ControlReply& reply : replica.replies) {
    reply.time = clock_.Now(now_);
    control_replies_.push_back(std::move(reply));
  }
  output.writes.swap(write_replies_);
  output.purges.swap(purge_replies_);
  output.controls.swap(control_replies_);
  if (view_dirty_) output.view = MakeView();
  view_dirty_ = false;
  return output;
}

std::optional<ApplyBatch> TabletCore::NextBatch() {
  if (refused_batch_.has_value()) {
    batch_out_ = true;
    return std::exchange(refused_batch_, std::nullopt);
  }
  ApplyBatch batch;
  batch.tablet = options_.tablet;
  batch.table = schema_->table;
  batch.state = applied_;
  size_t bytes = 0;
  for (Lsn lsn = applied_.applied.lsn.Next(); lsn <= replica_.committed() && bytes < options_.apply_bytes_max;
       lsn = lsn.Next()) {
    Result<EntryPtr> entry = EntryToApply(lsn);
    Status status = entry.has_value() ? AddToBatch(**entry, batch) : entry.error();
    if (!status.ok()) {
      batch_entries_.clear();
      Die(status);
      return std::nullopt;
    }
    bytes += (*entry)->ApproximateBytes();
    batch_entries_.push_back(*std::move(entry));
  }
  batch.window = window_.TakeChange();
  batch.state.window_floor = window_.floor();
  batch_state_ = batch.state;
  batch_out_ = true;
  return batch;
}

// From memory, or from the store's log where a restart left it, read in pieces.
Result<EntryPtr> TabletCore::EntryToApply(Lsn lsn) {
  if (EntryPtr held = replica_.Held(lsn)) return held;
  if (read_ahead_.empty()) {
    const Lsn last = std::min(replica_.committed(), replay_upto_);
    EBLA_ASSIGN(std::vector<LogEntry> entries, readers_.log(lsn, last, options_.apply_bytes_max));
    for (LogEntry& entry : entries) read_ahead_.push_back(std::make_shared<const LogEntry>(std::move(entry)));
  }
  if (read_ahead_.empty() || read_ahead_.front()->version.lsn != lsn) {
    return Error(Code::kInternal, "the log lacks entry " + std::to_string(lsn.value));
  }
  EntryPtr entry = std::move(read_ahead_.front());
  read_ahead_.pop_front();
  return entry;
}

Status TabletCore::AddToBatch(const LogEntry& entry, ApplyBatch& batch) {
  switch (entry.kind) {
    case EntryKind::kWrite:
    case EntryKind::kPurge:
    case EntryKind::kFloor: break;
    case EntryKind::kBarrier:
      batch.state.epoch_starts.push_back({entry.version.epoch, entry.version.lsn});
      if (batch.state.epoch_starts.size() > kEpochStartsMax) {
        batch.state.epoch_starts.erase(batch.state.epoch_starts.begin());
      }
      break;
    case EntryKind::kSplit:
    case EntryKind::kFreeze:
      return Error(Code::kInternal, "the log holds an entry at " + entry.version.ToString() + " that this version cannot apply");
  }
  for (const Effect& effect : entry.effects) batch.records.push_back({&effect, entry.version});
  window_.Apply(entry);
  batch.state.applied = entry.version;
  batch.state.time = std::max(batch.state.time, entry.time);
  return {};
}

void TabletCore::Die(const Status& status) {
  LOG(ERROR) << "tablet " << options_.tablet << ": " << status;
  Step(StoreFailed{status});
}

std::shared_ptr<const TabletView> TabletCore::MakeView() const {
  auto view = std::make_shared<TabletView>();
  view->tablet = options_.tablet;
  view->table = schema_->table;
  view->range = applied_.range;
  view->role = replica_.role();
  view->epoch = replica_.epoch();
  view->primary = replica_.primary();
  view->incomplete = replica_.state().incomplete;
  view->barrier_applied = replica_.BarrierApplied();
  view->lease_until = replica_.lease_until();
  view->applied = applied_.applied;
  view->applied_time = applied_.time;
  view->last_appended = replica_.last_appended();
  view->time = clock_.basis();
  view->replaying = replica_.role() != RoleKind::kAbsent && applied_.applied.lsn < replay_upto_;
  view->writes_stalled = replica_.store_stalled();
  view->pending_bytes = overlay_.bytes();
  view->epoch_starts = applied_.epoch_starts;
  view->schema = schema_;
  view->failure = failure_.message();
  return view;
}

}  // namespace ebla::tabletserver
