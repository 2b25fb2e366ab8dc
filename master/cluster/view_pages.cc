#include "master/cluster/view_pages.h"

#include <algorithm>

namespace ebla::master {

ViewPages::Page ViewPages::Begin(int64_t id, std::string text, MonotonicTime now) {
  std::erase_if(kept_, [&](const auto& item) { return now - item.second.asked >= kKeptFor; });
  Page page{.id = 0, .bytes = text.size(), .text = {}};
  if (text.size() <= page_bytes_) {
    page.text = std::move(text);
    return page;
  }
  if (kept_.size() >= kKeptMax) {
    kept_.erase(std::ranges::min_element(kept_, {}, [](const auto& item) { return item.second.asked; }));
  }
  page.id = id;
  page.text = text.substr(0, page_bytes_);
  kept_[id] = {std::move(text), now};
  return page;
}

Result<ViewPages::Page> ViewPages::Next(int64_t id, int64_t offset, MonotonicTime now) {
  const auto found = kept_.find(id);
  if (found == kept_.end() || offset < 0 || static_cast<size_t>(offset) >= found->second.text.size()) {
    return Error(Code::kConditionFailed, "that view is kept no more, or this is another master: ask for it anew");
  }
  Kept& kept = found->second;
  kept.asked = now;
  Page page{.id = id, .bytes = kept.text.size(), .text = kept.text.substr(static_cast<size_t>(offset), page_bytes_)};
  if (static_cast<size_t>(offset) + page.text.size() == kept.text.size()) kept_.erase(found);
  return page;
}

}  // namespace ebla::master
