#include "tabletserver/tablet/write_admission.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {

namespace {

constexpr int64_t kReplayRetryMs = 5;
constexpr int64_t kWritesFullRetryMs = 50;
constexpr int64_t kTransferRetryMs = 5;
constexpr int64_t kConflictsRetryMs = 1000;
constexpr int64_t kFrozenRetryMs = 5;

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

// ---- writes ---------------------------------------------------------------------------------------------------------

void WriteAdmission::Admit(AdmitWrite input) {
  const WriteRequest& request = input.request;
  if (RefuseEarly(request, input.now)) return;
  const TabletTime now = common_.Time();
  const AckLevel level = LevelOf(request);
  const uint64_t digest = DigestOf(request.writes);
  // The dedup window is checked before anything that depends on state, because a retry must get its first answer, not a
  // new refusal.
  const bool asks = rules::DedupWindowComesFirst() || LiesWithin(request);
  if (request.client && asks && AnswerFromDedupWindow(request, digest, level, now)) return;
  if (RefuseWhileFrozen(request)) return;
  if (RefuseOverloaded(input, level)) return;
  if (RefuseElsewhere(request)) return;
  if (split_.Park(input)) return;
  Execute(std::move(input), digest, level, now);
}

bool WriteAdmission::LiesWithin(const WriteRequest& request) const {
  return std::ranges::all_of(request.writes, [this](const Write& write) { return Contains(write.key); });
}

AckLevel WriteAdmission::LevelOf(const WriteRequest& request) const {
  return request.level == AckLevel::kDefault ? common_.schema->default_level : request.level;
}

bool WriteAdmission::Refuse(RequestToken token, Code code, std::string text, int64_t retry_ms) {
  replies_.RefuseWrite(token, Status(code, std::move(text)), retry_ms);
  return true;
}

bool WriteAdmission::RefuseEarly(const WriteRequest& request, MonotonicTime now) {
  const RequestToken token = request.token;
  // Not executed, and the tablet will have another primary.
  if (!common_.failure().ok())
    return Refuse(token, Code::kUnavailable, "the replica here has failed: " + common_.failure().message());
  if (request.deadline <= now)
    return Refuse(token, Code::kDeadlineExceeded, "the deadline had passed when the write arrived");
  if (common_.replica.role() == RoleKind::kAbsent) return Refuse(token, Code::kWrongTablet, "the tablet is not here");
  if (!common_.replica.Leads()) return Refuse(token, Code::kNotPrimary, "this replica is not the tablet's primary");
  if (common_.Replaying() && rules::WritesWaitForInheritedLog()) {
    return Refuse(token, Code::kComeAgain, "the log is being replayed", kReplayRetryMs);
  }
  if (!common_.replica.admitting())
    return Refuse(token, Code::kComeAgain, "the tablet's leadership is being transferred", kTransferRetryMs);
  if (LevelOf(request) == AckLevel::kAny) {
    // The request handler takes these (hinted_writes.h), but the table's default may have become ANY since it looked.
    if (request.level == AckLevel::kAny)
      return Refuse(token, Code::kInvalidArgument, "a tablet's log takes no write of level ANY");
    return Refuse(token, Code::kComeAgain, "the table's default level has just changed", kReplayRetryMs);
  }
  if (const Status status = CheckBatch(request.writes); !status.ok())
    return Refuse(token, status.code(), status.message());
  if (const Status status = CheckDelivered(request); !status.ok())
    return Refuse(token, status.code(), status.message());
  return false;
}

bool WriteAdmission::AnswerFromDedupWindow(const WriteRequest& request, uint64_t digest, AckLevel level,
                                           TabletTime now) {
  const DedupWindow::Verdict verdict = common_.dedup_window.Ask(
      {request.client, request.sequence, request.first_incomplete, request.learnt, digest}, now);
  if (const auto* refused = std::get_if<DedupWindow::Refused>(&verdict)) {
    return Refuse(request.token, refused->status.code(), refused->status.message(), refused->retry_after_ms);
  }
  const auto* seen = std::get_if<DedupWindow::Seen>(&verdict);
  if (seen == nullptr) return false;
  const DedupRow& row = *seen->row;
  if (!rules::DedupWindowCoversLog() && row.version.lsn > common_.applied.applied.lsn) return false;
  EntryPtr entry = common_.replica.log().Held(row.version.lsn);
  if (entry == nullptr) {  // applied
    auto first = std::make_shared<LogEntry>();
    first->version = row.version;
    first->outcome = row.outcome;
    entry = std::move(first);
  }
  const bool weaker = !rules::RetryKeepsStrongerLevel();
  waiters_.Wait({request.token, weaker ? AckLevel::kPrimary : Stronger(level, row.level), request.deadline, false,
                 std::move(entry), request.believed});
  return true;
}

// A write that no dedup window knows must be one that may come twice.
Status WriteAdmission::CheckDelivered(const WriteRequest& request) const {
  for (const Write& write : request.writes) {
    if (write.stamp.has_value() == static_cast<bool>(request.client)) {
      return Error(Code::kInvalidArgument, "a write names its client, or the time and server of its acceptance");
    }
  }
  if (request.client || common_.schema->last_write_wins) return {};
  return Error(Code::kInvalidArgument, "only a last_write_wins table takes writes that carry their time");
}

bool WriteAdmission::RefuseWhileFrozen(const WriteRequest& request) {
  if (!freeze_.frozen() || !rules::FreezeEndsWrites()) return false;
  return Refuse(request.token, Code::kComeAgain, "the tablet is being merged", kFrozenRetryMs);
}

// In memory nothing of a write reaches the disk, unless it is rolled back at PRIMARY (PROTOCOL 22).
DiskRoom WriteAdmission::DiskRoomFor(const Room& room, AckLevel level) const {
  return common_.schema->in_memory && level != AckLevel::kPrimary ? DiskRoom::kAll : room.disk;
}

bool WriteAdmission::RefuseOverloaded(const AdmitWrite& input, AckLevel level) {
  const WriteRequest& request = input.request;
  const RequestToken token = request.token;
  if (input.room.rolled_back_full && level == AckLevel::kPrimary) {
    return Refuse(token, Code::kOverloaded,
                  "this server holds as many rolled-back PRIMARY writes as --conflicts_mb allows: settle its conflict "
                  "records, or write at MAJORITY",
                  kConflictsRetryMs);
  }
  if (DiskRoomFor(input.room, level) == DiskRoom::kNone) {
    replies_.RefuseWrite(token, NoDiskRoom(DiskRoom::kNone), kWritesFullRetryMs);
    return true;
  }
  if (common_.replica.store_stalled()) {
    return Refuse(token, Code::kOverloaded, "the disk takes no more writes for now", kWritesFullRetryMs);
  }
  // The write would be logged and answered by the next primary, without a bound on the delay.
  if (common_.files_damaged) {
    return Refuse(token, Code::kOverloaded,
                  "files of this replica are damaged: writes wait until the tablet has another primary",
                  kWritesFullRetryMs);
  }
  size_t bytes = 0;
  for (const Write& write : request.writes) bytes += write.key.size() + write.value.size();
  if (pending_bytes() + bytes > common_.options.unapplied_bytes_max && pending_bytes() > 0) {
    return Refuse(token, Code::kOverloaded, "too many writes of this tablet wait to be applied", kWritesFullRetryMs);
  }
  return false;
}

bool WriteAdmission::RefuseElsewhere(const WriteRequest& request) {
  if (std::ranges::any_of(request.writes, [this](const Write& write) { return Contains(write.key); })) return false;
  return Refuse(request.token, Code::kWrongTablet, "the key is not in " + common_.applied.range.ToString());
}

Result<Evaluation> WriteAdmission::EvaluateInRange(std::vector<Write> writes, TabletTime now) {
  for (size_t i = 0; i < writes.size(); ++i) {
    if (Contains(writes[i].key)) continue;
    return Evaluation{
        Refusal(Code::kInvalidArgument, "the batch spans tablets: all keys of a batch must lie in one tablet",
                static_cast<int32_t>(i)),
        {}};
  }
  return Evaluate(std::move(writes), {.now = now,
                                      .schema = *common_.schema,
                                      .unapplied = common_.unapplied,
                                      .read = common_.readers.records,
                                      .range = common_.applied.range,
                                      .functions = common_.options.functions.get(),
                                      .server = common_.options.self,
                                      .tombstone_retention_ms = common_.options.tombstone_retention_ms,
                                      .change_version = common_.replica.NextVersion()});
}

void WriteAdmission::Execute(AdmitWrite input, uint64_t digest, AckLevel level, TabletTime now) {
  WriteRequest& request = input.request;
  const bool conditional = std::ranges::any_of(request.writes, IsConditional);
  Result<Evaluation> evaluation = EvaluateInRange(std::move(request.writes), now);
  if (!evaluation.has_value()) {
    replies_.RefuseWrite(request.token, std::move(evaluation.error()));
    return;
  }
  // Only now is it known what a function takes.
  const bool frees = OnlyDeletes(evaluation->effects);
  if (const DiskRoom room = DiskRoomFor(input.room, level); room != DiskRoom::kAll && !frees) {
    replies_.RefuseWrite(request.token, NoDiskRoom(room), kWritesFullRetryMs);
    return;
  }
  if (!input.room.memory.ok() && !frees) {
    replies_.RefuseWrite(request.token, input.room.memory, kWritesFullRetryMs).full = !input.room.evicts;
    return;
  }
  LogEntry entry;
  entry.kind = EntryKind::kWrite;
  entry.client = request.client;
  entry.sequence = request.sequence;
  entry.first_incomplete = request.first_incomplete;
  entry.request_digest = digest;
  entry.level = level;
  entry.conditional = conditional;
  entry.outcome = std::move(evaluation->outcome);
  entry.effects = std::move(evaluation->effects);
  const bool refusal = !entry.outcome.wrote && entry.outcome.code != Code::kOk;
  if (refusal && !rules::RefusalsAreLogged())
    return waiters_.AnswerWrite(request.token, entry.outcome, {}, request.believed);
  waiters_.Wait({request.token, level, request.deadline, false, common_.Append(std::move(entry)), request.believed});
  if (const std::optional<TabletTime> floor = common_.dedup_window.FloorToLog()) {
    LogEntry floor_entry;
    floor_entry.kind = EntryKind::kFloor;
    floor_entry.floor_time = *floor;
    common_.Append(std::move(floor_entry));
  }
}

// ---- purges ---------------------------------------------------------------------------------------------------------

void WriteAdmission::Admit(const Purge& input) {
  const auto refuse = [&](Code code, std::string message) {
    if (input.token) replies_.Purge({input.token, Status(code, std::move(message))});
  };
  if (!common_.failure().ok()) return refuse(common_.failure().code(), common_.failure().message());
  if (!common_.replica.Leads()) return refuse(Code::kNotPrimary, "this replica is not the tablet's primary");
  if (!common_.replica.admitting()) return refuse(Code::kComeAgain, "the tablet's leadership is being transferred");
  if (common_.Replaying()) return refuse(Code::kComeAgain, "the log is being replayed");
  if (freeze_.frozen() && rules::FreezeEndsWrites()) return refuse(Code::kComeAgain, "the tablet is being merged");
  if (common_.replica.store_stalled()) return refuse(Code::kOverloaded, "the disk takes no more writes for now");
  if (common_.files_damaged) return refuse(Code::kOverloaded, "files of this replica are damaged");
  if (common_.unapplied.bytes() > common_.options.unapplied_bytes_max) {
    return refuse(Code::kOverloaded, "too many writes of this tablet wait to be applied");
  }
  // The entry of a later time must be in the log that continues the record's history.
  const auto elsewhere = [this](const ExpiredKey& one) { return !Contains(one.key) || split_.TakesKey(one.key); };
  if (input.token && std::ranges::any_of(input.keys, elsewhere)) {
    return refuse(Code::kComeAgain, "the tablet is being split");
  }
  common_.clock.RaiseTo(input.reached, common_.now);
  const TabletTime now = common_.Time();
  Result<std::vector<Effect>> effects = PurgeEffects(input, now);
  if (!effects.has_value()) return refuse(effects.error().code(), effects.error().message());

  // Without anything to remove, an entry that is late enough may be there already.
  const Lsn last = common_.replica.last_appended().lsn;
  const EntryPtr newest = common_.replica.log().Held(last);
  if (effects->empty()) {
    if (!input.token) return;
    if (input.reached && common_.applied.time >= input.reached) {
      replies_.Purge({input.token, {}, 0});
      return;
    }
    if (input.reached && newest != nullptr && newest->time >= input.reached) {
      return waiters_.Wait({.token = input.token, .deadline = input.deadline, .purge = true, .entry = newest});
    }
  }
  LogEntry entry;
  entry.kind = EntryKind::kPurge;
  entry.effects = *std::move(effects);
  EntryPtr appended = common_.Append(std::move(entry));
  if (input.token)
    waiters_.Wait({.token = input.token, .deadline = input.deadline, .purge = true, .entry = std::move(appended)});
}

Result<std::vector<Effect>> WriteAdmission::PurgeEffects(const Purge& input, TabletTime now) {
  std::vector<const ExpiredKey*> purged;
  std::vector<std::string_view> keys;
  for (const ExpiredKey& expired : input.keys) {
    if (!Contains(expired.key) || split_.TakesKey(expired.key)) continue;
    if (common_.unapplied.Find(expired.key).has_value()) continue;  // written since: its own purge will come
    purged.push_back(&expired);
    keys.emplace_back(expired.key);
  }
  std::vector<Effect> effects;
  std::set<std::string_view> named;
  for (size_t next = 0; next < keys.size();) {
    EBLA_ASSIGN(const auto records, common_.readers.records.get(std::span(keys).subspan(next)));
    for (const std::optional<StoredRecord>& record : records) {
      const ExpiredKey& expired = *purged[next++];
      if (!record.has_value() || record->version != expired.version) continue;
      std::optional<Effect> effect = PurgeEffect(expired, *record, now);
      if (effect && named.insert(expired.key).second) effects.push_back(*std::move(effect));
    }
  }
  return effects;
}

// None: the record stays.
std::optional<Effect> WriteAdmission::PurgeEffect(const ExpiredKey& expired, const StoredRecord& record,
                                                  TabletTime now) const {
  // While a write older than this one may be on its way, it stays remembered (as a delete), so as to win.
  const bool remembered =
      common_.schema->last_write_wins && record.write_time_ms != 0 &&
      record.write_time_ms + common_.options.tombstone_retention_ms > static_cast<int64_t>(now.value);
  const bool evicted = expired.evict && common_.schema->in_memory && !record.tombstone;
  const bool lives = record.tombstone ? remembered : !record.expires_at || record.expires_at > now;
  if (lives && !evicted) return std::nullopt;
  Effect effect;
  effect.key = expired.key;
  effect.is_delete = true;
  if (remembered) {
    effect.write_time_ms = record.write_time_ms;
    effect.writer = record.writer;
  }
  return effect;
}

}  // namespace ebla::tabletserver
