#include "tabletserver/service/checksum_handler.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "common/base/mutex.h"
#include "common/rpc/idl_convert.h"
#include "tabletserver/reads/record_page.h"
#include "tabletserver/service/translate.h"

namespace ebla::tabletserver {
namespace {

constexpr int64_t kRetryMs = 100;
constexpr Duration kRestMin = std::chrono::milliseconds(1);

void FillReply(const RecordPage& page, idl::ChecksumReply& reply) {
  reply.range = rpc::ToIdl(page.range);
  reply.appliedLsn = static_cast<int64_t>(page.applied.value);
  reply.records = page.records;
  reply.bytes = page.bytes;
  reply.checksum = page.checksum;
  reply.nextKey = page.next;
  reply.done = page.done;
  reply.header.__set_epoch(static_cast<int64_t>(page.epoch.value));
}

}  // namespace

// The requested pages, read in sequence.
class ChecksumHandler::Line : public std::enable_shared_from_this<Line> {
 public:
  struct Page {
    std::shared_ptr<TabletHandle> handle;
    std::string from;
    std::function<void(const idl::ChecksumReply&)> done;
  };

  Line(Executor& executor, TabletStore& store) : executor_(executor), store_(store) {}

  // False: too many wait.
  bool Join(Page page) {
    MutexLock lock(mutex_);
    if (unanswered_ >= kWaitingMax) return false;
    ++unanswered_;
    pages_.push_back(std::move(page));
    if (!std::exchange(busy_, true)) executor_.Post([self = shared_from_this()] { self->Read(); });
    return true;
  }

 private:
  void Read() {
    Page page;
    {
      MutexLock lock(mutex_);
      page = std::move(pages_.front());
      pages_.pop_front();
    }
    const MonotonicTime began = executor_.Now();
    idl::ChecksumReply reply;
    if (const Result<RecordPage> read = ReadRecordPage(store_, *page.handle, page.from)) {
      FillReply(*read, reply);
    } else {
      FillRefusal(read.error(), read.error().code() == Code::kComeAgain ? kRetryMs : -1, reply.header);
    }
    page.handle.reset();
    {
      MutexLock lock(mutex_);
      --unanswered_;
    }
    executor_.After(std::max(executor_.Now() - began, kRestMin), [self = shared_from_this()] { self->Next(); });
    page.done(reply);
  }

  void Next() {
    {
      MutexLock lock(mutex_);
      busy_ = !pages_.empty();
      if (!busy_) return;
    }
    Read();
  }

  Executor& executor_;
  TabletStore& store_;
  Mutex mutex_;
  std::deque<Page> pages_ EBLA_GUARDED_BY(mutex_);  // those that wait
  bool busy_ EBLA_GUARDED_BY(mutex_) = false;       // a reading is posted, under way, or rests
  size_t unanswered_ EBLA_GUARDED_BY(mutex_) = 0;   // those that wait, and one that is being read
};

ChecksumHandler::ChecksumHandler(Executor& executor, TabletStore& store, const TabletDirectory& directory)
    : directory_(directory), line_(std::make_shared<Line>(executor, store)) {}

void ChecksumHandler::Answer(const idl::ChecksumRequest& request, std::function<void(const idl::ChecksumReply&)> done) {
  const auto refuse = [&done](const Status& status, int64_t retry_ms) {
    idl::ChecksumReply reply;
    FillRefusal(status, retry_ms, reply.header);
    done(reply);
  };
  std::shared_ptr<TabletHandle> handle = directory_.snapshot()->Find(
      TableId{static_cast<uint64_t>(request.header.tableId)}, TabletId{static_cast<uint64_t>(request.header.tabletId)});
  if (handle == nullptr) return refuse(Status(Code::kWrongTablet, "no replica of that tablet is here"), -1);
  if (!line_->Join({std::move(handle), request.fromKey, done})) {
    refuse(Status(Code::kOverloaded, "too many replicas are being checked here"), kRetryMs);
  }
}

}  // namespace ebla::tabletserver
