#include "tabletserver/storage/wiredtiger/wt_connection.h"

#include <glog/logging.h>

#include <algorithm>
#include <sstream>
#include <tuple>
#include <utility>

#include "common/base/system_error.h"
#include "common/wiredtiger/turtle.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"

namespace ebla::tabletserver {

namespace {

constexpr int64_t kDirtyMax = int64_t{1} << 30;
constexpr int kDirtyTriggerPercent = 80;  // from here on writing threads help
constexpr int kOwnSessions = 50;          // of WiredTiger's threads: eviction, checkpoint, log

std::string Configuration(const WtStoreOptions& options, bool with_log) {
  std::ostringstream out;
  out << "create,config_base=false,cache_size=" << options.cache_bytes                     //
      << ",session_max=" << 2 * options.sessions_max + kOwnSessions << ",hazard_max=2000"  //
      << ",eviction=(threads_min=" << options.eviction_threads_min                         //
      << ",threads_max=" << options.eviction_threads_max << ")"                            //
      << "," << DirtyTarget(options.cache_bytes) << ",eviction_dirty_trigger=" << kDirtyTriggerPercent
      << ",cache_max_wait_ms="
      << options.cache_wait_ms_max  //
      // Checkpoints that the scrubber has read are closed soon, so that the next pass reads them from the disk again.
      << ",file_manager=(close_handle_minimum=0)"
      // All is given here, as WiredTiger.basecfg is not read (config_base): a damaged one would refuse the start.
      << (with_log ? ",log=(enabled=true,archive=true,recover=on)" : ",log=(enabled=false)") << ",statistics=(fast)"
      << ",extensions=[local={entry=" << (options.salvage ? kViewFilesEntry : kFilesEntry)
      << ",early_load=true},libwiredtiger_snappy.so,libwiredtiger_zlib.so]";
  return out.str();
}

}  // namespace

std::string DirtyTarget(int64_t cache_bytes) {
  return "eviction_dirty_target=" + std::to_string(std::min(cache_bytes / 2, kDirtyMax));
}

WtConnection::WtConnection() : messages_(std::make_unique<wiredtiger::ErrorMessages>("WiredTiger: ")) {}

Result<std::unique_ptr<WtConnection>> WtConnection::Open(const WtStoreOptions& options, bool with_log) {
  EBLA_TRY(wiredtiger::CheckTurtle(options.directory));
  std::unique_ptr<WtConnection> connection(new WtConnection);
  const int error = wiredtiger_open(options.directory.c_str(), connection->messages_->handler(),
                                    Configuration(options, with_log).c_str(), &connection->connection_);
  if (error == 0) return connection;
  connection->connection_ = nullptr;
  const wiredtiger::ErrorMessages& messages = *connection->messages_;
  const std::string block = messages.DamagedBlock();
  return Error(
      connection->CodeOf(error),
      "cannot open the database in " + options.directory + messages.Suspects(options.directory) + ": " +
          (block.empty() ? wiredtiger_strerror(error) + messages.All() + "; if the disk is full, make room" : block));
}

WtConnection::~WtConnection() { std::ignore = Close(); }

Status WtConnection::Close() {
  if (connection_ == nullptr) return status();
  // After a failure WiredTiger's memory is not trusted to be freed in order.
  WT_CONNECTION* const closing = std::exchange(connection_, nullptr);
  const int error = closing->close(closing, failed() ? "leak_memory=true" : nullptr);
  if (error == 0) return status();
  Status failure = Fail(
      Status(Code::kInternal, std::string("closing the database: ") + wiredtiger_strerror(error) + LastMessages()));
  // After a panic WiredTiger refuses to close, and its threads may complain for as long as the process lives.
  (void)messages_.release();
  return failure;
}

void WtConnection::Abandon() {
  connection_ = nullptr;
  (void)messages_.release();  // its threads may use it for as long as the process lives
}

Status WtConnection::status() const {
  if (!failed()) return {};
  MutexLock lock(mutex_);
  return reason_;
}

Status WtConnection::Fail(Status reason) {
  MutexLock lock(mutex_);
  if (!failed()) {
    reason_ = opened_ ? Status(Code::kInternal, reason.message()) : std::move(reason);
    failed_.store(true, std::memory_order_release);
    LOG(ERROR) << "the store has failed and answers nothing more: " << reason_;
  }
  return reason_;
}

Status WtConnection::Check(int error, std::string_view doing) {
  if (error == 0) return {};
  if (IsTransient(error)) {
    return Error(Code::kOverloaded, std::string(doing) + ": no room in the cache, or too many conflicts");
  }
  return Fail(Status(CodeOf(error), std::string(doing) + ": " + wiredtiger_strerror(error) + LastMessages()));
}

Code WtConnection::CodeOf(int error) const {
  return messages_->of_this_moment() || IsOfThisMoment(error) ? Code::kUnavailable : Code::kInternal;
}

void WtConnection::NoteOpened() {
  MutexLock lock(mutex_);
  opened_ = true;
  if (failed()) reason_ = Status(Code::kInternal, reason_.message());
}

}  // namespace ebla::tabletserver
