#include "tabletserver/storage/testing/memory_shared_log.h"

#include <utility>

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

namespace {

SharedLogOptions SmallLog() {
  return {.segment_bytes = 64 << 10,
          .tail_bytes = 8 << 10,
          .moved_below = 0.5,
          .kept_segments = 2,
          .new_log_id = 1,
          .progress = nullptr};
}

}  // namespace

// ---- lives ---------------------------------------------------------------------------------------------------------

Status MemorySharedLog::Begin() {
  EBLA_ASSIGN(std::unique_ptr<SharedLog> shared, SharedLog::Open(disk_, SmallLog()));
  LogOwner& owner = *this;
  life_ = std::make_unique<Life>(std::move(shared), owner);
  return life_->unresolved.Open();
}

void MemorySharedLog::Open() {
  // The former life, if it is still there, has ended well.
  if (life_ && dead_.ok()) life_->log.Flush(FlushMode::kSync).ok();
  life_.reset();
  FailNext({});
  dead_ = {};
  if (Status begun = Begin(); !begun.ok()) dead_ = std::move(begun);
}

bool MemorySharedLog::FailNext(const Status& error) {
  using Failure = SimulatedLogDisk::Failure;
  constexpr Failure kFailures[] = {Failure::kSync, Failure::kWrite, Failure::kDamagedRead};
  injected_ = error;
  disk_.FailNext(error.ok() ? Failure::kNone : kFailures[random_() % std::size(kFailures)]);
  return true;
}

Status MemorySharedLog::Fail(Status reason) {
  const bool meant = !injected_.ok() && !disk_.fails_next();
  if (dead_.ok()) dead_ = meant ? Status(injected_.code(), injected_.message() + ": " + reason.message()) : reason;
  return dead_;
}

void MemorySharedLog::CrashIn(std::move_only_function<void()> work, SimulatedLogDisk::CrashKind kind) {
  disk_.CrashAt(disk_.steps() + 1 + static_cast<int64_t>(random_() % 4), kind);
  work();
  disk_.CrashNow(kind);
  life_.reset();
  disk_.Restart();
}

void MemorySharedLog::Crash(SimulatedDisk::CrashKind kind, std::mt19937_64&) {
  FailNext({});
  const auto of_disk = kind == SimulatedDisk::CrashKind::kProcess ? SimulatedLogDisk::CrashKind::kProcess
                                                                  : SimulatedLogDisk::CrashKind::kMachine;
  const auto work = [this] {
    if (!life_) return;
    switch (random_() % 4) {
      case 0: life_->log.Flush(FlushMode::kInterval).ok(); break;
      case 1: life_->log.Flush(FlushMode::kSync).ok(); break;
      case 2: life_->log.Clean().ok(); break;
      default: break;
    }
  };
  CrashIn(work, of_disk);
  dead_ = {};
  if (random_() % 4 == 0) CrashIn([this] { Begin().ok() && life_->log.Clean().ok(); }, of_disk);
}

// ---- the port ------------------------------------------------------------------------------------------------------

Status MemorySharedLog::Append(std::span<const AppendBatch> batches) { return life_->log.Append(batches); }

Status MemorySharedLog::PutState(TabletId tablet, const ReplicaState& state) {
  return life_->log.PutState(tablet, state);
}

Result<std::vector<LogEntry>> MemorySharedLog::Read(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) {
  return life_->log.Read(tablet, from, last, bytes_max);
}

Status MemorySharedLog::RemoveSuffix(TabletId tablet, Lsn from) { return life_->log.RemoveSuffix(tablet, from); }

Status MemorySharedLog::Truncate(TabletId tablet, Lsn below) { return life_->log.Truncate(tablet, below); }

Status MemorySharedLog::Forget(TabletId tablet) { return life_->log.Forget(tablet, Lsn{}); }

Status MemorySharedLog::PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) {
  return life_->unresolved.Put(tablet, table, entries);
}

Result<std::vector<UnresolvedLogEntry>> MemorySharedLog::ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                                        size_t entries_max, size_t bytes_max) {
  return life_->unresolved.List(table, after, entries_max, bytes_max);
}

Status MemorySharedLog::DiscardUnresolved(TabletId tablet, Version version) {
  return life_->unresolved.Discard(tablet, version);
}

void MemorySharedLog::CountUnresolved(TabletStore::Health& health) const {
  if (!life_) return;
  health.rolled_back_entries = life_->unresolved.rolled_back().entries;
  health.rolled_back_bytes = life_->unresolved.rolled_back().bytes;
  health.hinted_entries = life_->unresolved.hinted().entries;
  health.hinted_bytes = life_->unresolved.hinted().bytes;
}

LogBounds MemorySharedLog::Bounds(TabletId tablet) const { return life_->log.Bounds(tablet); }

std::optional<MemoryLog::Presence> MemorySharedLog::PresenceOf(TabletId tablet) {
  const Result<std::optional<std::string>> value = life_->log.Get(ReplicaStateKey(tablet));
  if (!value || !*value) return std::nullopt;
  const Result<ReplicaState> state = DecodeReplicaState(**value);
  if (!state) return std::nullopt;
  return Presence{state->table, state->tombstone};
}

Result<std::vector<RecoveredReplica>> MemorySharedLog::RecoverStates() {
  std::vector<RecoveredReplica> replicas;
  for (std::string at;;) {
    EBLA_ASSIGN(const std::optional<StoreLog::Value> state, life_->log.Next(kReplicaStateKeys, at));
    if (!state) return replicas;
    at = state->first;
    RecoveredReplica& replica = replicas.emplace_back();
    EBLA_ASSIGN(replica.tablet, ParseReplicaStateKey(at));
    EBLA_ASSIGN(replica.state, DecodeReplicaState(state->second));
  }
}

Status MemorySharedLog::RecoverBounds(RecoveredReplica& replica) { return life_->log.Recover(replica); }

Status MemorySharedLog::SyncStates(std::span<const ApplyBatch> batches) { return life_->log.SyncStates(batches); }

Status MemorySharedLog::SyncStates() { return life_->log.SyncStates(); }

void MemorySharedLog::BeginFlush(FlushMode mode) {
  if (mode == FlushMode::kSync) life_->log.Flush(FlushMode::kInterval).ok();
}

// The cleaner comes now and then.
Status MemorySharedLog::Flush(FlushMode mode, uint64_t) {
  EBLA_TRY(life_->log.Flush(mode));
  return random_() % 8 == 0 ? life_->log.Clean() : Status();
}

Status MemorySharedLog::EndCheckpoint(uint64_t) { return life_->log.Clean(); }

}  // namespace ebla::tabletserver
