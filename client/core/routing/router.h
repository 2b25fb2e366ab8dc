// client/core/routing/router.h
// The places of one table's keys: the routing cache under a lock, and the look-ups that fill its gaps.
// Invariants: 1. At most one look-up is in flight per gap; all callers that need a key of the gap wait for it.
//             2. A look-up asks from the needed key to the end of its gap, a page of kLookUpTablets at most. A waiter
//                whose key lies beyond the page asks again from there.
//             3. A waiter is answered exactly once: with a place, with the master's final error, or when its own time
//                is over; the look-up itself continues for the remaining waiters.
// Threads:    any. Waiters are called without the lock, on the network's executors, or at once when the place is known.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "client/core/routing/master_client.h"
#include "client/core/routing/network.h"
#include "client/core/routing/routing_cache.h"
#include "common/base/mutex.h"

namespace ebla::client {

inline constexpr int kLookUpTablets = 100;

class Router : public std::enable_shared_from_this<Router> {
 public:
  using Done = std::move_only_function<void(Result<PlacePtr>)>;

  Router(Network& network, MasterClient& masters, TableId table)
      : network_(network), masters_(masters), table_(table) {}

  TableId table() const { return table_; }
  PlacePtr Find(std::string_view key) const {
    ReaderLock lock(mutex_);
    return cache_.Find(key);
  }
  void Learn(const Place& place) {
    WriterLock lock(mutex_);
    cache_.Learn(place);
  }
  // Marks the place as doubtful: Find() no longer returns it, but LastKnown() does.
  void Forget(const PlacePtr& place) {
    WriterLock lock(mutex_);
    if (cache_.Forget(place)) last_known_.Learn(*place);
  }
  // The place of `key` before it was doubted; null if there never was one. For callers that would rather try it than
  // wait for the masters.
  PlacePtr LastKnown(std::string_view key) const {
    ReaderLock lock(mutex_);
    return last_known_.Find(key);
  }
  rpc::Endpoint EndpointOf(const ServerName& server) const {
    ReaderLock lock(mutex_);
    return cache_.EndpointOf(server);
  }

  // The place of `key`, looked up if need be. NO_SUCH_TABLE when the table has gone; when `timeout` passes first,
  // UNAVAILABLE with the last cause, or DEADLINE_EXCEEDED where nothing has failed yet.
  void Resolve(std::string_view key, Duration timeout, Done done);

  // Looks a place that is or was known up anew in the background, unless that is under way: what is believed meanwhile
  // stays.
  void Refresh(std::string_view key);

  uint64_t look_ups() const {
    ReaderLock lock(mutex_);
    return look_ups_;
  }

 private:
  struct Waiter {
    std::string key;
    MonotonicTime end;
    Done done;
    TimerId timer;
    uint64_t id = 0;
  };
  struct LookUp {
    uint64_t id = 0;
    KeyRange gap;
    std::string from;  // the key that began it
    std::list<Waiter> waiters;
    Status cause;  // of its last failed attempt
  };

  void Start(uint64_t id, KeyRange range, Duration timeout);
  void Finished(uint64_t id, Result<MasterClient::Answer<idl::LocateReply>> answer);
  void Expired(uint64_t look_up, uint64_t waiter);

  Network& network_;
  MasterClient& masters_;
  const TableId table_;

  mutable SharedMutex mutex_;
  RoutingCache cache_ EBLA_GUARDED_BY(mutex_);
  RoutingCache last_known_ EBLA_GUARDED_BY(mutex_);  // what was forgotten: at most one belief per key, the newest
  std::list<LookUp> in_flight_ EBLA_GUARDED_BY(mutex_);
  uint64_t next_id_ EBLA_GUARDED_BY(mutex_) = 1;
  uint64_t look_ups_ EBLA_GUARDED_BY(mutex_) = 0;
};

}  // namespace ebla::client
