#include "gateway/store/flush_table.h"

#include <memory>
#include <utility>

#include "common/base/mutex.h"

namespace ebla::gateway {
namespace {

constexpr uint64_t kPageRows = 256;

class TableFlush : public std::enable_shared_from_this<TableFlush> {
 public:
  TableFlush(Store& store, std::chrono::milliseconds deadline, Callback<Status> done)
      : store_(store), deadline_(deadline), done_(std::move(done)) {}

  void NextPage() {
    store_.ScanKeys(range_, kPageRows, NewUntil(),
                    [self = shared_from_this()](Result<ScanPage> page) { self->DeletePage(std::move(page)); });
  }

 private:
  Until NewUntil() const { return std::chrono::steady_clock::now() + deadline_; }

  void DeletePage(Result<ScanPage> page) {
    if (!page.has_value()) return done_(std::move(page.error()));
    last_ = page->done;
    range_ = std::move(page->remaining);
    {
      MutexLock lock(mutex_);
      left_ = page->rows.size() + 1;
    }
    for (const Row& row : page->rows) {
      store_.Delete(row.key, Condition::Is(row.record.version), NewUntil(),
                    [self = shared_from_this()](Status status) { self->CountOne(std::move(status)); });
    }
    CountOne({});
  }

  // Counts the deletes of a page, and the page itself.
  void CountOne(Status status) {
    Status outcome;
    {
      MutexLock lock(mutex_);
      const bool gone = status.code() == Code::kConditionFailed || status.code() == Code::kNotFound;
      if (!status.ok() && !gone && outcome_.ok()) outcome_ = std::move(status);
      if (--left_ > 0) return;
      outcome = outcome_;
    }
    if (!outcome.ok() || last_) return done_(std::move(outcome));
    NextPage();
  }

  Store& store_;
  const std::chrono::milliseconds deadline_;
  Callback<Status> done_;
  KeyRange range_;     // what is left
  bool last_ = false;  // nothing is left after this page
  Mutex mutex_;
  size_t left_ EBLA_GUARDED_BY(mutex_) = 0;
  Status outcome_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace

void FlushTable(Store& store, std::chrono::milliseconds deadline, Callback<Status> done) {
  std::make_shared<TableFlush>(store, deadline, std::move(done))->NextPage();
}

}  // namespace ebla::gateway
