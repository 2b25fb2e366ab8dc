#include "tabletserver/storage/wiredtiger/wt_store.h"

#include <glog/logging.h>

#include <tuple>
#include <utility>

#include "common/base/sync_directory.h"
#include "tabletserver/storage/log/posix_log_disk.h"
#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/format_conversion.h"
#include "tabletserver/storage/wiredtiger/inventory_keeper.h"
#include "tabletserver/storage/wiredtiger/store_directory.h"
#include "tabletserver/storage/wiredtiger/store_inventory.h"
#include "tabletserver/storage/wiredtiger/wt_record_store.h"
#include "tabletserver/storage/wiredtiger/wt_watcher.h"
#include "tabletserver/storage/wiredtiger/wt_young_cache.h"

namespace ebla::tabletserver {

namespace {

// No file is whole, and there was one: nothing tells where the log ended.
LogLoss UnknownEnd(const StoreInventory& inventory, const LogDisk& disk, const LogExtent& found) {
  LOG(ERROR) << inventory.files()[0] << " and " << inventory.files()[1] << " are missing or damaged";
  return {.file = disk.Name(found.last_segment), .from = found.needed + 1};
}

// WiredTiger opens an older copy of its files as it opens the newest.
Status CheckRecords(const WtStoreOptions& options, const StoreInventory& inventory, uint64_t number) {
  const std::optional<StoreInventory::Contents>& found = inventory.found();
  if (!found || number >= found->checkpoint) return {};
  return Error(Code::kInternal, options.directory +
                                    "/WiredTiger.wt or WiredTiger.turtle is an older copy: it has checkpoint " +
                                    std::to_string(number) + ", and the disk had " + std::to_string(found->checkpoint) +
                                    ": put the newest files back");
}

// Builds with an inventory have written FORMAT's checksum, too.
StoreDirectory::Former FormerOf(const WtStoreOptions& options, const StoreInventory& inventory) {
  using Former = StoreDirectory::Former;
  if (inventory.found() || !inventory.damaged().empty()) return Former::kChecked;
  return options.made_before ? Former::kStore : Former::kUnknown;
}

}  // namespace

// Closed in the reverse order: the watcher's tasks, checkpoints and flusher, sessions, connection, the directory's lock
// last.
struct WtStore::Parts {
  // The parts that exist before the database is opened, and after it has been closed.
  struct Files {
    Files(const WtStoreOptions& options, StoreDirectory locked)
        : directory(std::move(locked)),
          recycler(directory.path()),
          reserve(directory.path(), options.disk_reserve_bytes, options.disk_space) {}

    // Opens the log, and compares it with the inventory.
    Status OpenLog(const WtStoreOptions& options);
    Status FindLoss(const WtStoreOptions& options, const SharedLog& read);
    Status CheckRecordsExplained(const WtStoreOptions& options, const SharedLog& read);

    StoreDirectory directory;
    FileRecycler recycler;
    DiskReserve reserve;
    std::unique_ptr<StoreInventory> inventory;
    std::unique_ptr<PosixLogDisk> log_disk;
    std::unique_ptr<SharedLog> log;
    std::unique_ptr<InventoryKeeper> keeper;
    std::optional<LogLoss> loss;
    std::unique_ptr<SalvagedReplicas> salvaged;  // null: it is a start as any other
  };
  struct Owner final : LogOwner {
    Owner(WtConnection& connection, DiskReserve& reserve) : connection(connection), reserve(reserve) {}
    Status status() const override { return connection.status(); }
    Status Fail(Status reason) override { return connection.Fail(std::move(reason)); }
    DiskRoom room() const override { return reserve.room(); }
    void NoteWritten(int64_t bytes) override { reserve.NoteWritten(bytes); }

    WtConnection& connection;
    DiskReserve& reserve;
  };

  Parts(WtStoreOptions given, std::unique_ptr<Files> held, std::unique_ptr<WtConnection> opened)
      : options(std::move(given)), files(std::move(held)), connection(std::move(opened)) {}

