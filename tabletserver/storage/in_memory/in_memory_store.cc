#include "tabletserver/storage/in_memory/in_memory_store.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ebla::tabletserver {
namespace {

// Eviction brings a table's records to this part of its limit, because records arrive as fast as a server can write,
// and are evicted by log entries that must be committed first. Evicted records leave partly empty pages, which new
// records fill, so with these the table may be nearer to its limit. At worst it may exceed the limit a little before it
// refuses writes. Any other table refuses writes at its limit. The memory of requests in progress is added to all this.
constexpr double kEvictTo = 0.96, kEvictToWithHoles = 0.985;
constexpr double kEvictingRefusesFrom = 1.01;
constexpr double kKeptElsewhereMax = 0.06;  // of a server's limit
constexpr double kNoCopyFrom = 1.125;

Error NoTable(TableId table) { return {Code::kNoSuchTable, "no table " + std::to_string(table.value) + " is here"}; }

int64_t Part(int64_t bytes, double part) { return static_cast<int64_t>(static_cast<double>(bytes) * part); }

// Zero: there is no limit.
int64_t Smaller(int64_t a, int64_t b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

// The view of eviction: memory that the allocator keeps for no table counts too, up to a part of the limit, because it
// may remain from records. A table without eviction still accepts writes up to the limit.
int64_t TakenOfServer(int64_t by_tables, int64_t limit) {
  return by_tables + std::min(InMemoryArenas::KeptElsewhere(), Part(limit, kKeptElsewhereMax));
}

std::string Mebibytes(int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

// ---- tables ---------------------------------------------------------------------------------------------------------

InMemoryStore::TablePtr InMemoryStore::Find(TableId table) const {
  const ReaderLock lock(tables_mutex_);
  const auto found = tables_.find(table);
  return found == tables_.end() ? nullptr : found->second;
}

Result<InMemoryStore::TablePtr> InMemoryStore::FindOr(TableId table) const {
  TablePtr found = Find(table);
  if (found == nullptr) return std::unexpected(NoTable(table));
  return found;
}

void InMemoryStore::Ensure(TableId table, int64_t schema_version, const MemoryBounds& bounds) {
  TablePtr found = Find(table);
  if (found == nullptr) {
    const WriterLock lock(tables_mutex_);
    TablePtr& made = tables_[table];
    if (made == nullptr) made = std::make_shared<Table>();
    found = made;
  }
  int64_t before = found->schema_version.load(std::memory_order_relaxed);
  do {
    if (schema_version < before) return;
  } while (!found->schema_version.compare_exchange_weak(before, schema_version, std::memory_order_relaxed));
  found->limit_bytes.store(bounds.limit_bytes, std::memory_order_relaxed);
  found->records.SetEviction(bounds.eviction);
}

Status InMemoryStore::EnsureTable(TableId table, TableCompression) {
  Ensure(table, 0, {});
  return {};
}

Status InMemoryStore::DropTable(TableId table) {
  TablePtr dropped;  // freed without the lock
  {
    const WriterLock lock(tables_mutex_);
    if (auto found = tables_.extract(table)) dropped = std::move(found.mapped());
  }
  // The logs of parts of merged tablets too, which no later call forgets one by one.
  const WriterLock lock(logs_mutex_);
  std::erase_if(logs_, [&](const auto& log) { return dropped != nullptr && log.second->table == dropped; });
  return {};
}

std::vector<TableId> InMemoryStore::Tables() const {
  std::vector<TableId> tables;
  const ReaderLock lock(tables_mutex_);
  for (const auto& [id, table] : tables_) tables.push_back(id);
  return tables;
}

// ---- room -----------------------------------------------------------------------------------------------------------

int64_t InMemoryStore::AllBytes(double overhead) const {
  int64_t bytes = 0;
  for (const auto& [id, table] : tables_) bytes += table->BytesWith(overhead);
  return bytes;
}

std::vector<MemoryUse> InMemoryStore::Uses() const {
  std::vector<MemoryUse> uses;
  const ReaderLock lock(tables_mutex_);
  for (const auto& [id, table] : tables_) {
    MemoryUse& use = uses.emplace_back();
    use.table = id;
    use.bytes = table->bytes();
    use.log_bytes = table->log_bytes.load(std::memory_order_relaxed);
    use.records = table->records.records();
    use.limit_bytes = Smaller(table->limit_bytes.load(std::memory_order_relaxed), limit_bytes_);
    use.evicted = table->evicted.load(std::memory_order_relaxed);
    use.refused = table->refused.load(std::memory_order_relaxed);
  }
  return uses;
}

Status InMemoryStore::Admit(TableId id) {
  const ReaderLock lock(tables_mutex_);
  const auto found = tables_.find(id);
  if (found == tables_.end()) return {};
  Status room = RoomIn(*found->second);
  if (!room.ok()) found->second->refused.fetch_add(1, std::memory_order_relaxed);
  return room;
}

bool InMemoryStore::Evicts(TableId id) const {
  const ReaderLock lock(tables_mutex_);
  const auto found = tables_.find(id);
  return found != tables_.end() && found->second->records.eviction() != Eviction::kNone;
}

Status InMemoryStore::RoomIn(const Table& table) const {
  const bool evicts = table.records.eviction() != Eviction::kNone;
  const int64_t limit = table.limit_bytes.load(std::memory_order_relaxed);
  const auto refuse = [&](const std::string& whose) {
    return Error(Code::kOverloaded, whose + (evicts ? ", and eviction does not keep up: try again"
                                                    : ", and it evicts nothing: delete records, or raise the limit"));
  };
  const double overhead = InMemoryArenas::OverheadAtWorst(), from = evicts ? kEvictingRefusesFrom : 1;
  if (limit > 0 && table.BytesWith(overhead) >= Part(limit, from)) {
    return refuse("the table has reached its limit of " + Mebibytes(limit) + " on this server");
  }
  if (limit_bytes_ > 0 &&
      (evicts ? TakenOfServer(AllBytes(overhead), limit_bytes_) : AllBytes(overhead)) >= Part(limit_bytes_, from)) {
    return refuse("this server's memory tables have reached their limit of " + Mebibytes(limit_bytes_) +
                  " (--memory_tables_mb)");
  }
  return {};
}

Status InMemoryStore::RoomForCopy(TableId id, const KeyRange* discarded) const {
  const auto room_without = [&](int64_t bytes) -> Status {
    const ReaderLock lock(tables_mutex_);
    const auto found = tables_.find(id);
    if (found == tables_.end()) return {};
    const int64_t limit = found->second->limit_bytes.load(std::memory_order_relaxed);
    if (limit > 0 && found->second->bytes() - bytes >= Part(limit, kNoCopyFrom)) {
      return Error(Code::kOverloaded,
                   "the table takes more than its limit of " + Mebibytes(limit) + " on this server: no copy is taken");
    }
    if (limit_bytes_ > 0 && AllBytes(InMemoryArenas::Overhead()) - bytes >= Part(limit_bytes_, kNoCopyFrom)) {
      return Error(Code::kOverloaded, "this server's memory tables take more than their limit of " +
                                          Mebibytes(limit_bytes_) + " (--memory_tables_mb): no copy is taken");
    }
    return {};
  };
  Status room = room_without(0);
  const TablePtr table = room.ok() || discarded == nullptr ? nullptr : Find(id);
  if (table == nullptr) return room;
  const auto bytes = static_cast<double>(table->records.EstimateSize(*discarded).bytes);
  return room_without(static_cast<int64_t>(bytes * InMemoryArenas::Overhead()));
}

int64_t InMemoryStore::Excess(TableId id) const {
  const ReaderLock lock(tables_mutex_);
  const auto found = tables_.find(id);
  const bool evicts = found != tables_.end() && found->second->records.eviction() != Eviction::kNone;
  return evicts ? ExcessOf(*found->second) : 0;
}

int64_t InMemoryStore::ExcessOf(const Table& table) const {
  const auto above = [](int64_t limit, int64_t given, int64_t with_holes) {
    return std::max(given - Part(limit, kEvictTo), with_holes - Part(limit, kEvictToWithHoles));
  };
  const int64_t bytes = table.bytes();
  int64_t excess = 0;
  if (const int64_t limit = table.limit_bytes.load(std::memory_order_relaxed); limit > 0) {
    excess = std::max(excess, above(limit, table.BytesWith(1), bytes));
  }
  if (limit_bytes_ > 0) {
    // The tables that evict share the excess, each in proportion to its bytes.
    const int64_t too_much = above(limit_bytes_, TakenOfServer(AllBytes(1), limit_bytes_),
                                   TakenOfServer(AllBytes(InMemoryArenas::Overhead()), limit_bytes_));
    int64_t evicting = 0;
    for (const auto& [other, one] : tables_) {
      if (one->records.eviction() != Eviction::kNone) evicting += one->bytes();
    }
    if (too_much > 0 && evicting > 0) {
      const double share = static_cast<double>(bytes) / static_cast<double>(evicting);
      excess = std::max(excess, Part(too_much, std::min(share, 1.0)));
    }
  }
  return excess;
}

std::vector<MemoryPressure> InMemoryStore::Pressures() const {
  std::vector<MemoryPressure> pressures;
  const ReaderLock lock(tables_mutex_);
  for (const auto& [id, table] : tables_) {
    const int64_t excess = table->records.eviction() == Eviction::kNone ? 0 : ExcessOf(*table);
    const bool full = !RoomIn(*table).ok();
    if (excess <= 0 && !full) continue;
    const double part = static_cast<double>(excess) / static_cast<double>(std::max<int64_t>(table->bytes(), 1));
    pressures.push_back({id, std::clamp(part, 0.0, 1.0), full});
  }
  return pressures;
}

// Records that change their sizes, and many evictions, leave nearly empty pages. Evicting records at random would free
// few of these pages and empty the table. So the remaining records are moved together, a few at a time.
void InMemoryStore::Measure() {
  constexpr double kRepackFrom = 1.04;
  constexpr size_t kRecordsAtOnce = 10'000;
  constexpr int64_t kBytesAtOnce = 4 << 20;
  InMemoryArenas::Look();
  if (InMemoryArenas::Sparseness() < kRepackFrom) return;
  std::vector<TablePtr> tables;
  {
    const ReaderLock lock(tables_mutex_);
    for (const auto& [id, table] : tables_) tables.push_back(table);
  }
  for (const TablePtr& table : tables)
    table->records.Repack(kRecordsAtOnce / tables.size() + 1, kBytesAtOnce / std::ssize(tables));
}

std::vector<EvictionVictim> InMemoryStore::ChooseVictims(TableId id, std::span<const KeyRange> ranges, int64_t bytes,
                                                         size_t victims_max) {
  const TablePtr table = Find(id);
  return table == nullptr ? std::vector<EvictionVictim>() : table->records.ChooseVictims(ranges, bytes, victims_max);
}

void InMemoryStore::CountEvicted(TableId id, int64_t records) {
  if (const TablePtr table = Find(id)) table->evicted.fetch_add(records, std::memory_order_relaxed);
}

// ---- logs -----------------------------------------------------------------------------------------------------------

InMemoryStore::LogPtr InMemoryStore::FindLog(TabletId tablet) const {
  const ReaderLock lock(logs_mutex_);
  const auto found = logs_.find(tablet);
  return found == logs_.end() ? nullptr : found->second;
}

template <class Change>
void InMemoryStore::ChangeLog(TabletId tablet, Change change) {
  const LogPtr found = FindLog(tablet);
  if (found == nullptr) return;
  Log& log = *found;
  const MutexLock lock(log.mutex);
  const int64_t before = log.log.bytes();
  change(log.log);
  if (log.table != nullptr) log.table->log_bytes.fetch_add(log.log.bytes() - before, std::memory_order_relaxed);
}

void InMemoryStore::Append(TableId table, const AppendBatch& batch) {
  if (FindLog(batch.tablet) == nullptr) {
    TablePtr counted = Find(table);
    const WriterLock lock(logs_mutex_);
    LogPtr& log = logs_[batch.tablet];
    if (log == nullptr) {
      log = std::make_shared<Log>();
      log->table = std::move(counted);
    }
  }
  ChangeLog(batch.tablet, [&](InMemoryLog& log) {
    for (const LogEntry* const entry : batch.entries) log.Append(*entry);
  });
}

Result<std::vector<LogEntry>> InMemoryStore::ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) const {
  const LogPtr found = FindLog(tablet);
  if (found == nullptr) return std::vector<LogEntry>();
  const Log& log = *found;
  const MutexLock lock(log.mutex);
  return log.log.Read(from, last, bytes_max);
}

Lsn InMemoryStore::FirstLogged(TabletId tablet) const {
  const LogPtr found = FindLog(tablet);
  if (found == nullptr) return {};
  const Log& log = *found;
  const MutexLock lock(log.mutex);
  return log.log.first();
}

void InMemoryStore::RemoveSuffix(TabletId tablet, Lsn from) {
  ChangeLog(tablet, [from](InMemoryLog& log) { log.RemoveSuffix(from); });
}

void InMemoryStore::TruncateLog(TabletId tablet, Lsn below) {
  ChangeLog(tablet, [below](InMemoryLog& log) { log.Truncate(below); });
}

std::map<TabletId, Lsn> InMemoryStore::Applied() const {
  std::map<TabletId, Lsn> applied;
  const ReaderLock lock(tables_mutex_);
  for (const auto& [id, table] : tables_) table->records.AddApplied(applied);
  return applied;
}

std::map<TabletId, Lsn> InMemoryStore::AppliedOfLogs() const {
  const std::map<TabletId, Lsn> applied = Applied();
  std::map<TabletId, Lsn> of_logs;
  const ReaderLock lock(logs_mutex_);
  for (const auto& [tablet, log] : logs_) {
    const auto found = applied.find(tablet);
    if (found == applied.end()) continue;
    const MutexLock lock_of_log(log->mutex);
    if (log->log.bytes() > 0) of_logs.insert(*found);
  }
  return of_logs;
}

InMemoryStore::LogsUse InMemoryStore::Logs() const {
  LogsUse use;
  {
    const ReaderLock lock(tables_mutex_);
    for (const auto& [id, table] : tables_) use.bytes += table->log_bytes.load(std::memory_order_relaxed);
  }
  const ReaderLock lock(logs_mutex_);
  use.tablets = std::ssize(logs_);
  return use;
}

// ---- records --------------------------------------------------------------------------------------------------------

Status InMemoryStore::Apply(std::span<const ApplyBatch> batches) {
  const auto of_first = [&](const ApplyBatch& batch) { return batch.table == batches.front().table; };
  if (std::ranges::all_of(batches, of_first)) {
    if (batches.empty()) return {};
    EBLA_ASSIGN(const TablePtr table, FindOr(batches.front().table));
    table->records.Apply(batches);
    return {};
  }
  std::map<TableId, std::vector<ApplyBatch>> by_table;
  for (const ApplyBatch& batch : batches) by_table[batch.table].push_back(batch);
  for (const auto& [table, of_table] : by_table) EBLA_TRY(Apply(of_table));
  return {};
}

Result<std::optional<StoredRecord>> InMemoryStore::Get(TableId id, std::string_view key, SnapshotPosition* position) {
  EBLA_ASSIGN(const TablePtr table, FindOr(id));
  return table->records.Get(key, position);
}

Result<std::vector<std::optional<StoredRecord>>> InMemoryStore::MultiGet(TableId id,
                                                                         std::span<const std::string_view> keys,
                                                                         size_t bytes_max, SnapshotPosition* position) {
  EBLA_ASSIGN(const TablePtr table, FindOr(id));
  return table->records.MultiGet(keys, bytes_max, position);
}

Status InMemoryStore::Read(TableId id, SnapshotPosition* position, const ViewBody& body) {
  EBLA_ASSIGN(const TablePtr table, FindOr(id));
  return table->records.Read(position, body);
}

Status InMemoryStore::ReplaceInterval(TableId id, const KeyRange& interval,
                                      std::span<const std::pair<std::string, StoredRecord>> records) {
  EBLA_TRY(CheckInterval(interval, records));
  EBLA_ASSIGN(const TablePtr table, FindOr(id));
  table->records.Replace(interval, records);
  return {};
}

Result<std::vector<RecordStore::RangeSize>> InMemoryStore::EstimateSizes(TableId id, std::span<const KeyRange> ranges) {
  EBLA_ASSIGN(const TablePtr table, FindOr(id));
  std::vector<RangeSize> sizes;
  for (const KeyRange& range : ranges) sizes.push_back(table->records.EstimateSize(range));
  return sizes;
}

Status InMemoryStore::Forget(TabletId tablet) {
  {
    const ReaderLock lock(tables_mutex_);
    for (const auto& [id, table] : tables_) table->records.Forget(tablet);
  }
  ChangeLog(tablet, [](InMemoryLog& log) { log.RemoveSuffix({}); });
  const WriterLock lock(logs_mutex_);
  logs_.erase(tablet);
  return {};
}

}  // namespace ebla::tabletserver
