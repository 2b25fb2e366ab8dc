#include "tabletserver/storage/testing/memory_journal.h"

#include <algorithm>
#include <utility>

namespace ebla::tabletserver {

Status MemoryJournal::Log(Operation operation) {
  operation(logged_);
  journal_.push_back(std::move(operation));
  return {};
}

void MemoryJournal::MakeDurable(uint64_t position) {
  for (; base_ < position; ++base_) {
    journal_.front()(durable_);
    journal_.pop_front();
  }
  written_ = std::max(written_, base_);
}

void MemoryJournal::Crash(SimulatedDisk::CrashKind kind, std::mt19937_64& random) {
  const uint64_t sure = kind == SimulatedDisk::CrashKind::kProcess ? written_ : base_;
  MakeDurable(sure + random() % (end() - sure + 1));
  journal_.clear();
  written_ = base_;
  logged_ = durable_;
}

Status MemoryJournal::Append(std::span<const AppendBatch> batches) {
  std::vector<std::pair<TabletId, LogEntry>> entries;
  for (const AppendBatch& batch : batches) {
    for (const LogEntry* entry : batch.entries) entries.emplace_back(batch.tablet, *entry);
  }
  return Log([entries = std::move(entries)](Image& image) {
    for (const auto& [tablet, entry] : entries) image.logs[tablet][entry.version.lsn] = entry;
  });
}

Status MemoryJournal::PutState(TabletId tablet, const ReplicaState& state) {
  return Log([tablet, state](Image& image) { image.states[tablet] = state; });
}

Result<std::vector<LogEntry>> MemoryJournal::Read(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) {
  std::vector<LogEntry> entries;
  const auto log = logged_.logs.find(tablet);
  if (log == logged_.logs.end()) return entries;
  size_t bytes = 0;
  for (auto at = log->second.lower_bound(from); at != log->second.end() && at->first <= last; ++at) {
    if (bytes >= bytes_max && !entries.empty()) break;
    bytes += at->second.ApproximateBytes();
    entries.push_back(at->second);
  }
  return entries;
}

Status MemoryJournal::RemoveSuffix(TabletId tablet, Lsn from) {
  auto& log = logged_.logs[tablet];
  while (!log.empty() && log.rbegin()->first >= from) {
    EBLA_TRY(Log([tablet, lsn = log.rbegin()->first](Image& image) { image.logs[tablet].erase(lsn); }));
  }
  return {};
}

Status MemoryJournal::Truncate(TabletId tablet, Lsn below) {
  return Log([tablet, below](Image& image) {
    auto& log = image.logs[tablet];
    log.erase(log.begin(), log.lower_bound(below));
  });
}

Status MemoryJournal::Forget(TabletId tablet) {
  return Log([tablet](Image& image) { image.logs.erase(tablet); });
}

Status MemoryJournal::PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) {
  std::vector<UnresolvedLogEntry> unresolved;
  for (const LogEntry* entry : entries) unresolved.push_back({tablet, table, *entry});
  return Log([unresolved = std::move(unresolved)](Image& image) {
    for (const UnresolvedLogEntry& one : unresolved) image.unresolved.try_emplace({one.tablet, one.entry.version}, one);
  });
}

Result<std::vector<UnresolvedLogEntry>> MemoryJournal::ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                                      size_t entries_max, size_t bytes_max) {
  std::vector<UnresolvedLogEntry> listed;
  const auto& unresolved = logged_.unresolved;
  size_t bytes = 0;
  for (auto at = unresolved.upper_bound({after.tablet, after.version}); at != unresolved.end(); ++at) {
    if (listed.size() == entries_max || bytes > bytes_max) break;
    if (table && at->second.table != table) continue;
    listed.push_back(at->second);
    bytes += listed.back().entry.ApproximateBytes();
  }
  return listed;
}

Status MemoryJournal::DiscardUnresolved(TabletId tablet, Version version) {
  return Log([tablet, version](Image& image) { image.unresolved.erase({tablet, version}); });
}

void MemoryJournal::CountUnresolved(TabletStore::Health& health) const {
  for (const auto& [place, unresolved] : logged_.unresolved) {
    ++(place.first ? health.rolled_back_entries : health.hinted_entries);
    (place.first ? health.rolled_back_bytes : health.hinted_bytes) +=
        static_cast<int64_t>(unresolved.entry.ApproximateBytes());
  }
}

LogBounds MemoryJournal::Bounds(TabletId tablet) const {
  const auto log = logged_.logs.find(tablet);
  if (log == logged_.logs.end() || log->second.empty()) return {};
  return {log->second.begin()->first, log->second.rbegin()->first};
}

std::optional<MemoryLog::Presence> MemoryJournal::PresenceOf(TabletId tablet) {
  const auto state = logged_.states.find(tablet);
  if (state == logged_.states.end()) return std::nullopt;
  return Presence{state->second.table, state->second.tombstone};
}

Result<std::vector<RecoveredReplica>> MemoryJournal::RecoverStates() {
  std::vector<RecoveredReplica> replicas;
  for (const auto& [tablet, state] : logged_.states) {
    RecoveredReplica& replica = replicas.emplace_back();
    replica.tablet = tablet;
    replica.state = state;
  }
  return replicas;
}

Status MemoryJournal::RecoverBounds(RecoveredReplica& replica) {
  const auto log = logged_.logs.find(replica.tablet);
  if (log == logged_.logs.end() || log->second.empty()) return {};
  replica.first_logged = log->second.begin()->second.version;
  replica.last_logged = log->second.rbegin()->second.version;
  return {};
}

Status MemoryJournal::Flush(FlushMode mode, uint64_t position) {
  written_ = std::max(written_, position);
  if (mode == FlushMode::kSync) MakeDurable(position);
  return {};
}

Status MemoryJournal::EndCheckpoint(uint64_t position) {
  MakeDurable(position);
  return {};
}

}  // namespace ebla::tabletserver
