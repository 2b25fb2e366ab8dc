#include "tabletserver/storage/buffer/sorted_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace ebla::tabletserver {

uint64_t SortedRows::HintOf(std::string_view key) {
  uint64_t hint = 0;
  std::memcpy(&hint, key.data(), std::min(key.size(), sizeof hint));
  return std::endian::native == std::endian::little ? __builtin_bswap64(hint) : hint;
}

SortedRows::Version* SortedRows::NewVersion(Bytes row, ChangeNumber change, Version* older) {
  const auto size = static_cast<uint32_t>(row ? row->size() : 0);
  char* const at = arena_.Allocate(sizeof(Version) + size);
  auto* const version = new (at) Version{change, older, row ? size : kDeleted, size};
  if (row) std::memcpy(version->data(), row->data(), size);
  return version;
}

void SortedRows::Put(std::string_view key, Bytes row, ChangeNumber change, ChangeNumber scanned) {
  if (const auto found = index_.find(key); found != index_.end()) {
    Version*& latest = (*found)->latest;
    if (latest->change <= scanned) {
      latest = NewVersion(row, change, latest);
    } else if (row && row->size() > latest->room) {
      latest = NewVersion(row, change, latest->older);
    } else {
      if (row) std::memcpy(latest->data(), row->data(), row->size());
      latest->size = row ? static_cast<uint32_t>(row->size()) : kDeleted;
      latest->change = change;
    }
    return;
  }
  Row* const added = new (arena_.Allocate(sizeof(Row) + key.size())) Row{nullptr, static_cast<uint32_t>(key.size())};
  std::memcpy(added->data(), key.data(), key.size());
  added->latest = NewVersion(row, change, nullptr);
  tree_.insert(Slot{HintOf(key), added});
  index_.insert(added);
  rows_.store(tree_.size(), std::memory_order_relaxed);
}

std::optional<SortedRows::Bytes> SortedRows::Row::At(ChangeNumber change) const {
  const Version* version = latest;
  while (version != nullptr && version->change > change) version = version->older;
  if (version == nullptr) return std::nullopt;
  return version->bytes();
}

std::optional<SortedRows::Bytes> SortedRows::Find(std::string_view key, ChangeNumber change) const {
  const auto found = index_.find(key);
  return found == index_.end() ? std::nullopt : (*found)->At(change);
}

bool SortedRows::AnyIn(const KeyRange& range) const {
  const auto at = tree_.lower_bound(std::string_view(range.start));
  return at != tree_.end() && range.Contains(at->row->key());
}

void SortedRows::Read(const KeyRange& range, bool reverse, ChangeNumber change, size_t rows_max, Page& page) const {
  page.rows.clear();
  auto begin = tree_.lower_bound(std::string_view(range.start));
  auto end = range.end.empty() ? tree_.end() : tree_.lower_bound(std::string_view(range.end));
  const auto full = [&] { return page.rows.size() >= rows_max; };
  const auto add = [&](const Row& row) {
    if (const auto bytes = row.At(change)) page.rows.push_back({row.key(), *bytes});
  };
  if (reverse) {
    while (end != begin && !full()) add(*(--end)->row);
  } else {
    for (; begin != end && !full(); ++begin) add(*begin->row);
  }
}

}  // namespace ebla::tabletserver