  // Compares the records with the inventory, which from then on agrees with what is there.
  Status BeginInventory();

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
                     .memory = options.memory_tables,
                     .salvage = files->salvaged.get(),
                     .loss = files->loss}};
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
  parts_->files->keeper->Stop();
  parts_->watcher.Stop();
  const Status marked = parts_->store.Close();
  const Status prepared = parts_->records.PrepareLast();
  const uint64_t checkpoint = parts_->records.checkpoint_number();
  // Both outlive all that works on them.
  const std::unique_ptr<Parts::Files> files = std::move(parts_->files);
  const std::unique_ptr<WtConnection> connection = std::move(parts_->connection);
  parts_.reset();
  const Status closed = connection->Close();
  EBLA_TRY(marked);
  EBLA_TRY(prepared);
  EBLA_TRY(closed);
  return files->keeper->NoteCheckpoint(checkpoint);
}

Status WtStore::Parts::Files::OpenLog(const WtStoreOptions& options) {
  for (const std::string& damage : inventory->damaged()) LOG(ERROR) << damage << ": it is written again";
  const std::optional<StoreInventory::Contents> found = FoundByLife(*inventory, options.life);
  // A start that is refused has counted, too.
  if (found && found->life < options.life) {
    StoreInventory::Contents noted = *found;
    noted.life = options.life;
    EBLA_TRY(inventory->Write(noted, false));
  }
  const auto discard = [store = options.directory](const std::string& file) {
    return FileRecycler::Remove(file, store);
  };
  EBLA_ASSIGN(log_disk, PosixLogDisk::Open(LogDirectory(options.directory), discard));
  SharedLogOptions log_options = LogOptions(options);
  if (found) log_options.expected = found->log;
  if (options.salvage) log_options.expected = options.salvage->had;
  if (options.salvage) salvaged = std::make_unique<SalvagedReplicas>();
  if (salvaged != nullptr) log_options.salvage = &salvaged->holes();
  log_options.joins_short = options.joins_short;
  log_options.before_remove = [this] { return keeper->WriteBoth(); };
  log_options.before_begin = [&](const SharedLog& read) { return FindLoss(options, read); };
  EBLA_ASSIGN(log, SharedLog::Open(*log_disk, std::move(log_options)));
  keeper = std::make_unique<InventoryKeeper>(*inventory, *log, options);
  if (!loss) return {};
  // Before the inventory agrees with what is left, so that the next start tells it as well.
  EBLA_TRY(log->Put(kLogLossKey, EncodeLogLoss(*loss)));
  return log->Flush(SharedLog::Depth::kDisk);
}

Status WtStore::Parts::Files::FindLoss(const WtStoreOptions& options, const SharedLog& read) {
  if (options.salvage) return {};  // the log's holes tell
  loss = read.loss();
  if (!inventory->found()) {
    EBLA_ASSIGN(const std::optional<std::string> inventoried, read.Get(kInventoriedKey));
    if (inventoried) loss = UnknownEnd(*inventory, *log_disk, read.extent());
  }
  if (loss && !options.joins_short) return Error(Code::kInternal, Describe(*loss));
  if (loss) {
    LOG(ERROR) << Describe(*loss);
    return CheckRecordsExplained(options, read);
  }
  EBLA_ASSIGN(const std::optional<std::string> noted, read.Get(kLogLossKey));
  if (!noted) return {};
  EBLA_ASSIGN(loss, DecodeLogLoss(*noted));
  return CheckRecordsExplained(options, read);
}

// In a database of their own, because a start opens it only once it has the log.
Status WtStore::Parts::Files::CheckRecordsExplained(const WtStoreOptions& options, const SharedLog& read) {
  EBLA_ASSIGN(const std::unique_ptr<WtConnection> connection, WtConnection::Open(options));
  WtRecordStore records(options, *connection, reserve);
  EBLA_TRY(records.Open());
  EBLA_TRY(CheckRecords(options, *inventory, records.checkpoint_number()));
  return CheckExplained(read, records, *loss);
}

