#include "tabletserver/hints/hinted_writes.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/number_limits.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/tablet/write_evaluator.h"

namespace ebla::tabletserver {
namespace {

constexpr int64_t kHintsFullRetryMs = 100;
constexpr size_t kEntriesAtOnce = 1000, kBytesAtOnce = 16 << 20;

bool Passes(const std::vector<Write>& writes, DiskRoom room) {
  const auto deletes = [&] {
    return std::ranges::all_of(writes, [](const Write& write) { return write.kind == WriteKind::kDelete; });
  };
  return room == DiskRoom::kAll || (room == DiskRoom::kDeletes && deletes());
}

}  // namespace

Status CheckHintedWrites(const std::vector<Write>& writes, const TabletView& view) {
  if (view.schema == nullptr || !view.schema->last_write_wins) {
    return Error(Code::kInvalidArgument, "level ANY needs a last_write_wins table; use PRIMARY, MAJORITY or ALL");
  }
  for (const Write& write : writes) {
    const bool plain = write.kind == WriteKind::kPut || write.kind == WriteKind::kDelete;
    if (!plain || write.condition.kind != Condition::Kind::kNone) {
      return Error(Code::kInvalidArgument,
                   "level ANY takes only puts and deletes without conditions; use PRIMARY, MAJORITY or ALL");
    }
    if (view.range.Contains(write.key)) continue;
    // The first key led here: it has been split off since.
    if (!view.range.Contains(writes.front().key)) return Error(Code::kComeAgain, "the tablet has just been split");
    return Error(Code::kInvalidArgument, "the batch spans tablets: all keys of a batch must lie in one tablet");
  }
  return Status::Ok();
}

HintedWrites::HintedWrites(ServerName self, Incarnation incarnation, Options options, Ports ports)
    : self_(std::move(self)),
      incarnation_(incarnation),
      options_(options),
      ports_(std::move(ports)),
      calls_(ports_.executor, {options.queue_items_max, options.queue_bytes_max},
             [this](std::vector<WriteCall> calls) { Take(std::move(calls)); }) {}

Status HintedWrites::Recover() {
  UnresolvedPosition place;
  while (true) {
    EBLA_ASSIGN(const std::vector<UnresolvedLogEntry> stored,
                ports_.store.unresolved().List({}, place, kEntriesAtOnce, kBytesAtOnce));
    if (stored.empty()) return Status::Ok();
    for (const UnresolvedLogEntry& one : stored) {
      for (const Effect& effect : one.entry.effects) Remember(one.table, effect.key, effect.write_time_ms);
    }
    place = {stored.back().tablet, stored.back().entry.version};
  }
}

Status HintedWrites::Admit(WriteCall& call) {
  const auto view = call.handle->view();
  if (view == nullptr) return NoReplicaHere();
  EBLA_TRY(CheckHintedWrites(call.request.writes, *view));
  const size_t bytes = sizeof(WriteCall) + call.request.writes.size() * sizeof(Write) + call.bytes;
  if (calls_.Put(std::move(call), bytes)) return Status::Ok();
  return Error(Code::kOverloaded, "too many writes of level ANY wait on this server");
}

void HintedWrites::Answer(WriteCall& call, Status status) {
  WriteReply reply;
  if (status.code() == Code::kOverloaded) reply.retry_after_ms = kHintsFullRetryMs;
  reply.status = std::move(status);
  ports_.loops[call.loop]->Put(
      [done = std::move(call.done), reply = std::move(reply)]() mutable { done(std::move(reply)); }, 0);
}

// All that has gathered becomes durable with one flush.
void HintedWrites::Take(std::vector<WriteCall> calls) {
  const TabletStore::Health health = ports_.store.health();
  const MonotonicTime now = ports_.executor.Now();
  int64_t bytes = health.hinted_bytes;
  int64_t entries = health.hinted_entries;
  auto taken = std::make_shared<std::vector<WriteCall>>();
  FlushMode mode = FlushMode::kInterval;
  for (WriteCall& call : calls) {
    const auto view = call.handle->view();
    Status refusal;
    if (view == nullptr) {
      refusal = NoReplicaHere();
    } else if (now >= call.request.deadline) {
      refusal = Error(Code::kDeadlineExceeded, "the deadline passed before the write was executed");
    } else if (!Passes(call.request.writes, health.room)) {
      refusal = NoDiskRoom(health.room);
    } else if (bytes >= options_.bytes_max || entries >= options_.entries_max) {
      refusal = Error(Code::kOverloaded, "too many writes of level ANY wait to be delivered");
    }
    if (!refusal.ok()) {
      Answer(call, std::move(refusal));
      continue;
    }
    const Result<LogEntry> entry = EntryOf(call, *view);
    const LogEntry* const pointer = entry ? &*entry : nullptr;
    Status stored =
        entry ? ports_.store.unresolved().Put(TabletId{}, call.handle->table, {&pointer, 1}) : Status(entry.error());
    if (!stored.ok()) {
      Answer(call, std::move(stored));
      continue;
    }
    ++entries;
    bytes += static_cast<int64_t>(call.bytes);
    if (view->schema->durability == FlushMode::kSync) mode = FlushMode::kSync;
    taken->push_back(std::move(call));
  }
  if (taken->empty()) return;
  ports_.store.Flush(mode, ports_.executor, [this, taken](Status status) {
    for (WriteCall& call : *taken) {
      // It may be there after a restart all the same.
      Answer(call, status.ok() ? Status::Ok() : Status(Code::kUnknownOutcome, status.message()));
    }
    ports_.on_stored();
  });
}

Result<LogEntry> HintedWrites::EntryOf(const WriteCall& call, const TabletView& view) {
  const MonotonicTime now = ports_.executor.Now();
  const TabletTime known = std::max(view.time.Now(now), view.applied_time);
  const int64_t day_ms = std::max<int64_t>(ports_.day_clock.DayMs(), 1);
  // A replica without a message of its primary since its start knows only its applied time.
  const int64_t now_ms =
      view.time.at ? static_cast<int64_t>(known.value) : std::max(day_ms, static_cast<int64_t>(known.value));
  // In a doubt the machine's clock may be right, and the primary's time with it.
  const int64_t machine_ms = std::min(ports_.executor.TimeOfDayMs(), limits::kExpiryMsMax - limits::kTtlMsMax);
  const int64_t lives_from_ms = view.time.at ? now_ms : std::max(now_ms, machine_ms);
  LogEntry entry;
  entry.kind = EntryKind::kWrite;
  entry.version = {Epoch{incarnation_.value}, Lsn{++count_}};
  entry.time = TabletTime{static_cast<uint64_t>(now_ms)};
  entry.client = call.request.client;
  entry.sequence = call.request.sequence;
  entry.first_incomplete = call.request.first_incomplete;
  entry.level = AckLevel::kAny;
  entry.outcome.wrote = true;
  for (const Write& write : call.request.writes) {
    int64_t shown_ms = 0;
    EBLA_ASSIGN(const std::optional<StoredRecord> record, ports_.store.Get(call.handle->table, write.key));
    if (record) shown_ms = record->write_time_ms;
    Effect& effect = entry.effects.emplace_back();
    effect.key = write.key;
    effect.is_delete = write.kind == WriteKind::kDelete;
    effect.value = write.value;
    if (!effect.is_delete)
      effect.expires_at = ExpiryOf(write, TabletTime{static_cast<uint64_t>(lives_from_ms)}, *view.schema);
    effect.write_time_ms = StampOf(call.handle->table, write.key, now_ms, shown_ms + 1);
    effect.writer = self_;
  }
  return entry;
}

void HintedWrites::Remember(TableId table, const std::string& key, int64_t stamp_ms) {
  if (remembered_ >= options_.stamps_max) {
    for (auto& [id, given] : given_) {
      for (const auto& [one, stamp] : given.by_key) given.floor_ms = std::max(given.floor_ms, stamp);
      given.by_key.clear();
    }
    remembered_ = 0;
  }
  const auto [at, fresh] = given_[table].by_key.try_emplace(key, stamp_ms);
  at->second = std::max(at->second, stamp_ms);
  remembered_ += fresh ? 1 : 0;
}

int64_t HintedWrites::StampOf(TableId table, const std::string& key, int64_t now_ms, int64_t least_ms) {
  const Given& given = given_[table];
  const auto last = given.by_key.find(key);
  const int64_t before = std::max(given.floor_ms, last == given.by_key.end() ? 0 : last->second);
  const int64_t stamp_ms = std::max({now_ms, least_ms, before + 1});
  Remember(table, key, stamp_ms);
  return stamp_ms;
}

}  // namespace ebla::tabletserver
