#include "master/cluster/view_pages.h"

#include <algorithm>

namespace ebla::master {

ViewPages::Page ViewPages::Begin(int64_t id, std::string text, MonotonicTime now) {
  std::erase_if(cached_, [&](const auto& item) { return now - item.second.last_used >= kCachedFor; });
  Page page{.id = 0, .bytes = text.size(), .text = {}};
  if (text.size() <= page_bytes_) {
    page.text = std::move(text);
    return page;
  }
  if (cached_.size() >= kCachedMax) {
    cached_.erase(std::ranges::min_element(cached_, {}, [](const auto& item) { return item.second.last_used; }));
  }
  page.id = id;
  page.text = text.substr(0, page_bytes_);
  cached_[id] = {std::move(text), now};
  return page;
}

Result<ViewPages::Page> ViewPages::Next(int64_t id, int64_t offset, MonotonicTime now) {
  const auto found = cached_.find(id);
  if (found == cached_.end() || offset < 0 || static_cast<size_t>(offset) >= found->second.text.size()) {
    return Error(Code::kConditionFailed, "that view is gone, or of another master: ask for a new one");
  }
  CachedView& view = found->second;
  view.last_used = now;
  Page page{.id = id, .bytes = view.text.size(), .text = view.text.substr(static_cast<size_t>(offset), page_bytes_)};
  if (static_cast<size_t>(offset) + page.text.size() == view.text.size()) cached_.erase(found);
  return page;
}

}  // namespace ebla::master
