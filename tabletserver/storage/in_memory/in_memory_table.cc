#include "tabletserver/storage/in_memory/in_memory_table.h"

#include <glog/logging.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "tabletserver/storage/in_memory/eviction.h"

namespace ebla::tabletserver {
namespace {

// Holds the lock for so many records at a stretch, if no caller needs all of them at once.
constexpr size_t kStretch = 2'000;
// A sweep looks at so many records at the most: where all are hot, it cools them, and the next one finds some.
constexpr size_t kSweepMax = 8 * kStretch;
constexpr size_t kSweepOfAllMax = 16 * kSweepMax;  // of several tablets
constexpr size_t kPlacesMax = 100'000;

}  // namespace

InMemoryTable::~InMemoryTable() {
  for (const Slot& slot : tree_) slot.record.Free();
}

uint64_t InMemoryTable::HintOf(std::string_view key) {
  uint64_t hint = 0;
  for (size_t i = 0; i < 8; ++i) hint = (hint << 8) | (i < key.size() ? static_cast<uint8_t>(key[i]) : 0);
  return hint;
}

// ---- changes --------------------------------------------------------------------------------------------------------

void InMemoryTable::Count(InMemoryRecord record, int sign) {
  bytes_.fetch_add(sign * (record.allocated_bytes() + kTreeBytes), std::memory_order_relaxed);
  records_.fetch_add(sign, std::memory_order_relaxed);
}

void InMemoryTable::CountIndex() {
  const int64_t before = std::exchange(index_bytes_, index_.bytes());
  bytes_.fetch_add(index_bytes_ - before, std::memory_order_relaxed);
}

void InMemoryTable::Exchange(const InMemoryRecord* at, Tree::iterator in_tree, InMemoryRecord record) {
  const InMemoryRecord before = *at;
  InMemoryIndex::Replace(at, record);
  const_cast<Slot&>(*in_tree).record = record;  // the same key: the tree's order does not change
  Count(record, 1);
  Count(before, -1);
  before.Free();
}

void InMemoryTable::Put(const InMemoryRecordParts& parts) {
  const InMemoryRecord* const found = index_.Find(parts.key);
  if (found == nullptr) {
    const InMemoryRecord record = InMemoryRecord::Make(parts);
    Count(record, 1);
    tree_.insert(Slot{HintOf(parts.key), record});
    index_.Insert(record);
    return CountIndex();
  }
  InMemoryRecordParts with_heat = parts;
  with_heat.heat = HeatAfterHit(eviction(), found->heat());
  if (found->Remake(with_heat)) return;
  Exchange(found, tree_.find(Probe(parts.key)), InMemoryRecord::Make(with_heat));
}

InMemoryTable::Tree::iterator InMemoryTable::Drop(Tree::iterator at) {
  const InMemoryRecord record = at->record;
  index_.Erase(record.key());
  const auto next = tree_.erase(at);  // compares nothing
  Count(record, -1);
  CountIndex();
  record.Free();
  return next;
}

void InMemoryTable::Erase(std::string_view key) {
  if (index_.Find(key) != nullptr) Drop(tree_.find(Probe(key)));
}

void InMemoryTable::Apply(std::span<const ApplyBatch> batches) {
  const TableWriterLock lock(mutex_);
  for (const ApplyBatch& batch : batches) {
    if (batch.forget) {
      applied_.erase(batch.tablet);
      continue;
    }
    for (size_t i = 0; i < batch.records.size(); ++i) {
      index_.PrefetchFrom(batch.records, i,
                          [](const RecordChange& change) -> std::string_view { return change.effect->key; });
      const RecordChange& change = batch.records[i];
      const Effect& effect = *change.effect;
      if (effect.is_delete && !effect.timed()) {
        Erase(effect.key);
      } else {
        Put(PartsOf(effect, change.version));
      }
    }
    applied_[batch.tablet] = batch.state.applied.lsn;
  }
}

bool InMemoryTable::RemoveSome(const KeyRange& range, size_t records_max) {
  auto at = tree_.lower_bound(Probe(range.start));
  for (size_t removed = 0; at != tree_.end() && (range.end.empty() || at->record.key() < range.end); ++removed) {
    if (removed == records_max) return true;
    at = Drop(at);
  }
  return false;
}

void InMemoryTable::Replace(const KeyRange& interval, std::span<const std::pair<std::string, StoredRecord>> records) {
  for (bool more = true; more;) {
    const TableWriterLock lock(mutex_);
    more = RemoveSome(interval, kStretch);
    if (more) continue;
    for (const auto& [key, record] : records) Put(PartsOf(key, record));
  }
}

void InMemoryTable::Repack(size_t records_max, int64_t bytes_max) {
  constexpr size_t kAtOnce = 500;
  int64_t bytes = 0;
  for (size_t done = 0; done < records_max && bytes < bytes_max; done += kAtOnce) {
    const TableWriterLock lock(mutex_);
    auto at = tree_.lower_bound(Probe(repacked_));
    for (size_t i = 0; i < kAtOnce && at != tree_.end() && bytes < bytes_max; ++i, ++at) {
      const int64_t block = at->record.allocated_bytes();
      if (block > InMemoryArenas::kSharesPagesMax) continue;
      bytes += block;
      Exchange(index_.Find(at->record.key()), at, at->record.Copy());
    }
    if (at == tree_.end()) {
      repacked_.clear();
      return;
    }
    repacked_ = at->record.key();
  }
}

// Readers of a table that has no such tablet are not held up.
void InMemoryTable::Forget(TabletId tablet) {
  {
    const TableReaderLock lock(mutex_);
    if (!applied_.contains(tablet)) return;
  }
  const TableWriterLock lock(mutex_);
  applied_.erase(tablet);
}

// ---- reads ----------------------------------------------------------------------------------------------------------

void InMemoryTable::SetPosition(SnapshotPosition* position) const {
  if (position == nullptr) return;
  const auto applied = applied_.find(position->tablet);
  position->applied = applied == applied_.end() ? Lsn{} : applied->second;
}

void InMemoryTable::Hit(InMemoryRecord record) const {
  const Eviction eviction = this->eviction();
  if (eviction != Eviction::kLru && eviction != Eviction::kLfu) return;
  const uint8_t before = record.heat(), after = HeatAfterHit(eviction, before);
  if (after != before) record.SetHeat(after);  // else the line stays clean
}

std::optional<StoredRecord> InMemoryTable::Get(std::string_view key, SnapshotPosition* position) const {
  const TableReaderLock lock(mutex_);
  SetPosition(position);
  return Find(key);
}

std::optional<StoredRecord> InMemoryTable::Find(std::string_view key) const {
  const InMemoryRecord* const found = index_.Find(key);
  if (found == nullptr) return std::nullopt;
  Hit(*found);
  std::optional<StoredRecord> record(std::in_place);
  found->Read(*record);
  return record;
}

std::vector<std::optional<StoredRecord>> InMemoryTable::MultiGet(std::span<const std::string_view> keys,
                                                                 size_t bytes_max, SnapshotPosition* position) const {
  std::vector<std::optional<StoredRecord>> records;
  records.reserve(keys.size());
  size_t bytes = 0;
  const TableReaderLock lock(mutex_);
  SetPosition(position);
  for (size_t i = 0; i < keys.size(); ++i) {
    index_.PrefetchFrom(keys, i, std::identity());
    std::optional<StoredRecord> record;
    const InMemoryRecord* const found = index_.Find(keys[i]);
    if (found != nullptr) {
      found->Read(record.emplace());
      bytes += record->value.size();
    }
    if (bytes > bytes_max && !records.empty()) break;
    if (found != nullptr) Hit(*found);
    records.push_back(std::move(record));
  }
  return records;
}

InMemoryTable::Tree::const_iterator InMemoryTable::EndOf(const KeyRange& range) const {
  return range.end.empty() ? tree_.end() : tree_.lower_bound(Probe(range.end));
}

// A scan of many records for a copy or a comparison leaves their heat unchanged.
void InMemoryTable::Visit(const ScanBounds& bounds, const RecordStore::Visitor& visitor) const {
  if (bounds.range.Empty()) return;
  StoredRecord record;
  const auto visit = [&](InMemoryRecord found) {
    if (!bounds.read_once) Hit(found);
    found.Read(record);
    return visitor(found.key(), record);
  };
  const auto first = tree_.lower_bound(Probe(bounds.range.start)), end = EndOf(bounds.range);
  if (bounds.reverse) {
    for (auto at = end; at != first && visit(std::prev(at)->record);) --at;
  } else {
    for (auto at = first; at != end && visit(at->record);) ++at;
  }
}

// The lock is Read's, which the analysis cannot know here.
class InMemoryTable::LockedView final : public RecordStore::View {
 public:
  explicit LockedView(const InMemoryTable& table) : table_(table) {}
  Result<std::optional<StoredRecord>> Get(std::string_view key) override EBLA_NO_THREAD_SAFETY_ANALYSIS {
    return table_.Find(key);
  }
  Status Scan(const ScanBounds& bounds, const RecordStore::Visitor& visitor) override EBLA_NO_THREAD_SAFETY_ANALYSIS {
    table_.Visit(bounds, visitor);
    return {};
  }

