#include "tabletserver/storage/wiredtiger/wt_store.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/base/mutex.h"
#include "tabletserver/storage/wiredtiger/thread_reads.h"
#include "tabletserver/storage/wiredtiger/wt_parts.h"
#include "tabletserver/storage/wiredtiger/wt_young_cache.h"

namespace ebla::tabletserver {

namespace {

// Small rows come and go in most of the tables; pages of the log and of data hold some dozens of them, and values stay
// on the leaf pages (an overflow page would cost a second read and forbid fast range truncation). What eviction has
// handed to the operating system is on its way to the disk after a MB (wt_files.h): else it gathers there, and when it
// goes out at once, after half a minute, every fsync of the log waits behind it.
// A page that has outgrown memory_page_max may have to be written out by the thread that comes across it, so it is not
// WiredTiger's own 5 MB, which took 20 to 80 ms; half a MB takes 2 to 8 (wt_log.cc spares the shards that).
constexpr char kRowConfig[] = "key_format=u,value_format=u,os_cache_dirty_max=1MB,memory_page_max=512KB";
constexpr char kLargePages[] = ",leaf_page_max=32KB,leaf_value_max=64MB,split_pct=90";

constexpr int64_t kLittleSpace = int64_t{1} << 30;  // below it nothing is held back

std::string_view CompressorName(TableCompression compression) {
  switch (compression) {
    case TableCompression::kNone: return "none";
    case TableCompression::kSnappy: return "snappy";
    case TableCompression::kZlib: return "zlib";
  }
  return "none";
}

bool IsLogged(SystemTable table) { return table < SystemTable::kApplied; }

}  // namespace

WtStore::WtStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<WtStore>> WtStore::Open(WtStoreOptions options) {
  CHECK(options.flusher != nullptr && options.background != nullptr && options.watcher != nullptr)
      << "the store owns no threads";
  EBLA_ASSIGN(StoreDirectory directory, StoreDirectory::Open(options.directory));
  auto parts = std::make_unique<Parts>(std::move(options), std::move(directory));
  parts->reserve.BeforeOpen();
  EBLA_TRY(parts->OpenDatabase());
  parts->Watch();
  return std::unique_ptr<WtStore>(new WtStore(std::move(parts)));
}

void WtStore::Hurry() { parts_->closing = true; }

WtStore::~WtStore() {
  Hurry();
  parts_->watch_gate->Close();
  parts_->gate->Close();
  parts_->flusher.reset();
  parts_->sessions->Close();
}

Status WtStore::Parts::OpenDatabase() {
  EBLA_ASSIGN(connection, WtConnection::Open(options));
  EBLA_TRY(AgeCache(*connection));
  sessions = std::make_shared<WtSessions>(*connection, options.sessions_max);
  EBLA_ASSIGN(const WtSessions::Use session, sessions->ForThisThread());
  WT_SESSION* const raw = session->get();
  for (size_t i = 0; i < kSystemTables; ++i) {
    const auto table = static_cast<SystemTable>(i);
    const std::string config = std::string(kRowConfig) + (table == SystemTable::kOplog ? kLargePages : "") +
                               (IsLogged(table) ? "" : ",log=(enabled=false)");
    EBLA_TRY(connection->Check(raw->create(raw, SystemTableUri(table).c_str(), config.c_str()), "making a table"));
    WT_CURSOR* cursor = nullptr;
    EBLA_TRY(connection->Check(session->Cursor(table, &cursor), "opening " + SystemTableUri(table)));
  }
  EBLA_TRY(FindTables(*session));
  EBLA_TRY(CountUnresolved(*session));
  flusher = std::make_unique<WtFlusher>(*connection, *sessions, *options.flusher, options.interval);
  return {};
}

Status WtStore::Parts::FindTables(WtSession& session) {
  WT_SESSION* const raw = session.get();
  WT_CURSOR* cursor = nullptr;
  EBLA_TRY(connection->Check(raw->open_cursor(raw, "metadata:", nullptr, nullptr, &cursor), "reading the metadata"));
  const std::string prefix = DataTableUri(TableId{}).substr(0, DataTableUri(TableId{}).size() - 1);
  int error = 0;
  while ((error = cursor->next(cursor)) == 0) {
    const char* key = nullptr;
    if ((error = cursor->get_key(cursor, &key)) != 0) break;
    const std::string_view uri = key;
    if (!uri.starts_with(prefix)) continue;
    MutexLock lock(tables_mutex);
    tables.try_emplace(TableId{std::strtoull(key + prefix.size(), nullptr, 10)});
  }
  cursor->close(cursor);
  return error == WT_NOTFOUND ? Status() : connection->Check(error, "reading the metadata");
}

void WtStore::Parts::Watch() {
  reserve.Check();
  // Far above the reserve: nobody is refused for what can be given back.
  const auto has_room = [this] {
    return reserve.last().free_bytes >= std::max(4 * options.disk_reserve_bytes, kLittleSpace);
  };
  while (!has_room() && recycler.FreeMuch()) reserve.Check();
  roomy = has_room();
  ReadCounters();
  if (!freeing) FreeFiles();
  if (!preparing) PrepareFiles();
  Later(options.disk_check_period, &Parts::Watch);
}

void WtStore::Parts::FreeFiles() {
  const std::optional<Duration> next = recycler.FreeSome();
  freeing = next.has_value();
  if (next) Later(*next, &Parts::FreeFiles);
}

void WtStore::Parts::PrepareFiles() {
  const std::optional<Duration> next = roomy ? recycler.PrepareSome() : std::nullopt;
  preparing = next.has_value();
  if (next) Later(*next, &Parts::PrepareFiles);
}

void WtStore::Parts::Later(Duration rest, void (Parts::*task)()) {
  options.watcher->After(rest, [this, task, gate = watch_gate] { gate->Enter([this, task] { (this->*task)(); }); });
}

void WtStore::Parts::ReadCounters() {
  const Result<WtSessions::Use> session = sessions->ForThisThread();
  if (!session || connection->failed()) return;
  WT_SESSION* const raw = (*session)->get();
  cache_bytes = Statistic(raw, WT_STAT_CONN_CACHE_BYTES_INUSE).value_or(cache_bytes);
  cache_misses = Statistic(raw, WT_STAT_CONN_CACHE_READ).value_or(cache_misses);
}

Status WtStore::Parts::CheckTable(int error, TableId table, std::string_view doing) {
  if (error == ENOENT) {
    return Error(Code::kNoSuchTable, "no table with id " + std::to_string(table.value) + " on this server");
  }
  return connection->Check(error, doing);
}

Status WtStore::EnsureTable(TableId table, TableCompression compression) {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  WT_SESSION* const raw = session->get();
  std::string config = std::string(kRowConfig) + kLargePages + ",log=(enabled=false),block_compressor=";
  config += CompressorName(compression);
  const int error = RunRead([&] { return raw->create(raw, DataTableUri(table).c_str(), config.c_str()); });
  EBLA_TRY(parts_->connection->Check(error, "making a table"));
  MutexLock lock(parts_->tables_mutex);
  parts_->tables.try_emplace(table);
  return {};
}

std::vector<TableId> WtStore::Tables() const {
  MutexLock lock(parts_->tables_mutex);
  std::vector<TableId> ids;
  ids.reserve(parts_->tables.size());
  for (const auto& [id, table] : parts_->tables) ids.push_back(id);
  return ids;
}

void WtStore::SetFlushInterval(TableId table, int64_t schema_version, Duration interval) {
  MutexLock lock(parts_->tables_mutex);
  const auto known = parts_->tables.find(table);
  if (known == parts_->tables.end() || schema_version < known->second.schema_version) return;
  known->second = {schema_version, interval};
  parts_->ChooseFlushInterval();
}

void WtStore::Parts::ChooseFlushInterval() {
  Duration shortest = options.interval;
  for (const auto& [id, table] : tables) shortest = std::min(shortest, table.flush_interval);
  flusher->SetInterval(shortest);
}

Status WtStore::DropTable(TableId table) {
  Status busy(Code::kComeAgain, "table " + std::to_string(table.value) + " is still in use");
  if (!parts_->sessions->CloseCursors(table)) return busy;
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  WT_SESSION* const raw = session->get();
  const int error = raw->drop(raw, DataTableUri(table).c_str(), "force=true,checkpoint_wait=false");
  if (error == EBUSY) return busy;
  EBLA_TRY(parts_->connection->Check(error, "dropping a table"));
  MutexLock lock(parts_->tables_mutex);
  parts_->tables.erase(table);
  parts_->ChooseFlushInterval();
  return {};
}

std::optional<uint64_t> WtStore::PagesReadByThisThread() const { return ThreadReads(); }

TabletStore::Health WtStore::health() const {
  Health health;
  health.status = parts_->connection->status();
  health.writes_refused = parts_->reserve.writes_refused();
  const DiskSpace space = parts_->reserve.last();
  health.disk_free_bytes = space.free_bytes;
  health.disk_total_bytes = space.total_bytes;
  health.cache_bytes = parts_->cache_bytes;
  health.cache_misses = parts_->cache_misses;
  health.flushes = parts_->flusher->flushes();
  health.rolled_back_entries = parts_->rolled_back.entries;
  health.rolled_back_bytes = parts_->rolled_back.bytes;
  health.hinted_entries = parts_->hinted.entries;
  health.hinted_bytes = parts_->hinted.bytes;
  return health;
}

}  // namespace ebla::tabletserver
