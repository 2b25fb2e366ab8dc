#include "tabletserver/storage/wiredtiger/wt_scrub.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "tabletserver/storage/wiredtiger/wt_checkpoint_blocks.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"
#include "tabletserver/storage/wiredtiger/wt_run_blocks.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

namespace {

constexpr int64_t kStretchBytes = int64_t{1} << 20;
constexpr char kCheckpoint[] = "checkpoint=WiredTigerCheckpoint";

// It was made since the last checkpoint, or dropped: there is nothing to read.
bool HasNoCheckpoint(int error) { return error == ENOENT || error == WT_NOTFOUND; }

}  // namespace

int WtScrub::ReadStretch(WtSession& session, const std::string& uri, std::string& at, int64_t& bytes) {
  WtCursor rows(session, uri, kCheckpoint);
  if (const int error = rows.error()) return HasNoCheckpoint(error) ? WT_NOTFOUND : error;
  int error = rows.SeekAtOrAfter(at);
  std::string_view key, value;
  for (bytes = 0; error == 0 && bytes < kStretchBytes; error = rows.Next()) {
    if (const int failed = rows.GetRow(&key, &value)) return failed;
    bytes += std::ssize(key) + std::ssize(value);
    at.assign(key);
  }
  if (error == 0) at.push_back('\0');  // what is just behind the last one
  return error;
}

// Another error: it was dropped just now, or the next pass tells.
int WtScrub::CheckFile(const std::string& uri) {
  const auto session = sessions_.ForThisThread();
  if (!session) return 0;
  const int error = CheckCheckpointBlocks(**session, FileOfTable(uri));
  return error == kDamagedBlock || error == kOtherFile || IsBarred(error) ? error : 0;
}

int WtScrub::Open(TableId table) {
  if (const int error = CheckFile(DataTableUri(table))) return tables_.Has(table) ? error : ENOENT;
  const auto session = sessions_.ForThisThread();
  return session ? WtCursor(**session, table).error() : 0;
}

int WtScrub::Read(const std::string& uri, const RecordFiles::Pace& pace, bool& stopped) {
  for (std::string at;;) {
    int64_t bytes = 0;
    int error = 0;
    {
      const auto session = sessions_.ForThisThread();
      if (!session) return 0;  // the store has failed, or has no session to spare
      const UncachedReads past_cache;
      error = RunRead([&] { return ReadStretch(**session, uri, at, bytes); });
    }
    stopped = !pace(bytes);
    if (error == WT_NOTFOUND || stopped) return 0;
    if (error != 0) return error == WT_ERROR ? kDamagedBlock : error;
  }
}

int WtScrub::CheckRuns(const SortedTable& table, const RecordFiles::Pace& pace, bool& stopped) {
  // Numbers alone, because a run that is held is not removed.
  std::vector<RunFileId> files;
  for (const RunSetPtr runs = table.buffer.runs(); const RunOfTable& run : runs->runs)
    files.push_back({run.file->run.number});
  for (const RunFileId file : files) {
    const int other = CheckFile(RunFileUri(file));
    if (other == kOtherFile) sessions_.damaged().NoteLostRun(file.number);
    const int error =
        other != 0 ? kDamagedBlock : CheckRunBlocks(options_.directory + "/" + RunFileName(file), pace, stopped);
    if (stopped) return 0;
    if (error != 0 && error != kDamagedBlock) {
      LOG(WARNING) << RunFileName(file) << " is not scrubbed: " << std::strerror(error);
      continue;
    }
    // A removed file loses its blocks.
    const RunSetPtr now = table.buffer.runs();
    const bool counts =
        std::ranges::any_of(now->runs, [file](const RunOfTable& run) { return run.file->run.number == file.number; });
    if (error != 0 && counts) return error;
  }
  return 0;
}

Status WtScrub::Run(const RecordFiles::Pace& pace) {
  bool stopped = false;
  const Status beside = beside_();
  for (size_t i = 0; i < kSystemTables && !stopped; ++i) {
    const std::string uri = SystemTableUri(static_cast<SystemTable>(i));
    if (const int error = CheckFile(uri); error == kDamagedBlock || error == kOtherFile)
      return sessions_.Check(EIO, FileOfTable(uri) + " " + DescribeDamage(error));
    EBLA_TRY(sessions_.Check(OfSystemTable(Read(uri, pace, stopped)), "scrubbing " + uri));
  }
  for (const TableId table : tables_.Ids()) {
    if (stopped) break;
    int error = Open(table);
    if (error == 0) error = Read(DataTableUri(table), pace, stopped);
    if (error != 0) sessions_.CheckTable(error, table, "scrubbing").ok();  // noted; the other tables are checked too
  }
  for (const SortedTablePtr& table : sorted_.All()) {
    if (stopped) break;
    const Status damage = sessions_.CheckTable(CheckRuns(*table, pace, stopped), table->id, "scrubbing");
    (void)damage;  // noted; the other tables are checked too
  }
  return beside;
}

}  // namespace ebla::tabletserver
