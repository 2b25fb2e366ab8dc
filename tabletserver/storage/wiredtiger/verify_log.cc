#include "tabletserver/storage/wiredtiger/verify_log.h"

#include <filesystem>
#include <limits>

#include "tabletserver/storage/log/log_entry.h"
#include "tabletserver/storage/log/posix_log_disk.h"
#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/format_conversion.h"
#include "tabletserver/storage/wiredtiger/store_directory.h"
#include "tabletserver/storage/wiredtiger/store_inventory.h"

namespace ebla::tabletserver {

namespace {

// A log is opened by beginning its next segment. This takes the writes and keeps them from the disk.
class DryFile final : public LogFile {
 public:
  explicit DryFile(std::shared_ptr<LogFile> file) : file_(std::move(file)) {}
  Status Write(int64_t, std::string_view) override { return {}; }
  Status Sync() override { return {}; }
  Result<std::string> Read(int64_t offset, int64_t size) override {
    return file_ ? file_->Read(offset, size) : Result<std::string>("");
  }
  Result<int64_t> Size() override { return file_ ? file_->Size() : Result<int64_t>(0); }
  void DropCached(int64_t offset, int64_t size) override {
    if (file_) file_->DropCached(offset, size);
  }

 private:
  const std::shared_ptr<LogFile> file_;  // null: a new one
};

class DryDisk final : public LogDisk {
 public:
  explicit DryDisk(LogDisk& disk) : disk_(disk) {}
  Result<std::vector<uint64_t>> List() override { return disk_.List(); }
  Result<std::shared_ptr<LogFile>> Create(uint64_t, int64_t) override { return std::make_shared<DryFile>(nullptr); }
  Result<std::shared_ptr<LogFile>> Open(uint64_t number) override {
    EBLA_ASSIGN(std::shared_ptr<LogFile> file, disk_.Open(number));
    return std::make_shared<DryFile>(std::move(file));
  }
  Status Remove(uint64_t) override { return {}; }
  std::string Name(uint64_t number) const override { return disk_.Name(number); }

 private:
  LogDisk& disk_;
};

Status ReadEntries(const SharedLog& log, TabletId tablet, LogSummary& summary) {
  Status damage;
  EBLA_TRY(log.Read(tablet, Lsn{0}, [&](Lsn lsn, std::string_view encoded) {
    const Result<LogEntry> entry = DecodeLogEntry(encoded);
    if (!entry || entry->version.lsn != lsn) {
      damage =
          Error(Code::kInternal, "entry " + std::to_string(lsn.value) + " of tablet " + std::to_string(tablet.value) +
                                     " cannot be read" + (entry ? ": it is another" : ": " + entry.error().message()));
      return false;
    }
    ++summary.entries;
    return true;
  }));
  return damage;
}

Status CheckInventoried(const SharedLog& log, const StoreInventory& inventory) {
  if (inventory.found()) return {};
  EBLA_ASSIGN(const std::optional<std::string> inventoried, log.Get(kInventoriedKey));
  if (!inventoried) return {};
  return Error(Code::kInternal, inventory.files()[0] + " and " + inventory.files()[1] +
                                    " are missing or damaged, and nothing else tells whether the log has lost its end");
}

Result<LogSummary> ReadLog(LogDisk& disk, const StoreInventory& inventory, VerifyLogOptions options) {
  LogSummary summary;
  EBLA_ASSIGN(const std::vector<uint64_t> segments, disk.List());
  summary.segments = segments.size();
  for (const uint64_t segment : segments) {
    EBLA_ASSIGN(const std::shared_ptr<LogFile> file, disk.Open(segment));
    EBLA_ASSIGN(const int64_t size, file->Size());
    summary.bytes += size;
  }
  DryDisk unwritten(disk);
  SharedLogOptions log_options{.progress = std::move(options.progress)};
  const std::optional<StoreInventory::Contents> found = FoundByLife(inventory, options.life);
  if (found) log_options.expected = found->log;
  EBLA_ASSIGN(const std::unique_ptr<SharedLog> log, SharedLog::Open(unwritten, std::move(log_options)));
  EBLA_TRY(CheckInventoried(*log, inventory));
  for (const TabletId tablet : log->Tablets()) {
    ++summary.tablets;
    EBLA_TRY(ReadEntries(*log, tablet, summary));
  }
  for (std::optional<std::string> key = log->KeyAfter({}); key; key = log->KeyAfter(*key)) {
    EBLA_ASSIGN([[maybe_unused]] const auto value, log->Get(*key));
    if (*key != kInventoriedKey && *key != kLogLossKey) ++summary.values;
  }
  return summary;
}

}  // namespace

Result<LogSummary> VerifyLog(const std::string& data_dir, VerifyLogOptions options) {
  const std::string store = std::filesystem::path(data_dir) / "store";
  const std::string path = LogDirectory(store);
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    return Error(Code::kNotFound, "there is no log in " + path + ": name the --data_dir of a tablet server");
  }
  const StoreInventory inventory(InventoryFiles(store, data_dir));
  EBLA_TRY(inventory.CheckIsOf(options.server));
  EBLA_ASSIGN(const StoreDirectory locked, StoreDirectory::Open(store, StoreDirectory::Former::kStore));
  EBLA_ASSIGN(const std::unique_ptr<PosixLogDisk> disk, PosixLogDisk::Open(path));
  return ReadLog(*disk, inventory, std::move(options));
}

}  // namespace ebla::tabletserver
