#include "tabletserver/tablet/tablet_directory.h"

#include <algorithm>

#include "common/base/planted_bug.h"

namespace ebla::tabletserver {
namespace {

// The entry that covers the place just below `end`; an empty end is above every key.
const TabletDirectory::Entry* CoveringBelow(const TabletDirectory::Ranges& ranges, const std::string& end) {
  auto after = end.empty() ? ranges.end()
                           : std::lower_bound(ranges.begin(), ranges.end(), end,
                                              [](const auto& entry, const auto& key) { return entry.range.start < key; });
  if (after == ranges.begin()) return nullptr;
  const TabletDirectory::Entry& entry = *--after;
  const bool reaches = entry.range.end.empty() || (!end.empty() && end <= entry.range.end);
  return reaches ? &entry : nullptr;
}

const TabletDirectory::Entry* Covering(const TabletDirectory::Ranges& ranges, std::string_view key) {
  auto after = std::upper_bound(ranges.begin(), ranges.end(), key,
                                [](const auto& wanted, const auto& entry) { return wanted < entry.range.start; });
  if (after == ranges.begin()) return nullptr;
  const TabletDirectory::Entry& entry = *--after;
  return entry.range.Contains(key) ? &entry : nullptr;
}

}  // namespace

const TabletDirectory::Ranges* TabletDirectory::Snapshot::Table(TableId table) const {
  const auto found = tables_.find(table);
  return found == tables_.end() ? nullptr : found->second.get();
}

const std::shared_ptr<TabletHandle>* TabletDirectory::Snapshot::Find(TableId table, std::string_view key) const {
  const Ranges* ranges = Table(table);
  const Entry* entry = ranges == nullptr ? nullptr : Covering(*ranges, key);
  return entry == nullptr ? nullptr : &entry->handle;
}

const std::shared_ptr<TabletHandle>* TabletDirectory::Snapshot::FindForScan(TableId table, const KeyRange& range,
                                                                            bool reverse) const {
  const Ranges* ranges = Table(table);
  if (ranges == nullptr) return nullptr;
  const Entry* entry = reverse ? CoveringBelow(*ranges, range.end) : Covering(*ranges, range.start);
  return entry == nullptr ? nullptr : &entry->handle;
}

std::vector<std::shared_ptr<TabletHandle>> TabletDirectory::Snapshot::All() const {
  std::vector<std::shared_ptr<TabletHandle>> all;
  for (const auto& [table, ranges] : tables_) {
    for (const Entry& entry : *ranges) all.push_back(entry.handle);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->tablet < b->tablet; });
  return all;
}

Status TabletDirectory::Insert(Snapshot& snapshot, const Entry& entry) {
  auto& slot = snapshot.tables_[entry.handle->table];
  Ranges ranges = slot == nullptr ? Ranges() : *slot;
  for (const Entry& other : ranges) {
    if (!other.range.Overlaps(entry.range) || Planted(PlantedBug::overlap_taken)) continue;
    return Error(Code::kComeAgain, "tablet " + std::to_string(entry.handle->tablet.value) + " " + entry.range.ToString() +
                                       " overlaps tablet " + std::to_string(other.handle->tablet.value) + " " +
                                       other.range.ToString() + ", which is still here");
  }
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), entry.range.start,
                                      [](const auto& start, const auto& other) { return start < other.range.start; });
  ranges.insert(after, entry);
  slot = std::make_shared<Ranges>(std::move(ranges));
  return Status::Ok();
}

std::shared_ptr<TabletHandle> TabletDirectory::Extract(Snapshot& snapshot, const TabletHandle& handle) {
  const auto table = snapshot.tables_.find(handle.table);
  if (table == snapshot.tables_.end()) return nullptr;
  Ranges ranges = *table->second;
  const auto found = std::find_if(ranges.begin(), ranges.end(), [&](const auto& e) { return e.handle.get() == &handle; });
  if (found == ranges.end()) return nullptr;
  auto kept = found->handle;
  ranges.erase(found);
  if (ranges.empty()) {
    snapshot.tables_.erase(table);
  } else {
    table->second = std::make_shared<Ranges>(std::move(ranges));
  }
  return kept;
}

Status TabletDirectory::Add(const std::shared_ptr<TabletHandle>& handle, const KeyRange& range) {
  std::lock_guard lock(mutex_);
  auto next = std::make_shared<Snapshot>(*snapshot_.Load());
  EBLA_TRY(Insert(*next, {range, handle}));
  snapshot_.Store(std::move(next));
  return Status::Ok();
}

void TabletDirectory::Remove(const TabletHandle& handle) {
  std::lock_guard lock(mutex_);
  auto next = std::make_shared<Snapshot>(*snapshot_.Load());
  if (Extract(*next, handle) != nullptr) snapshot_.Store(std::move(next));
}

Status TabletDirectory::Split(const TabletHandle& parent, const KeyRange& left,
                              const std::shared_ptr<TabletHandle>& child, const KeyRange& right) {
  std::lock_guard lock(mutex_);
  auto next = std::make_shared<Snapshot>(*snapshot_.Load());
  auto kept = Extract(*next, parent);
  if (kept == nullptr) return Error(Code::kNotFound, "tablet " + std::to_string(parent.tablet.value) + " is not here");
  EBLA_TRY(Insert(*next, {left, kept}));
  EBLA_TRY(Insert(*next, {right, child}));
  snapshot_.Store(std::move(next));
  return Status::Ok();
}

Status TabletDirectory::Merge(const TabletHandle& left, const TabletHandle& right,
                              const std::shared_ptr<TabletHandle>& merged, const KeyRange& range) {
  std::lock_guard lock(mutex_);
  auto next = std::make_shared<Snapshot>(*snapshot_.Load());
  for (const TabletHandle* part : {&left, &right}) {
    if (Extract(*next, *part) != nullptr) continue;
    return Error(Code::kNotFound, "tablet " + std::to_string(part->tablet.value) + " is not here");
  }
  EBLA_TRY(Insert(*next, {range, merged}));
  snapshot_.Store(std::move(next));
  return Status::Ok();
}

Status TabletDirectory::ChangeRange(const TabletHandle& handle, const KeyRange& range) {
  std::lock_guard lock(mutex_);
  auto next = std::make_shared<Snapshot>(*snapshot_.Load());
  auto kept = Extract(*next, handle);
  if (kept == nullptr) return Error(Code::kNotFound, "tablet " + std::to_string(handle.tablet.value) + " is not here");
  EBLA_TRY(Insert(*next, {range, kept}));
  snapshot_.Store(std::move(next));
  return Status::Ok();
}

}  // namespace ebla::tabletserver
