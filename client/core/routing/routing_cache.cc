#include "client/core/routing/routing_cache.h"

#include <algorithm>
#include <utility>

namespace ebla::client {

void Place::RaiseTabletTime(TabletTime heard) const {
  uint64_t known = tablet_time.load(std::memory_order_relaxed);
  while (known < heard.value && !tablet_time.compare_exchange_weak(known, heard.value, std::memory_order_relaxed)) {
  }
}

void Place::LowerTime(TabletTime told) const {
  uint64_t known = tablet_time.load(std::memory_order_relaxed);
  while (known > told.value && !tablet_time.compare_exchange_weak(known, told.value, std::memory_order_relaxed)) {
  }
}

namespace {

// Invariant 2: which of two beliefs about a key is the newer.
std::pair<TabletId, Epoch> Age(const Place& place) { return {place.tablet, place.epoch}; }

bool EndsBefore(const std::string& end, std::string_view key) { return !end.empty() && end <= key; }

}  // namespace

RoutingCache::Places::const_iterator RoutingCache::Covering(std::string_view key) const {
  auto after = places_.upper_bound(key);
  if (after == places_.begin()) return places_.end();
  const auto before = std::prev(after);
  return EndsBefore(before->second->range.end, key) ? places_.end() : before;
}

PlacePtr RoutingCache::Find(std::string_view key) const {
  const auto found = Covering(key);
  return found == places_.end() ? nullptr : found->second;
}

KeyRange RoutingCache::Gap(std::string_view key) const {
  if (Covering(key) != places_.end()) return {std::string(key) + '\0', std::string(key) + '\0'};
  const auto after = places_.upper_bound(key);
  KeyRange gap;
  if (after != places_.end()) gap.end = after->first;
  if (after != places_.begin()) gap.start = std::prev(after)->second->range.end;
  return gap;
}

void RoutingCache::Insert(const Place& like, KeyRange range) {
  if (range.Empty()) return;
  auto place = std::make_shared<Place>(like);
  place->range = std::move(range);
  std::string start = place->range.start;
  places_[std::move(start)] = std::move(place);
}

void RoutingCache::Learn(const Place& place) {
  if (place.range.Empty()) return;
  if (!place.primary.empty() && place.Usable()) endpoints_[place.primary] = place.endpoint;
  for (const Replica& replica : place.replicas) endpoints_[replica.server] = replica.endpoint;

  // Every old place that overlaps, in order of keys.
  std::vector<PlacePtr> overlapped;
  auto it = Covering(place.range.start);
  if (it == places_.end()) it = places_.lower_bound(place.range.start);
  for (; it != places_.end() && it->second->range.Overlaps(place.range); ++it) overlapped.push_back(it->second);

  for (const PlacePtr& old : overlapped) {
    // The same tablet, known at a later epoch: this is an old answer, and its range may be too wide.
    if (old->tablet == place.tablet && old->epoch > place.epoch) return;
  }

  std::vector<Replica> replicas = place.replicas;
  for (const PlacePtr& old : overlapped) {
    if (!replicas.empty()) break;
    if (old->tablet == place.tablet || old->range.Contains(place.range)) replicas = old->replicas;
  }
  std::string rest = place.range.start;  // from here on, the new belief has no newer one in its way
  bool covered = false;
  uint64_t inherited = place.tablet_time.load();
  for (const PlacePtr& old : overlapped) {
    if (Age(*old) > Age(place)) {
      Place piece(place);
      piece.replicas = replicas;
      piece.tablet_time = inherited;
      if (rest < old->range.start) Insert(piece, {rest, old->range.start});
      rest = old->range.end;
      covered = rest.empty();
      continue;
    }
    if (place.tablet_time.load() == 0) {
      const uint64_t heard = old->tablet_time.load();
      inherited = inherited == 0 ? heard : std::min(inherited, heard);
    }
    places_.erase(old->range.start);
    const bool ends_later = !place.range.end.empty() && (old->range.end.empty() || old->range.end > place.range.end);
    if (old->tablet != place.tablet) {
      if (old->range.start < place.range.start) Insert(*old, {old->range.start, place.range.start});
      if (ends_later) Insert(*old, {place.range.end, old->range.end});
    } else if (old->epoch == place.epoch && ends_later) {
      Insert(*old, {place.range.end, old->range.end});  // invariant 5
    }
  }
  if (covered) return;
  Place piece(place);
  piece.replicas = std::move(replicas);
  piece.tablet_time = inherited;
  Insert(piece, {rest, place.range.end});
}

bool RoutingCache::Forget(const PlacePtr& place) {
  const auto found = places_.find(place->range.start);
  if (found == places_.end() || found->second != place) return false;
  places_.erase(found);
  return true;
}

rpc::Endpoint RoutingCache::EndpointOf(const ServerName& server) const {
  const auto found = endpoints_.find(server);
  return found == endpoints_.end() ? rpc::Endpoint{} : found->second;
}

std::vector<PlacePtr> RoutingCache::All() const {
  std::vector<PlacePtr> all;
  all.reserve(places_.size());
  for (const auto& [start, place] : places_) all.push_back(place);
  return all;
}

std::string KeyNearBelow(std::string_view end) {
  // Longer than any border, and all ones, so it lies above every border with the same prefix.
  static const std::string kHigh(kSplitKeyBytesMax + 1, '\xff');
  if (end.empty()) return kHigh;
  // A border in between would begin with these bytes and be longer than they are, which borders never are.
  if (end.size() > kSplitKeyBytesMax) return std::string(end.substr(0, kSplitKeyBytesMax));
  std::string key(end);
  const auto last = static_cast<unsigned char>(key.back());
  key.pop_back();
  if (last == 0) return key;  // the very predecessor of `end`
  key.push_back(static_cast<char>(last - 1));
  return key + kHigh;
}

}  // namespace ebla::client
