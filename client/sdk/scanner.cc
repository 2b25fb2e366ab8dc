#include <optional>
#include <utility>

#include "client/sdk/runtime.h"
#include "common/base/mutex.h"
#include "ebla/table.h"

namespace ebla {

// Pages as they come: while the caller takes the second half of one, the next is on its way. The page on its way may
// arrive after the scanner has gone, so it lands in a place of its own.
struct Scanner::Pages {
  struct Landing {
    Mutex mutex;
    CondVar come;
    std::optional<Result<ScanPage>> page EBLA_GUARDED_BY(mutex);
  };

  std::shared_ptr<client::TableHandle> table;
  ScanOptions options;  // of the next page: what remains
  ScanPage page;
  size_t next_row = 0;
  std::shared_ptr<Landing> landing;  // of the page on its way; null: none is

  bool more() const { return !page.done; }

  void Ask() {
    landing = std::make_shared<Landing>();
    table->core().ScanPage(table->table(), options, [landing = landing](Result<ScanPage> page) {
      MutexLock lock(landing->mutex);
      landing->page = std::move(page);
      landing->come.NotifyOne();
    });
  }

  Status Take() {
    if (!landing) Ask();
    const auto arrived = std::move(landing);
    MutexLock lock(arrived->mutex);
    while (!arrived->page.has_value()) arrived->come.Wait(arrived->mutex);
    if (!*arrived->page) return (*arrived->page).error();
    page = **std::move(arrived->page);
    next_row = 0;
    options.range = page.remaining;
    if (options.limit > 0) {
      options.limit -= std::min<uint64_t>(options.limit, page.rows.size());
      if (options.limit == 0) page.done = true;
    }
    return {};
  }
};

Scanner::Scanner(std::shared_ptr<client::TableHandle> table, ScanOptions options)
    : pages_(std::make_unique<Pages>(std::move(table), std::move(options))) {}
Scanner::Scanner(Scanner&&) noexcept = default;
Scanner& Scanner::operator=(Scanner&&) noexcept = default;
Scanner::~Scanner() = default;

bool Scanner::Next() {
  if (!status_.ok()) return false;
  if (pages_->next_row == 0 && pages_->table->runtime().OnOwnThread()) {
    status_ = client::Runtime::BlockedStatus();
    return false;
  }
  // A page may be empty where records have expired or tablets hold nothing.
  while (pages_->next_row >= pages_->page.rows.size()) {
    if (!pages_->more()) return false;
    status_ = pages_->Take();
    if (!status_.ok()) return false;
  }
  row_ = std::move(pages_->page.rows[pages_->next_row++]);
  if (pages_->next_row * 2 >= pages_->page.rows.size() && pages_->more() && !pages_->landing) pages_->Ask();
  return true;
}

}  // namespace ebla
