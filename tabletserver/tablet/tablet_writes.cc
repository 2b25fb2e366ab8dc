#include <glog/logging.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "tabletserver/tablet/rules.h"
#include "tabletserver/tablet/tablet_core.h"

namespace ebla::tabletserver {

namespace {

constexpr int64_t kReplayRetryMs = 5;
constexpr int64_t kWritesFullRetryMs = 50;
constexpr int64_t kTransferRetryMs = 5;
constexpr int64_t kConflictsRetryMs = 1000;
constexpr int64_t kLearnRetryMs = 5;  // when a retry would learn the outcome

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

std::string Joined(const std::vector<ServerName>& names) {
  std::string text;
  for (const ServerName& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

// ---- writes ---------------------------------------------------------------------------------------------------------

void TabletCore::Step(AdmitWrite input) {
  Observe(input.now);
  const WriteRequest& request = input.request;
  if (RefuseEarly(request, input.now)) return;
  const TabletTime now = clock_.Now(now_);
  const AckLevel level = LevelOf(request);
  const uint64_t digest = DigestOf(request.writes);
  // The dedup window comes before anything that depends on state: a retry must get its first answer, not a new refusal.
  const bool asks = rules::DedupWindowComesFirst() || LiesWithin(request);
  if (request.client && asks && AnswerFromDedupWindow(request, digest, level, now)) return;
  if (RefuseWhileFrozen(request)) return;
  if (RefuseForRoom(input, level)) return;
  if (ParkWhileSplitting(input)) return;
  Execute(request, digest, level, now);
}

bool TabletCore::LiesWithin(const WriteRequest& request) const {
  return std::ranges::all_of(request.writes, [this](const Write& write) { return applied_.range.Contains(write.key); });
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
  if (applied_.applied.lsn < replay_upto_ && rules::WritesWaitForInheritedLog()) {
    return refuse(Code::kComeAgain, "the log is being replayed", kReplayRetryMs);
  }
  if (!replica_.admitting())
    return refuse(Code::kComeAgain, "the tablet's leadership is being transferred", kTransferRetryMs);
  if (LevelOf(request) == AckLevel::kAny) {
    // The edge takes these (hinted_writes.h), but the table's default may have become ANY since it looked.
    if (request.level == AckLevel::kAny)
      return refuse(Code::kInvalidArgument, "a tablet's log takes no write of level ANY");
    return refuse(Code::kComeAgain, "the table's default level has just changed", kReplayRetryMs);
  }
  if (const Status status = CheckBatch(request.writes); !status.ok()) return refuse(status.code(), status.message());
  if (const Status status = CheckDelivered(request); !status.ok()) return refuse(status.code(), status.message());
  return false;
}

bool TabletCore::AnswerFromDedupWindow(const WriteRequest& request, uint64_t digest, AckLevel level, TabletTime now) {
  const DedupWindow::Verdict verdict =
      dedup_window_.Ask({request.client, request.sequence, request.first_incomplete, request.learnt, digest}, now);
  if (const auto* refused = std::get_if<DedupWindow::Refused>(&verdict)) {
    RefuseWrite(request.token, refused->status, refused->retry_after_ms);
    return true;
  }
  const auto* seen = std::get_if<DedupWindow::Seen>(&verdict);
  if (seen == nullptr) return false;
  const DedupRow& row = *seen->row;
  if (!rules::DedupWindowCoversLog() && row.version.lsn > applied_.applied.lsn) return false;
  EntryPtr entry = replica_.log().Held(row.version.lsn);
  if (entry == nullptr) {  // applied
    auto first = std::make_shared<LogEntry>();
    first->version = row.version;
    first->outcome = row.outcome;
    entry = std::move(first);
  }
  const bool weaker = !rules::RetryKeepsStrongerLevel();
  Wait({request.token, weaker ? AckLevel::kPrimary : Stronger(level, row.level), request.deadline, false,
        std::move(entry), request.believed});
  return true;
}

// A write that no dedup window knows must be one that may come twice.
Status TabletCore::CheckDelivered(const WriteRequest& request) const {
  for (const Write& write : request.writes) {
    if (write.stamp.has_value() == static_cast<bool>(request.client)) {
      return Error(Code::kInvalidArgument, "a write names its client, or the time and server of its acceptance");
    }
  }
  if (request.client || schema_->last_write_wins) return {};
  return Error(Code::kInvalidArgument, "only a last_write_wins table takes writes that carry their time");
}

bool TabletCore::RefuseForRoom(const AdmitWrite& input, AckLevel level) {
  const WriteRequest& request = input.request;
  if (input.conflicts_full && level == AckLevel::kPrimary) {
    RefuseWrite(request.token,
                Error(Code::kOverloaded,
                      "this server keeps as many rolled-back PRIMARY writes as it may: settle its conflict "
                      "records, or write at MAJORITY"),
                kConflictsRetryMs);
    return true;
  }
  if (input.disk_full || replica_.store_stalled()) {
    RefuseWrite(request.token, Error(Code::kOverloaded, "the disk takes no more writes for now"), kWritesFullRetryMs);
    return true;
  }
  size_t bytes = 0;
  for (const Write& write : request.writes) bytes += write.key.size() + write.value.size();
  if (unapplied_bytes() + bytes > options_.unapplied_bytes_max && unapplied_bytes() > 0) {
    RefuseWrite(request.token, Error(Code::kOverloaded, "too many writes of this tablet wait to be applied"),
                kWritesFullRetryMs);
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
                                   .unapplied = unapplied_,
                                   .read = readers_.record,
                                   .server = options_.self,
                                   .tombstone_retention_ms = options_.tombstone_retention_ms});
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
  entry.conditional = std::ranges::any_of(request.writes, [](const tabletserver::Write& write) {
    return write.condition.kind != Condition::Kind::kNone || write.kind == WriteKind::kIncrement;
  });
  entry.outcome = std::move(evaluation->outcome);
  entry.effects = std::move(evaluation->effects);
  const bool refusal = !entry.outcome.wrote && entry.outcome.code != Code::kOk;
  if (refusal && !rules::RefusalsAreLogged()) return AnswerWrite(request.token, entry.outcome, {}, request.believed);
  Wait({request.token, level, request.deadline, false, Append(std::move(entry), now_), request.believed});
  if (const std::optional<TabletTime> floor = dedup_window_.FloorToLog()) {
    LogEntry floor_entry;
    floor_entry.kind = EntryKind::kFloor;
    floor_entry.floor_time = *floor;
    Append(std::move(floor_entry), now_);
  }
}

EntryPtr TabletCore::Append(LogEntry entry, MonotonicTime now) {
  entry.version = replica_.NextVersion();
  entry.time = clock_.Now(now);
  auto shared = std::make_shared<const LogEntry>(std::move(entry));
  dedup_window_.Appended(*shared);
  unapplied_.Add(shared);
  replica_.Propose(shared);
  return shared;
}

// ---- purges ---------------------------------------------------------------------------------------------------------

void TabletCore::Step(const Purge& input) {
  Observe(input.now);
  const auto refuse = [&](Code code, std::string message) {
    if (input.token) purge_replies_.push_back({input.token, Status(code, std::move(message))});
  };
  if (!failure_.ok()) return refuse(failure_.code(), failure_.message());
  if (!replica_.Leads()) return refuse(Code::kNotPrimary, "this replica does not lead the tablet");
  if (!replica_.admitting()) return refuse(Code::kComeAgain, "the tablet's leadership is being transferred");
  if (applied_.applied.lsn < replay_upto_) return refuse(Code::kComeAgain, "the log is being replayed");
  if (Frozen() && rules::FreezeEndsWrites()) return refuse(Code::kComeAgain, "the tablet is being merged");
  if (replica_.store_stalled()) return refuse(Code::kOverloaded, "the disk takes no more writes for now");
  if (unapplied_.bytes() > options_.unapplied_bytes_max) {
    return refuse(Code::kOverloaded, "too many writes of this tablet wait to be applied");
  }
  // The entry of a later time has to stand in the log that goes on with the record.
  const auto elsewhere = [this](const ExpiredKey& one) {
    return !applied_.range.Contains(one.key) || GoesToChild(one.key);
  };
  if (input.token && std::ranges::any_of(input.keys, elsewhere)) {
    return refuse(Code::kComeAgain, "the tablet is being split");
  }
  clock_.See(input.reached, now_);
  const TabletTime now = clock_.Now(now_);
  Result<std::vector<Effect>> effects = PurgeEffects(input, now);
  if (!effects.has_value()) return refuse(effects.error().code(), effects.error().message());

  // Without anything to remove, an entry that is late enough may be there already.
  const Lsn last = replica_.last_appended().lsn;
  const EntryPtr newest = replica_.log().Held(last);
  if (effects->empty()) {
    if (!input.token) return;
    if (input.reached && applied_.time >= input.reached) {
      purge_replies_.push_back({input.token, {}, 0});
      return;
    }
    if (input.reached && newest != nullptr && newest->time >= input.reached) {
      return Wait({.token = input.token, .deadline = input.deadline, .purge = true, .entry = newest});
    }
  }
  LogEntry entry;
  entry.kind = EntryKind::kPurge;
  entry.effects = *std::move(effects);
  EntryPtr appended = Append(std::move(entry), now_);
  if (input.token)
    Wait({.token = input.token, .deadline = input.deadline, .purge = true, .entry = std::move(appended)});
}

Result<std::vector<Effect>> TabletCore::PurgeEffects(const Purge& input, TabletTime now) {
  std::vector<Effect> effects;
  std::set<std::string_view> named;
  for (const ExpiredKey& expired : input.keys) {
    if (!applied_.range.Contains(expired.key) || GoesToChild(expired.key)) continue;
    if (unapplied_.Find(expired.key).has_value()) continue;  // written since: its own purge will come
    EBLA_ASSIGN(const std::optional<StoredRecord> record, readers_.record(expired.key));
    if (!record.has_value() || record->version != expired.version) continue;
    // While a write older than this one may be on its way, it stays remembered (as a delete), so as to win.
    const bool remembered = schema_->last_write_wins && record->write_time_ms != 0 &&
                            record->write_time_ms + options_.tombstone_retention_ms > static_cast<int64_t>(now.value);
    if (record->tombstone ? remembered : !record->expires_at || record->expires_at > now) continue;
    if (!named.insert(expired.key).second) continue;
    Effect effect;
    effect.key = expired.key;
    effect.is_delete = true;
    if (remembered) {
      effect.write_time_ms = record->write_time_ms;
      effect.writer = record->writer;
    }
    effects.push_back(std::move(effect));
  }
  return effects;
}

// ---- answers --------------------------------------------------------------------------------------------------------

void TabletCore::Wait(Waiter waiter) {
  next_deadline_ = std::min(next_deadline_, waiter.deadline);
  Waiters& waiters = waiter.level == AckLevel::kPrimary ? until_flushed_
                     : waiter.level == AckLevel::kAll   ? until_all_
                                                        : until_applied_;
  waiters[waiter.entry->version.lsn].push_back(std::move(waiter));
  ++waiting_;
  Settle();
}

// Answers whom the log, the store and the other voters have satisfied by now.
void TabletCore::Settle() {
  if (waiting_ == 0) return;
  const Lsn applied = applied_.applied.lsn;
  SettleUpTo(until_flushed_, std::max(applied, replica_.log().flushed()));
  SettleUpTo(until_applied_, applied);
  if (!until_all_.empty()) SettleUpTo(until_all_, std::min(applied, replica_.standing().all_flushed()));
}

void TabletCore::SettleUpTo(Waiters& waiters, Lsn reached) {
  while (!waiters.empty() && waiters.begin()->first <= reached) {
    auto settled = waiters.extract(waiters.begin());
    for (const Waiter& waiter : settled.mapped()) Answer(waiter);
  }
}

void TabletCore::Answer(const Waiter& waiter) {
  --waiting_;
  const LogEntry& entry = *waiter.entry;
  if (waiter.purge) {
    purge_replies_.push_back({waiter.token, {}, entry.kind == EntryKind::kPurge ? entry.effects.size() : 0});
    return;
  }
  if (entry.version.lsn > applied_.applied.lsn && entry.version.lsn > pending_primary_) {
    pending_primary_ = entry.version.lsn;  // STRONG reads wait for it from now on (PROTOCOL 15)
    view_dirty_ = true;
  }
  AnswerWrite(waiter.token, entry.outcome, entry.version, waiter.believed);
}

void TabletCore::AnswerWrite(RequestToken token, const Outcome& outcome, Version version, TabletId believed) {
  WriteReply reply;
  reply.token = token;
  reply.tablet = options_.tablet;
  if (outcome.code != Code::kOk) reply.status = Status(outcome.code, outcome.message);
  if (outcome.wrote) reply.version = version;
  reply.counters = outcome.counters;
  reply.failed_index = outcome.failed_index;
  reply.applied = applied_.applied;
  reply.time = clock_.Now(now_);
  NameRange(version.lsn, believed, reply);
  write_replies_.push_back(std::move(reply));
}

void TabletCore::RefuseWrite(RequestToken token, Status status, int64_t retry_after_ms) {
  WriteReply reply;
  reply.token = token;
  reply.tablet = options_.tablet;
  reply.status = std::move(status);
  reply.applied = applied_.applied;
  reply.time = clock_.Now(now_);
  reply.retry_after_ms = retry_after_ms;
  write_replies_.push_back(std::move(reply));
}

// The entry may be in the log, and committed by whoever leads next: only a retry can tell.
void TabletCore::GiveUp(const Waiter& waiter) {
  --waiting_;
  if (waiter.purge) {
    const Code code = waiter.deadline <= now_ ? Code::kDeadlineExceeded : Code::kComeAgain;
    purge_replies_.push_back({waiter.token, Error(code, "the tablet's time has not been committed")});
    return;
  }
  const std::string missing = Joined(replica_.standing().Missing(waiter.entry->version.lsn));
  const std::string why = missing.empty() ? "" : "; not yet at " + missing;
  RefuseWrite(waiter.token,
              Error(Code::kUnknownOutcome, "the write was still being committed; retry it to learn its outcome" + why),
              kLearnRetryMs);
}

void TabletCore::GiveUpAll() {
  for (Waiters* waiters : {&until_flushed_, &until_applied_, &until_all_}) {
    for (const auto& [lsn, waiting] : std::exchange(*waiters, {})) {
      for (const Waiter& waiter : waiting) GiveUp(waiter);
    }
  }
}

void TabletCore::ExpireWaiters(MonotonicTime now) {
  if (now < next_deadline_) return;
  next_deadline_ = MonotonicTime::Max();
  ExpireParked(now);
  for (Waiters* waiters : {&until_flushed_, &until_applied_, &until_all_}) {
    for (auto at = waiters->begin(); at != waiters->end();) {
      std::erase_if(at->second, [&](const Waiter& waiter) {
        if (waiter.deadline <= now) {
          GiveUp(waiter);
          return true;
        }
        next_deadline_ = std::min(next_deadline_, waiter.deadline);
        return false;
      });
      at = at->second.empty() ? waiters->erase(at) : std::next(at);
    }
  }
}

}  // namespace ebla::tabletserver
