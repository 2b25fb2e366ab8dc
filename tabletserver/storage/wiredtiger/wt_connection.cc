#include "tabletserver/storage/wiredtiger/wt_connection.h"

#include <glog/logging.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <tuple>
#include <utility>

#include "common/base/mutex.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"

namespace ebla::tabletserver {

// WiredTiger calls back with a pointer to its first member.
struct WtConnection::Handler {
  WT_EVENT_HANDLER callbacks{};
  mutable Mutex mutex;
  std::deque<std::string> last EBLA_GUARDED_BY(mutex);  // the latest error messages

  static int OnError(WT_EVENT_HANDLER* self, WT_SESSION*, int, const char* message) {
    LOG(ERROR) << "WiredTiger: " << message;
    auto* handler = reinterpret_cast<Handler*>(self);
    MutexLock lock(handler->mutex);
    handler->last.emplace_back(message);
    if (handler->last.size() > 4) handler->last.pop_front();
    return 0;
  }
  static int OnMessage(WT_EVENT_HANDLER*, WT_SESSION*, const char* message) {
    VLOG(1) << "WiredTiger: " << message;
    return 0;
  }
};

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
      << ",extensions=[local={entry=" << kFilesEntry
      << ",early_load=true},libwiredtiger_snappy.so,libwiredtiger_zlib.so]";
  return out.str();
}

// A file that WiredTiger makes only once it has written WiredTiger.turtle; empty: there is none. A crash before that
// leaves a WiredTiger.wt of one block.
std::string FileOfDatabase(const std::string& directory) {
  constexpr std::uintmax_t kFileBlockBytes = 4096;
  std::error_code gone;
  for (std::filesystem::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
    std::string name = at->path().filename();
    std::error_code ignored;
    if (!name.ends_with(".wt")) continue;
    if (name != "WiredTiger.wt" || at->file_size(ignored) > kFileBlockBytes) return name;
  }
  return {};
}

// WiredTiger trusts this file about the form of its own records, and overruns its stack if the file is damaged. Without
// the file it makes a new database over the files of an old one.
Status CheckTurtle(const std::string& directory) {
  const std::string name = directory + "/WiredTiger.turtle";
  std::ifstream in(name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (text.empty()) {
    const std::string other = FileOfDatabase(directory);
    return other.empty() ? Status() : Error(Code::kInternal, name + " is missing or empty, and " + other + " is there");
  }
  for (const char* const form : {",key_format=S,", ",value_format=S,"}) {
    if (text.find(form) == std::string::npos) return Error(Code::kInternal, name + " is damaged");
  }
  return {};
}

}  // namespace

std::string DirtyTarget(int64_t cache_bytes) {
  return "eviction_dirty_target=" + std::to_string(std::min(cache_bytes / 2, kDirtyMax));
}

WtConnection::WtConnection() : handler_(std::make_unique<Handler>()) {
  static_assert(offsetof(Handler, callbacks) == 0);
  handler_->callbacks.handle_error = Handler::OnError;
  handler_->callbacks.handle_message = Handler::OnMessage;
}

Result<std::unique_ptr<WtConnection>> WtConnection::Open(const WtStoreOptions& options, bool with_log) {
  EBLA_TRY(CheckTurtle(options.directory));
  std::unique_ptr<WtConnection> connection(new WtConnection);
  const int error = wiredtiger_open(options.directory.c_str(), &connection->handler_->callbacks,
                                    Configuration(options, with_log).c_str(), &connection->connection_);
  if (error == 0) return connection;
  connection->connection_ = nullptr;
  return Error(Code::kInternal, "cannot open the database in " + options.directory + ": " + wiredtiger_strerror(error) +
                                    connection->LastMessages() + "; if the disk is full, make room");
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
  (void)handler_.release();
  return failure;
}

void WtConnection::Abandon() {
  connection_ = nullptr;
  (void)handler_.release();  // its threads may use it for as long as the process lives
}

Status WtConnection::status() const {
  if (!failed()) return {};
  MutexLock lock(mutex_);
  return reason_;
}

Status WtConnection::Fail(Status reason) {
  MutexLock lock(mutex_);
  if (!failed()) {
    reason_ = std::move(reason);
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
  return Fail(Status(Code::kInternal, std::string(doing) + ": " + wiredtiger_strerror(error) + LastMessages()));
}

std::string WtConnection::LastMessages() const {
  MutexLock lock(handler_->mutex);
  std::string all;
  for (const std::string& message : handler_->last) all += (all.empty() ? " (" : "; ") + message;
  return all.empty() ? all : all + ")";
}

}  // namespace ebla::tabletserver
