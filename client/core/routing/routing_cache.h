// client/core/routing/routing_cache.h
// One client's beliefs about the places of a table's keys: ordered, without overlap, with gaps between known places.
// Pure: no clock, lock or network.
//
//      ""        f              m                     t            (no end)
//      |  tablet 4, ts-1  |  (gap)  |  tablet 9, ts-3  |  tablet 6, ts-1
//
// Place:      router.h guards it, fills the gaps by looking up at the master, and feeds it the servers' hints.
// Invariants: 1. Places never overlap, and each is found by exactly the keys of its range.
//             2. The owners of a key over time have growing (tablet id, epoch): ids come from one counter, splits and
//                merges draw new ones. So of two beliefs about a key the greater pair is the newer, in whatever order
//                they arrive, and a late answer never undoes what a hint taught.
//             3. Tablet time does not run back along a key's life, so a new place inherits the least of what it covers.
//             4. A belief without replicas inherits those of the same tablet, or of the one that it was cut from. A
//                wrong replica refuses the request, but an unknown one could not be asked at all.
//             5. If a tablet's end shrinks within an epoch, the rest was split off, and the child's first primary is
//                the tablet's. The client asks for it there, under the parent's name, until an answer has named it. A
//                master may not know yet. Otherwise nothing remains of a tablet beyond its new range.
// Threads:    thread-compatible; a Place is immutable but for its tablet time, and outlives the cache in its holders.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/routing/replica_choice.h"
#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/rpc/channel.h"

namespace ebla::client {

struct Place {
  TabletId tablet;
  KeyRange range;
  Epoch epoch;
  ServerName primary;             // empty: none at present
  rpc::Endpoint endpoint;         // the primary's; port 0: unknown
  std::vector<Replica> replicas;  // the primary among them; empty where a server's hint named the primary alone
  mutable std::atomic<uint64_t> tablet_time{0};  // the latest that this tablet reported; 0: none yet

  Place() = default;
  Place(const Place& other)
      : tablet(other.tablet),
        range(other.range),
        epoch(other.epoch),
        primary(other.primary),
        endpoint(other.endpoint),
        replicas(other.replicas),
        tablet_time(other.tablet_time.load()) {}

  bool Usable() const { return endpoint.port != 0; }
  void RaiseTabletTime(TabletTime heard) const;
  // The primary reports that it is no later than this, because its clock was set back while it restarted.
  void LowerTime(TabletTime told) const;
};
using PlacePtr = std::shared_ptr<const Place>;

class RoutingCache {
 public:
  // The place that covers `key`, or null in a gap. The empty key is the lowest.
  PlacePtr Find(std::string_view key) const;
  // The gap around `key`: the widest range that holds it and touches no place. Empty() when a place covers it.
  KeyRange Gap(std::string_view key) const;

  // Adds a belief. It replaces the parts of older ones that it covers, and yields to newer ones that cover it.
  void Learn(const Place& place);
  // Removes this very belief; false, and nothing happens, when a newer one has taken its place.
  bool Forget(const PlacePtr& place);
  void Clear() { places_.clear(); }

  // The last known address of a server, by its name; port 0 if unknown.
  rpc::Endpoint EndpointOf(const ServerName& server) const;

  size_t size() const { return places_.size(); }
  std::vector<PlacePtr> All() const;

 private:
  using Places = std::map<std::string, PlacePtr, std::less<>>;  // by range.start

  Places::const_iterator Covering(std::string_view key) const;
  void Insert(const Place& like, KeyRange range);

  Places places_;
  std::map<ServerName, rpc::Endpoint> endpoints_;
};

// The first key to look up in a reverse scan: a key below `end` without a tablet border between the two, because
// borders have at most kSplitKeyBytesMax bytes. Its server also serves the last keys before `end`. Empty `end`: a key
// of the last tablet.
std::string KeyNearBelow(std::string_view end);

}  // namespace ebla::client