 private:
  const InMemoryTable& table_;
};

Status InMemoryTable::Read(SnapshotPosition* position, const RecordStore::ViewBody& body) const {
  const TableReaderLock lock(mutex_);
  SetPosition(position);
  LockedView view(*this);
  return body(view);
}

RecordStore::RangeSize InMemoryTable::EstimateSize(const KeyRange& range) const {
  RecordStore::RangeSize size;
  size.whole = true;
  RowSample sample;
  std::string from = range.start;
  for (bool more = !range.Empty(); more;) {
    more = false;
    const TableReaderLock lock(mutex_);
    size_t seen = 0;
    const auto end = EndOf(range);
    for (auto at = tree_.lower_bound(Probe(from)); at != end; ++at) {
      if (seen++ == kStretch) {
        from = at->record.key();
        more = true;
        break;
      }
      const int64_t bytes = at->record.data_bytes();
      if (!at->record.tombstone()) ++size.records;
      size.bytes += bytes;
      sample.Add(at->record.key(), bytes);
    }
  }
  size.sample = sample.Take();
  return size;
}

void InMemoryTable::AddApplied(std::map<TabletId, Lsn>& applied) const {
  const TableReaderLock lock(mutex_);
  for (const auto& [tablet, lsn] : applied_) applied[tablet] = lsn;
}

// ---- eviction -------------------------------------------------------------------------------------------------------

struct InMemoryTable::Sweep {
  Eviction eviction;
  int64_t bytes_wanted;
  size_t victims_max;
  size_t seen_max;
  size_t seen = 0;
  int64_t bytes = 0;
  std::vector<EvictionVictim> victims;
  std::vector<std::pair<uint64_t, size_t>> expiries;  // kTtl: when, and which of `victims`
  std::string next;                                   // the hand's next position

