// Checkpoints of WtStore, consistent over all tables, logged or not; and the compaction of a table's file, which takes
// checkpoints of its own: more of them than the host asked for never harm, and nothing is concluded from them.
#include <filesystem>

#include "common/base/mutex.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"
#include "tabletserver/storage/wiredtiger/wt_parts.h"

namespace ebla::tabletserver {

void WtStore::Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done) {
  Parts* const parts = parts_.get();
  parts->options.background->Post([parts, gate = parts->gate, &executor, done = std::move(done)]() mutable {
    Result<CheckpointResult> result;
    if (!gate->Enter([&] { result = parts->TakeCheckpoint(); })) return;
    executor.Post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  });
}

Result<TabletStore::CheckpointResult> WtStore::Parts::TakeCheckpoint() {
  EBLA_ASSIGN(const WtSessions::Use session, sessions->ForThisThread());
  // Noted before the checkpoint begins: it may hold more than this, never less.
  CheckpointResult held;
  {
    MutexLock lock(applied_mutex);
    held = applied;
  }
  const int64_t log_bytes_before = log_bytes.load();
  WT_SESSION* const raw = session->get();
  const PacedSyncs paced([this] { return Hurried(); });
  EBLA_TRY(connection->Check(RunRead([raw] { return raw->checkpoint(raw, nullptr); }), "taking a checkpoint"));
  // And it counts from here, as it has finished.
  log_bytes_checkpoint = log_bytes_before;
  return held;
}

int64_t WtStore::LogBytesSinceCheckpoint() const { return parts_->log_bytes - parts_->log_bytes_checkpoint; }

Result<bool> WtStore::Compact(TableId table, Duration limit) {
  EBLA_TRY(parts_->connection->status());
  EBLA_ASSIGN([[maybe_unused]] const int64_t before, FileBytes(table));
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  WT_SESSION* const raw = session->get();
  const auto seconds = std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(limit).count());
  const std::string config = "timeout=" + std::to_string(seconds);
  const PacedSyncs paced([parts = parts_.get()] { return parts->Hurried(); }, limit / 4);
  const int error = raw->compact(raw, DataTableUri(table).c_str(), config.c_str());
  if (error == ETIMEDOUT) return false;
  if (error == EBUSY)
    return Error(Code::kComeAgain, "table " + std::to_string(table.value) + " cannot be compacted at present");
  EBLA_TRY(parts_->CheckTable(error, table, "compacting a table"));
  return true;
}

Result<int64_t> WtStore::FileBytes(TableId table) const {
  const std::string uri = DataTableUri(table);
  std::error_code error;
  const auto bytes =
      std::filesystem::file_size(parts_->options.directory + "/" + uri.substr(uri.find(':') + 1) + ".wt", error);
  if (error) return Error(Code::kNoSuchTable, "this server has no data of table " + std::to_string(table.value));
  return static_cast<int64_t>(bytes);
}

}  // namespace ebla::tabletserver
