#include "tabletserver/storage/wiredtiger/format_conversion.h"

#include <glog/logging.h>

#include <deque>
#include <filesystem>

#include "tabletserver/storage/log/posix_log_disk.h"
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/file_recycler.h"
#include "tabletserver/storage/wiredtiger/wt_connection.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

namespace {

constexpr const char* kFormerTables[] = {"table:oplog", "table:replica_state", "table:pending"};
constexpr size_t kBatchBytes = size_t{1} << 20;
constexpr int64_t kSaidBytes = int64_t{256} << 20;

using RowVisitor = std::function<Status(std::string_view key, std::string_view value)>;

// A table that is not there has no rows.
Status ForEachRow(WtConnection& connection, WtSession& session, const char* uri, const RowVisitor& visitor) {
  WtCursor rows(session, uri, nullptr);
  if (rows.error() == ENOENT || rows.error() == WT_NOTFOUND) return {};
  EBLA_TRY(connection.Check(rows.error(), std::string("opening ") + uri));
  int error = 0;
  while ((error = rows.Next()) == 0) {
    std::string_view key, value;
    EBLA_TRY(connection.Check(rows.GetRow(&key, &value), std::string("reading ") + uri));
    EBLA_TRY(visitor(key, value));
  }
  return error == WT_NOTFOUND ? Status() : connection.Check(error, std::string("reading ") + uri);
}

// Gathers rows of `oplog`, which come by tablet and lsn, to batches.
class EntryCopy {
 public:
  explicit EntryCopy(SharedLog& log) : log_(log) {}

  Status Take(std::string_view key, std::string_view value) {
    EBLA_ASSIGN(const auto place, ParseLogKey(key));
    const auto [tablet, lsn] = place;
    if (lsn == kLogEnd) return {};
    if (tablet != batch_.tablet || bytes_ >= kBatchBytes) EBLA_TRY(Write());
    if (batch_.entries.empty()) batch_ = {tablet, lsn, {}};
    batch_.entries.push_back(entries_.emplace_back(value));
    bytes_ += value.size();
    return {};
  }

  Status Write() {
    if (batch_.entries.empty()) return {};
    EBLA_TRY(log_.Append({&batch_, 1}));
    EBLA_TRY(log_.Flush(SharedLog::Depth::kSystem));
    batch_.entries.clear();
    entries_.clear();
    bytes_ = 0;
    if (log_.counts().bytes < said_ + kSaidBytes) return {};
    said_ = log_.counts().bytes;
    LOG(INFO) << "converting the store: " << (said_ >> 20) << " MiB of logs written";
    return {};
  }

 private:
  SharedLog& log_;
  SharedLog::Batch batch_;
  std::deque<std::string> entries_;  // what batch_ borrows
  size_t bytes_ = 0;
  int64_t said_ = 0;
};

Status CopyLogs(WtConnection& connection, WtSession& session, SharedLog& log) {
  EntryCopy entries(log);
  EBLA_TRY(ForEachRow(connection, session, kFormerTables[0],
                      [&](auto key, auto value) { return entries.Take(key, value); }));
  EBLA_TRY(entries.Write());
  EBLA_TRY(ForEachRow(connection, session, kFormerTables[1], [&](auto key, auto value) -> Status {
    EBLA_ASSIGN(const TabletId tablet, ParseTabletKey(key));
    return log.Put(ReplicaStateKey(tablet), value);
  }));
  EBLA_TRY(
      ForEachRow(connection, session, kFormerTables[2], [&](auto key, auto value) { return log.Put(key, value); }));
  return log.Flush(SharedLog::Depth::kDisk);
}

}  // namespace

std::string LogDirectory(const std::string& store) { return store + "/log"; }

SharedLogOptions LogOptions(const WtStoreOptions& options) {
  SharedLogOptions log;
  log.segment_bytes = options.log_file_bytes;
  log.progress = [](int64_t done, int64_t all) {
    LOG_IF(INFO, done % 16 == 0) << "reading the log: " << done << " of " << all << " segments";
  };
  return log;
}

Status ConvertStore(const WtStoreOptions& options, StoreDirectory& directory) {
  const std::string path = LogDirectory(options.directory);
  std::error_code error;
  std::filesystem::remove_all(path, error);  // of a conversion that did not end
  if (error) return Error(Code::kInternal, "cannot remove " + path + ": " + error.message());
  LOG(INFO) << "the store in " << options.directory << " has format " << directory.found_format()
            << ": it is converted to " << StoreDirectory::format() << "; a former build cannot open it any more then";
  {
    EBLA_ASSIGN(const std::unique_ptr<PosixLogDisk> disk, PosixLogDisk::Open(path));
    EBLA_ASSIGN(const std::unique_ptr<SharedLog> log, SharedLog::Open(*disk, LogOptions(options)));
    EBLA_ASSIGN(const std::unique_ptr<WtConnection> connection, WtConnection::Open(options, true));
    const auto sessions = std::make_shared<WtSessions>(*connection, options.sessions_max);
    const Status copied = [&]() -> Status {
      EBLA_ASSIGN(const WtSessions::Use session, sessions->ForThisThread());
      EBLA_TRY(CopyLogs(*connection, *session, *log));
      // Without its log, WiredTiger has nothing but this.
      return connection->Check((*session).get()->checkpoint((*session).get(), nullptr), "taking a checkpoint");
    }();
    sessions->Close();
    EBLA_TRY(copied);
  }
  EBLA_TRY(directory.NoteConverted());
  LOG(INFO) << "the store in " << options.directory << " is converted";
  return {};
}

Status RemoveFormerFiles(WtConnection& connection, const std::string& store) {
  WT_CONNECTION* const raw = connection.get();
  WT_SESSION* session = nullptr;
  EBLA_TRY(connection.Check(raw->open_session(raw, nullptr, nullptr, &session), "opening a session"));
  int error = 0;
  for (const char* table : kFormerTables) {
    if (error == 0) error = session->drop(session, table, "force=true");
  }
  session->close(session, nullptr);
  EBLA_TRY(connection.Check(error, "removing a table of a former format"));
  std::error_code gone;
  for (std::filesystem::directory_iterator at(store, gone), end; !gone && at != end; at.increment(gone)) {
    const std::string name = at->path().filename();
    if (name.starts_with("WiredTigerLog.") || name.starts_with("WiredTigerPreplog.")) FileRecycler::Remove(at->path());
  }
  return {};
}

}  // namespace ebla::tabletserver