  bool Enough() const {
    if (seen >= seen_max || victims.size() >= victims_max * (eviction == Eviction::kTtl ? 8 : 1)) return true;
    return eviction != Eviction::kTtl && bytes >= bytes_wanted;
  }
  void Look(InMemoryRecord record) {
    ++seen;
    if (record.tombstone()) return;  // a purge removes it in its time
    if (eviction == Eviction::kTtl) {
      if (!record.expires_at()) return;
      expiries.emplace_back(record.expires_at().value, victims.size());
    } else if (const uint8_t heat = record.heat(); heat > 0) {
      record.SetHeat(HeatAfterSweep(heat));
      return;
    }
    const int64_t takes = record.allocated_bytes() + kTreeBytes;
    bytes += takes;
    victims.push_back({std::string(record.key()), record.version(), takes});
  }
};

void InMemoryTable::SweepFrom(const std::string& from, const std::string& end, Sweep& sweep) const {
  sweep.next = from;
  for (bool more = true; more && !sweep.Enough();) {
    more = false;
    const TableReaderLock lock(mutex_);
    size_t seen = 0;
    const auto last = EndOf({from, end});
    auto at = tree_.lower_bound(Probe(sweep.next));
    for (; at != last && !sweep.Enough(); ++at) {
      if (seen++ == kStretch) {
        more = true;
        break;
      }
      sweep.Look(at->record);
    }
    // At the range's end the hand returns to its start.
    sweep.next = at == last ? std::string() : std::string(at->record.key());
    if (at == last) return;
  }
}

// Sweeps once around. The next sweep of an unfinished range continues from its place, for any caller.
void InMemoryTable::SweepAround(std::span<const KeyRange> ranges, Sweep& sweep) {
  const bool all = ranges.size() > 1;
  size_t first = 0;
  while (all && first < ranges.size() && !ranges[first].end.empty() && ranges[first].end <= current_) ++first;
  first %= ranges.size();
  std::string begun;  // where the first range's sweep began
  for (size_t i = 0; i <= ranges.size() && !sweep.Enough(); ++i) {
    const KeyRange& range = ranges[(first + i) % ranges.size()];
    if (range.Empty()) continue;
    const auto place = places_.find(range.start);
    std::string from = place != places_.end() && range.Contains(place->second) ? place->second : range.start;
    const bool again = i == ranges.size();
    if (again && begun <= range.start) break;
    if (i == 0) begun = from;
    SweepFrom(again ? range.start : from, again ? begun : range.end, sweep);
    const bool ended = sweep.next.empty();
    if (ended && !again) {
      places_.erase(range.start);
    } else {
      places_[range.start] = ended ? begun : sweep.next;
    }
    if (all) current_ = ended && !again ? ranges[(first + i + 1) % ranges.size()].start : range.start;
  }
}

std::vector<EvictionVictim> InMemoryTable::ChooseVictims(std::span<const KeyRange> ranges, int64_t bytes,
                                                         size_t victims_max) {
  Sweep sweep{.eviction = eviction(),
              .bytes_wanted = bytes,
              .victims_max = victims_max,
              .seen_max = std::min(kSweepMax * ranges.size(), kSweepOfAllMax)};
  if (sweep.eviction == Eviction::kNone || ranges.empty()) return {};
  {
    const MutexLock lock(sweeps_mutex_);
    if (places_.size() > kPlacesMax) places_.clear();
    SweepAround(ranges, sweep);
  }
  if (sweep.eviction != Eviction::kTtl) return std::move(sweep.victims);
  // Chooses the records that expire soonest from a handful.
  std::ranges::sort(sweep.expiries);
  const int64_t each = sweep.victims.empty() ? 1 : std::max<int64_t>(1, sweep.bytes / std::ssize(sweep.victims));
  const size_t wanted = std::min({victims_max, static_cast<size_t>(bytes / each + 1),
                                  std::max<size_t>(sweep.expiries.size() / 4, 1), sweep.expiries.size()});
  std::vector<EvictionVictim> soonest;
  for (size_t i = 0; i < wanted; ++i) soonest.push_back(std::move(sweep.victims[sweep.expiries[i].second]));
  return soonest;
}

}  // namespace ebla::tabletserver