// The key is in the log only once an inventory exists.
Status WtStore::Parts::BeginInventory() {
  InventoryKeeper& keeper = *files->keeper;
  SharedLog& log = *files->log;
  EBLA_TRY(CheckRecords(options, *files->inventory, records.checkpoint_number()));
  if (options.salvage && records.checkpoint_number() < options.salvage->checkpoint)
    files->salvaged->NoteOlderRecords(records.checkpoint_number(), options.salvage->checkpoint);
  EBLA_TRY(SyncDirectory(options.directory));  // before claims of the log's directory and the database's files
  EBLA_TRY(keeper.NoteCheckpoint(records.checkpoint_number()));
  EBLA_ASSIGN(const std::optional<std::string> inventoried, log.Get(kInventoriedKey));
  if (inventoried) return {};
  LOG_IF(INFO, log.extent().needed > 0) << "the store in " << options.directory << " has an inventory from now on";
  EBLA_TRY(log.Put(kInventoriedKey, EncodeInventoried()));
  return log.Flush(SharedLog::Depth::kDisk);
}

Result<std::unique_ptr<WtStore>> WtStore::Open(WtStoreOptions options) {
  CHECK(options.flusher != nullptr && options.background != nullptr && options.watcher != nullptr)
      << "the store owns no threads";
  auto inventory = std::make_unique<StoreInventory>(InventoryFiles(options.directory, options.inventory_directory));
  EBLA_TRY(inventory->CheckIsOf(options.server));
  EBLA_ASSIGN(StoreDirectory directory, StoreDirectory::Open(options.directory, FormerOf(options, *inventory)));
  auto files = std::make_unique<Parts::Files>(options, std::move(directory));
  files->inventory = std::move(inventory);
  files->reserve.BeforeOpen();
  // A start makes tables anew that no checkpoint has, before it knows the cluster's features.
  if (files->directory.may_have_sorted_tables()) options.features = nullptr;
  if (files->directory.found_format() < StoreDirectory::format()) EBLA_TRY(ConvertStore(options, files->directory));
  EBLA_TRY(files->OpenLog(options));
  EBLA_ASSIGN(std::unique_ptr<WtConnection> connection, WtConnection::Open(options));
  EBLA_TRY(RemoveFormerFiles(*connection, options.directory));
  EBLA_TRY(AgeCache(*connection, options.cache_bytes));
  auto parts = std::make_unique<Parts>(std::move(options), std::move(files), std::move(connection));
  parts->records.ScrubsToo([&inventory = *parts->files->inventory] { return inventory.Scrub(); });
  parts->records.WhenTaken([&parts = *parts](uint64_t number) -> Status {
    Status noted = parts.files->keeper->NoteCheckpoint(number);
    return noted.ok() ? noted : parts.owner.Fail(std::move(noted));
  });
  EBLA_TRY(parts->records.Open());
  EBLA_TRY(parts->BeginInventory());
  EBLA_TRY(parts->records.Begin());
  EBLA_TRY(parts->store.Open());
  parts->connection->NoteOpened();
  Executor& writer = parts->options.inventory != nullptr ? *parts->options.inventory : *parts->options.watcher;
  parts->files->keeper->Start(writer, [&parts = *parts](Status status) { std::ignore = parts.owner.Fail(status); });
  parts->watcher.Watch();
  return std::unique_ptr<WtStore>(new WtStore(std::move(parts)));
}

TabletStore& WtStore::operator*() { return parts_->store; }

const SalvagedReplicas* WtStore::salvaged() const { return parts_->files->salvaged.get(); }

std::optional<ClockMark> WtStore::found_clock() const {
  const auto& found = parts_->files->inventory->found();
  return found && !found->clock.boot.empty() ? std::optional(found->clock) : std::nullopt;
}

bool WtStore::lost_unsynced() const { return parts_->files->log->counts().lost_unsynced; }

Status WtStore::NoteClock() { return parts_->files->keeper->WriteBoth(); }

void WtStore::Hurry() { parts_->records.Hurry(); }

}  // namespace ebla::tabletserver
