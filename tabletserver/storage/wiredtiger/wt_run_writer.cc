#include "tabletserver/storage/wiredtiger/wt_run_writer.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "common/base/descriptor.h"
#include "tabletserver/storage/log/open_retrying.h"
#include "tabletserver/storage/wiredtiger/wt_tables.h"

namespace ebla::tabletserver {

namespace {

// The kernel has written most of it by now (os_cache_dirty_max).
int SyncPath(const std::string& path, int flags) {
  const Descriptor fd(OpenRetrying(path.c_str(), flags | O_CLOEXEC));
  if (!fd.valid()) return errno;
  return fsync(fd.get()) == 0 ? 0 : EIO;
}

}  // namespace

WtRunWriter::WtRunWriter(WtConnection& connection, const std::string& directory, RunFileId file,
                         TableCompression compression, std::function<void(RunFileId)> remove_later)
    : connection_(connection),
      directory_(directory),
      file_(file),
      compression_(compression),
      remove_later_(std::move(remove_later)) {
  run_.number = file.number;
}

WtRunWriter::~WtRunWriter() {
  if (session_ == nullptr || connection_.failed()) return;
  if (!kept_) {
    (void)CloseCursor();  // on a full disk it cannot write what is left
    if (Drop() == EBUSY) remove_later_(file_);
  }
  session_->close(session_, nullptr);
}

int WtRunWriter::Begin(size_t rows) {
  filter_.emplace(rows);
  WT_CONNECTION* const connection = connection_.get();
  if (const int error = connection->open_session(connection, nullptr, "isolation=read-uncommitted", &session_))
    return error;
  const std::string uri = RunFileUri(file_);
  if (const int error = session_->create(session_, uri.c_str(), RunConfig(compression_).c_str())) return error;
  // Without the option WiredTiger waits until a checkpoint under way has ended, and Apply with it. EBUSY: that one has
  // the new file already.
  const int error = session_->open_cursor(session_, uri.c_str(), nullptr, "bulk,checkpoint_wait=false", &cursor_);
  return error != EBUSY ? error : session_->open_cursor(session_, uri.c_str(), nullptr, "bulk", &cursor_);
}

int WtRunWriter::Add(std::string_view key, const std::optional<std::string_view>& row) {
  CHECK(cursor_ != nullptr) << "the run is finished";
  WT_ITEM item = ToItem(key);
  cursor_->set_key(cursor_, &item);
  WT_ITEM value = ToItem(row.value_or(std::string_view("", 0)));
  cursor_->set_value(cursor_, &value);
  if (const int error = cursor_->insert(cursor_)) return error;
  const auto bytes = static_cast<int64_t>(key.size() + value.size);
  if (run_.records++ == 0) run_.first_key.assign(key);
  run_.last_key.assign(key);
  run_.bytes += bytes;
  if (!row) ++run_.deletes;
  fences_.Add(key, bytes);
  filter_->Add(key);
  return 0;
}

int WtRunWriter::CloseCursor() {
  WT_CURSOR* const closing = std::exchange(cursor_, nullptr);
  return closing == nullptr ? 0 : closing->close(closing);
}

int WtRunWriter::Drop() {
  return session_->drop(session_, RunFileUri(file_).c_str(), "force=true,checkpoint_wait=false");
}

int WtRunWriter::Finish(uint64_t order, std::shared_ptr<const RunFile>& run) {
  CHECK(cursor_ != nullptr) << "the run is finished";
  run = nullptr;
  if (const int error = CloseCursor()) return error;
  if (run_.records == 0) return 0;
  if (const int error = SyncPath(directory_ + "/" + RunFileName(file_), O_RDONLY)) return error;
  if (const int error = SyncPath(directory_, O_RDONLY | O_DIRECTORY)) return error;
  run_.order = order;
  run_.fences = fences_.Take();
  filter_bytes_ = filter_->Finish();
  filter_.reset();
  run = std::make_shared<const RunFile>(RunFile{std::move(run_), RunFilter(filter_bytes_)});
  return 0;
}

}  // namespace ebla::tabletserver
