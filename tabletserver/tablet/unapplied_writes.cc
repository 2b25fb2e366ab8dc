#include "tabletserver/tablet/unapplied_writes.h"

#include <glog/logging.h>

#include <iterator>

namespace ebla::tabletserver {
namespace {

// Effects that may wait to be put in order: that takes a tenth of a millisecond.
constexpr size_t kUnorderedMax = 1'000;
// A key's place in the map, about.
constexpr size_t kPlaceBytes = 80;

size_t BytesOf(const LogEntry& entry) { return entry.ApproximateBytes() + kPlaceBytes * entry.effects.size(); }

}  // namespace

void UnappliedWrites::Add(EntryPtr entry) {
  CHECK(entries_.empty() || entries_.back()->version.lsn < entry->version.lsn);
  bytes_ += BytesOf(*entry);
  unordered_ += entry->effects.size();
  entries_.push_back(std::move(entry));
  if (unordered_ > kUnorderedMax) PutInOrder();
}

void UnappliedWrites::PutInOrder() {
  for (; ordered_ < entries_.size(); ++ordered_) {
    const LogEntry& entry = *entries_[ordered_];
    for (const Effect& effect : entry.effects)
      items_.insert_or_assign({effect.key, entry.version.lsn}, Item{entry.version, &effect});
  }
  unordered_ = 0;
}

void UnappliedWrites::Forget(const LogEntry& entry, bool ordered) {
  bytes_ -= BytesOf(entry);
  if (!ordered) {
    unordered_ -= entry.effects.size();
    return;
  }
  for (const Effect& effect : entry.effects) items_.erase({effect.key, entry.version.lsn});
  --ordered_;
}

void UnappliedWrites::RemoveUpTo(Lsn applied) {
  if (!entries_.empty() && entries_.back()->version.lsn <= applied) return Clear();
  for (; !entries_.empty() && entries_.front()->version.lsn <= applied; entries_.pop_front())
    Forget(*entries_.front(), ordered_ > 0);
}

// The case after most rounds: no entry has to be searched for.
void UnappliedWrites::Clear() {
  items_.clear();
  entries_.clear();
  ordered_ = 0;
  unordered_ = 0;
  bytes_ = 0;
}

void UnappliedWrites::RemoveAbove(Lsn last) {
  for (; !entries_.empty() && entries_.back()->version.lsn > last; entries_.pop_back())
    Forget(*entries_.back(), ordered_ == entries_.size());
}

std::optional<UnappliedWrites::Item> UnappliedWrites::Find(std::string_view key, Lsn upto) {
  PutInOrder();
  const auto above = items_.upper_bound({key, upto});
  if (above == items_.begin()) return std::nullopt;
  const auto& [place, item] = *std::prev(above);
  return place.first == key ? std::optional(item) : std::nullopt;
}

std::optional<UnappliedWrites::Item> UnappliedWrites::Next(const KeyRange& range, bool reverse) {
  PutInOrder();
  // The newest effect on a key is its last one in this order.
  auto after = items_.end();
  if (!reverse) {
    const auto first = items_.lower_bound({range.start, Lsn{}});
    if (first == items_.end()) return std::nullopt;
    after = items_.upper_bound({first->first.first, Lsn{UINT64_MAX}});
  } else if (!range.end.empty()) {
    after = items_.lower_bound({range.end, Lsn{}});
  }
  if (after == items_.begin()) return std::nullopt;
  const auto& [place, item] = *std::prev(after);
  return range.Contains(place.first) ? std::optional(item) : std::nullopt;
}

void UnappliedWrites::Visit(const KeyRange& range, Lsn upto, const std::function<bool(const Item& item)>& visitor) {
  if (range.Empty()) return;
  PutInOrder();
  const auto last = range.end.empty() ? items_.end() : items_.lower_bound({range.end, Lsn{}});
  std::optional<Item> newest;
  for (auto at = items_.lower_bound({range.start, Lsn{}}); at != last;) {
    const auto& [place, item] = *at;
    if (place.second <= upto) newest = item;
    if (++at != last && at->first.first == place.first) continue;
    if (newest && !visitor(*newest)) return;
    newest.reset();
  }
}

}  // namespace ebla::tabletserver
