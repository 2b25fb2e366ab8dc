// Checkpoints of WtStore: consistent over all tables, logged or not.
#include "tabletserver/storage/wt_parts.h"

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
    std::lock_guard lock(applied_mutex);
    held = applied;
  }
  const int64_t log_bytes_before = log_bytes.load();
  WT_SESSION* const raw = session->get();
  EBLA_TRY(connection->Check(RunRead([raw] { return raw->checkpoint(raw, nullptr); }), "taking a checkpoint"));
  // And it counts from here, as it has finished.
  log_bytes_checkpoint = log_bytes_before;
  return held;
}

int64_t WtStore::LogBytesSinceCheckpoint() const { return parts_->log_bytes - parts_->log_bytes_checkpoint; }

}  // namespace ebla::tabletserver
