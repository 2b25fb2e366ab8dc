#include "tabletserver/reads/middle_key.h"

#include <algorithm>

#include "common/base/split_key.h"

namespace ebla::tabletserver {

void MiddleKey::Add(const TabletStore::RangeSize& size, const KeyRange& range) {
  if (size.whole) {
    rows_ = size.sample;
    return;
  }
  std::erase_if(rows_, [&range](const SampledRow& row) { return !range.Contains(row.first); });
  rows_.insert(rows_.end(), size.sample.begin(), size.sample.end());
  const size_t most = std::max(kRowsGathered, size.sample.size());
  if (rows_.size() > most) rows_.erase(rows_.begin(), rows_.end() - static_cast<std::ptrdiff_t>(most));
}

std::string MiddleKey::Find() const {
  if (rows_.size() < kRowsLeast) return {};
  std::vector<SampledRow> rows = rows_;
  std::sort(rows.begin(), rows.end());
  int64_t all = 0;
  for (const SampledRow& row : rows) all += row.second;
  int64_t below = rows[0].second;
  for (size_t i = 1; i < rows.size(); below += rows[i].second, ++i) {
    // A random row may have been met twice.
    if (2 * below < all || rows[i - 1].first == rows[i].first) continue;
    std::string key = ShortestSeparator(rows[i - 1].first, rows[i].first);
    return key.size() <= kSplitKeyBytesMax ? key : std::string();
  }
  return {};
}

}  // namespace ebla::tabletserver
