#include "tabletserver/reads/tablet_directory.h"

#include <algorithm>

#include "common/base/mutex.h"
#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {

Status NoReplicaHere() { return Error(Code::kWrongTablet, "no replica of that part of the table is on this server"); }
namespace {

// The entry that covers the place just below `end`; an empty end is above every key.
const TabletDirectory::Entry* CoveringBelow(const TabletDirectory::Ranges& ranges, const std::string& end) {
  auto after = end.empty()
                   ? ranges.end()
                   : std::lower_bound(ranges.begin(), ranges.end(), end,
                                      [](const auto& entry, const auto& key) { return entry.range.start < key; });
  if (after == ranges.begin()) return nullptr;
  const TabletDirectory::Entry& entry = *--after;
  return entry.range.ContainsBelow(end) ? &entry : nullptr;
}

const TabletDirectory::Entry* Covering(const TabletDirectory::Ranges& ranges, std::string_view key) {
  auto after = std::upper_bound(ranges.begin(), ranges.end(), key,
                                [](const auto& wanted, const auto& entry) { return wanted < entry.range.start; });
  if (after == ranges.begin()) return nullptr;
  const TabletDirectory::Entry& entry = *--after;
  return entry.range.Contains(key) ? &entry : nullptr;
}

Status Insert(TabletDirectory::Ranges& ranges, const TabletDirectory::Entry& entry) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), entry.range.start,
                                      [](const auto& start, const auto& other) { return start < other.range.start; });
  // Only its neighbours can overlap it, because the ranges do not overlap each other.
  for (auto other = after == ranges.begin() ? after : after - 1; other != ranges.end() && other <= after; ++other) {
    if (!other->range.Overlaps(entry.range) || !rules::PlacesDoNotOverlap()) continue;
    return Error(Code::kComeAgain, "tablet " + std::to_string(entry.handle->tablet.value) + " " +
                                       entry.range.ToString() + " overlaps tablet " +
                                       std::to_string(other->handle->tablet.value) + " " + other->range.ToString() +
                                       ", which is still here");
  }
  ranges.insert(after, entry);
  return Status::Ok();
}

Result<std::shared_ptr<TabletHandle>> Extract(TabletDirectory::Ranges& ranges, const TabletHandle& handle) {
  const auto found = std::ranges::find(ranges, &handle, [](const auto& entry) { return entry.handle.get(); });
  if (found == ranges.end())
    return Error(Code::kNotFound, "tablet " + std::to_string(handle.tablet.value) + " is not here");
  auto kept = std::move(found->handle);
  ranges.erase(found);
  return kept;
}

}  // namespace

const TabletDirectory::Ranges* TabletDirectory::Snapshot::Table(TableId table) const {
  const auto found = tables_.find(table);
  return found == tables_.end() ? nullptr : found->second.get();
}

std::shared_ptr<TabletHandle> TabletDirectory::Snapshot::Find(TableId table, TabletId tablet) const {
  const Ranges* ranges = Table(table);
  if (ranges == nullptr) return nullptr;
  const auto found = std::ranges::find_if(*ranges, [&](const Entry& entry) { return entry.handle->tablet == tablet; });
  return found == ranges->end() ? nullptr : found->handle;
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

// Readers go on with what they have. A table's ranges are copied once, whatever is changed in them: there may be
// thousands.
Status TabletDirectory::Change(TableId table, const std::function<Status(Ranges&)>& change) {
  MutexLock lock(mutex_);
  auto next = std::make_shared<Snapshot>(*snapshot_.Load());
  const Ranges* before = next->Table(table);
  auto ranges = before == nullptr ? std::make_shared<Ranges>() : std::make_shared<Ranges>(*before);
  EBLA_TRY(change(*ranges));
  if (ranges->empty()) {
    next->tables_.erase(table);
  } else {
    next->tables_[table] = std::move(ranges);
  }
  snapshot_.Store(std::move(next));
  return Status::Ok();
}

Status TabletDirectory::Add(const std::shared_ptr<TabletHandle>& handle, const KeyRange& range) {
  return Change(handle->table, [&](Ranges& ranges) { return Insert(ranges, {range, handle}); });
}

void TabletDirectory::Remove(const TabletHandle& handle) {
  (void)Change(handle.table, [&](Ranges& ranges) -> Status {
    EBLA_ASSIGN([[maybe_unused]] const auto gone, Extract(ranges, handle));  // gone before: nothing changes
    return Status::Ok();
  });
}

Status TabletDirectory::Split(const TabletHandle& parent, const KeyRange& left,
                              const std::shared_ptr<TabletHandle>& child, const KeyRange& right) {
  return Change(parent.table, [&](Ranges& ranges) -> Status {
    EBLA_ASSIGN(const auto kept, Extract(ranges, parent));
    EBLA_TRY(Insert(ranges, {left, kept}));
    return Insert(ranges, {right, child});
  });
}

Status TabletDirectory::Merge(const TabletHandle& left, const TabletHandle& right,
                              const std::shared_ptr<TabletHandle>& merged, const KeyRange& range) {
  return Change(merged->table, [&](Ranges& ranges) -> Status {
    EBLA_ASSIGN([[maybe_unused]] const auto first, Extract(ranges, left));
    EBLA_ASSIGN([[maybe_unused]] const auto second, Extract(ranges, right));
    return Insert(ranges, {range, merged});
  });
}

Status TabletDirectory::ChangeRange(const TabletHandle& handle, const KeyRange& range) {
  return Change(handle.table, [&](Ranges& ranges) -> Status {
    EBLA_ASSIGN(const auto kept, Extract(ranges, handle));
    return Insert(ranges, {range, kept});
  });
}

}  // namespace ebla::tabletserver
