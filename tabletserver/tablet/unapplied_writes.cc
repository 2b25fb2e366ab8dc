#include "tabletserver/tablet/unapplied_writes.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::tabletserver {
namespace {

// A key's node in the map and its list of items, about; the key is there a second time.
constexpr size_t kKeyBytes = 160;

size_t BytesOf(const LogEntry& entry) {
  size_t bytes = entry.ApproximateBytes() + kKeyBytes * entry.effects.size();
  for (const Effect& effect : entry.effects) bytes += effect.key.size();
  return bytes;
}

}  // namespace

void UnappliedWrites::Add(EntryPtr entry) {
  CHECK(entries_.empty() || entries_.back()->version < entry->version);
  for (const Effect& effect : entry->effects) keys_[effect.key].push_back({entry->version, &effect});
  bytes_ += BytesOf(*entry);
  entries_.push_back(std::move(entry));
}

void UnappliedWrites::RemoveUpTo(Lsn applied) {
  while (!entries_.empty() && entries_.front()->version.lsn <= applied) {
    const EntryPtr& entry = entries_.front();
    for (const Effect& effect : entry->effects) {
      const auto key = keys_.find(effect.key);
      if (key == keys_.end()) continue;  // an entry names no key twice, but one that did would be whole here already
      std::erase_if(key->second, [&](const Item& item) { return item.version == entry->version; });
      if (key->second.empty()) keys_.erase(key);
    }
    bytes_ -= BytesOf(*entry);
    entries_.pop_front();
  }
}

void UnappliedWrites::RemoveAbove(Lsn last) {
  while (!entries_.empty() && entries_.back()->version.lsn > last) {
    const EntryPtr& entry = entries_.back();
    for (const Effect& effect : entry->effects) {
      const auto key = keys_.find(effect.key);
      if (key == keys_.end()) continue;
      std::erase_if(key->second, [&](const Item& item) { return item.version == entry->version; });
      if (key->second.empty()) keys_.erase(key);
    }
    bytes_ -= BytesOf(*entry);
    entries_.pop_back();
  }
}

namespace {

// The last of a key's items at or below `upto`.
std::optional<UnappliedWrites::Item> NewestUpTo(const std::vector<UnappliedWrites::Item>& items, Lsn upto) {
  const auto above = std::partition_point(items.begin(), items.end(),
                                          [&](const UnappliedWrites::Item& item) { return item.version.lsn <= upto; });
  if (above == items.begin()) return std::nullopt;
  return *std::prev(above);
}

}  // namespace

std::optional<UnappliedWrites::Item> UnappliedWrites::Find(std::string_view key, Lsn upto) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? std::nullopt : NewestUpTo(found->second, upto);
}

UnappliedWrites::Cursor::Cursor(const UnappliedWrites& unapplied, const ScanBounds& bounds, Lsn upto)
    : first_(unapplied.keys_.lower_bound(bounds.range.start)),
      last_(bounds.range.end.empty() ? unapplied.keys_.end() : unapplied.keys_.lower_bound(bounds.range.end)),
      reverse_(bounds.reverse),
      upto_(upto) {
  if (bounds.range.Empty()) first_ = last_;
  Settle();
}

void UnappliedWrites::Cursor::Next() {
  if (reverse_) {
    --last_;
  } else {
    ++first_;
  }
  Settle();
}

// Moves to the next key with an item that counts; the current one is *first_, or the one before last_ in reverse.
void UnappliedWrites::Cursor::Settle() {
  item_.reset();
  while (first_ != last_) {
    const auto at = reverse_ ? std::prev(last_) : first_;
    item_ = NewestUpTo(at->second, upto_);
    if (item_.has_value()) {
      key_ = at->first;
      return;
    }
    if (reverse_) {
      last_ = at;
    } else {
      ++first_;
    }
  }
}

}  // namespace ebla::tabletserver
