#include "tabletserver/storage/wiredtiger/wt_store.h"

#include <glog/logging.h>

#include <utility>

#include "tabletserver/storage/log/posix_log_disk.h"
#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/wiredtiger/format_conversion.h"
#include "tabletserver/storage/wiredtiger/store_directory.h"
#include "tabletserver/storage/wiredtiger/wt_record_store.h"
#include "tabletserver/storage/wiredtiger/wt_watcher.h"
#include "tabletserver/storage/wiredtiger/wt_young_cache.h"

namespace ebla::tabletserver {

// Closed in the reverse order: the watcher's tasks, checkpoints and flusher, sessions, connection, the directory's lock
// last.
struct WtStore::Parts {
  // The parts that exist before the database is opened, and after it has been closed.
  struct Files {
    Files(const WtStoreOptions& options, StoreDirectory locked)
        : directory(std::move(locked)),
          recycler(directory.path()),
          reserve(directory.path(), options.disk_reserve_bytes, options.disk_space) {}

    StoreDirectory directory;
    FileRecycler recycler;
    DiskReserve reserve;
    std::unique_ptr<PosixLogDisk> log_disk;
    std::unique_ptr<SharedLog> log;
  };
  struct Owner final : LogOwner {
    Owner(WtConnection& connection, DiskReserve& reserve) : connection(connection), reserve(reserve) {}
    Status status() const override { return connection.status(); }
    Status Fail(Status reason) override { return connection.Fail(std::move(reason)); }
    bool writes_refused() const override { return reserve.writes_refused(); }
    void NoteWritten(int64_t bytes) override { reserve.NoteWritten(bytes); }

    WtConnection& connection;
    DiskReserve& reserve;
  };

  Parts(WtStoreOptions given, std::unique_ptr<Files> held, std::unique_ptr<WtConnection> opened)
      : options(std::move(given)), files(std::move(held)), connection(std::move(opened)) {}

  const WtStoreOptions options;
  std::unique_ptr<Files> files;
  std::unique_ptr<WtConnection> connection;
  Owner owner{*connection, files->reserve};
  WtRecordStore records{options, *connection, files->reserve};
  TabletStore store{*files->log,
                    owner,
                    records,
                    {.flusher = options.flusher,
                     .background = options.background,
                     .interval = options.interval,
                     .log_followed_bytes = options.log_followed_bytes,
                     .memory = options.memory_tables}};
  WtWatcher watcher{options, records, files->reserve, files->recycler, store, *files->log, *files->log_disk};
};

WtStore::WtStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

WtStore::~WtStore() {
  const Status closed = Close();
  LOG_IF(ERROR, !closed.ok()) << "the store has not closed cleanly: " << closed;
}

Status WtStore::Close() {
  if (parts_ == nullptr) return {};
  Hurry();
  parts_->watcher.Stop();
  const Status marked = parts_->store.Close();
  const Status prepared = parts_->records.PrepareLast();
  // Both outlive all that works on them.
  const std::unique_ptr<Parts::Files> files = std::move(parts_->files);
  const std::unique_ptr<WtConnection> connection = std::move(parts_->connection);
  parts_.reset();
  const Status closed = connection->Close();
  EBLA_TRY(marked);
  EBLA_TRY(prepared);
  return closed;
}

Result<std::unique_ptr<WtStore>> WtStore::Open(WtStoreOptions options) {
  CHECK(options.flusher != nullptr && options.background != nullptr && options.watcher != nullptr)
      << "the store owns no threads";
  EBLA_ASSIGN(StoreDirectory directory, StoreDirectory::Open(options.directory, options.made_before));
  auto files = std::make_unique<Parts::Files>(options, std::move(directory));
  files->reserve.BeforeOpen();
  // A start makes tables anew that no checkpoint has, before it knows the cluster's features.
  if (files->directory.may_have_sorted_tables()) options.features = nullptr;
  if (files->directory.found_format() < StoreDirectory::format()) EBLA_TRY(ConvertStore(options, files->directory));
  const auto discard = [store = options.directory](const std::string& file) {
    return FileRecycler::Remove(file, store);
  };
  EBLA_ASSIGN(files->log_disk, PosixLogDisk::Open(LogDirectory(options.directory), discard));
  EBLA_ASSIGN(files->log, SharedLog::Open(*files->log_disk, LogOptions(options)));
  EBLA_ASSIGN(std::unique_ptr<WtConnection> connection, WtConnection::Open(options));
  EBLA_TRY(RemoveFormerFiles(*connection, options.directory));
  EBLA_TRY(AgeCache(*connection, options.cache_bytes));
  auto parts = std::make_unique<Parts>(std::move(options), std::move(files), std::move(connection));
  EBLA_TRY(parts->records.Open());
  EBLA_TRY(parts->store.Open());
  parts->watcher.Watch();
  return std::unique_ptr<WtStore>(new WtStore(std::move(parts)));
}

TabletStore& WtStore::operator*() { return parts_->store; }

void WtStore::Hurry() { parts_->records.Hurry(); }

}  // namespace ebla::tabletserver
