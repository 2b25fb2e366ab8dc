// client/core/routing/replica_choice.h
// Chooses the replica for a read below STRONG: the less loaded of two random ones among the nearest that answer.
// (Random, so that clients do not all move to the replica that looks idle.)
//
//   a server is   when
//   near          its rack is the client's option `rack`; else it is on the client's host (or loopback); else it is far
//   loaded        its recent latency times its calls in flight: latency jumps up with a slow answer, wears off in time
//   away          its last call got no answer; then left alone for a while that doubles, and tried again by one call
//
// Place:      Network keeps a gauge per server; Router puts it into the replicas that it learns; Operation chooses with
//             these and tells the gauges the outcome of its calls.
// Invariants: a server that is away is chosen only when no other is left, so that any live replica is found.
// Threads:    a gauge by any, without a lock (its numbers are estimates); the rest are functions.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/rpc/channel.h"

namespace ebla::client {

inline constexpr Duration kAwayFirst = std::chrono::milliseconds(100);
inline constexpr Duration kAwayMax = std::chrono::seconds(5);
inline constexpr Duration kLatencyMemory = std::chrono::seconds(2);  // what is this old counts for a third

// This client's measurements of one server.
class ServerGauge {
 public:
  // ---- outcomes of calls ----
  void Began() { in_flight_.fetch_add(1, std::memory_order_relaxed); }
  // Ended with any answer, or without one.
  void Answered(MonotonicTime now, Duration took);
  void Silent(MonotonicTime now);

  // ---- for the choice ----
  bool IsAvoided(MonotonicTime now) const {
    return now.since_boot.count() < avoided_until_.load(std::memory_order_relaxed);
  }
  // A call to it is about to begin. If it was away, other operations avoid it until this call has ended.
  void Chosen(MonotonicTime now);
  double Load(MonotonicTime now) const;

 private:
  double Latency(MonotonicTime now) const;
  void Leave(MonotonicTime now, int failures);

  std::atomic<int> in_flight_{0};
  std::atomic<int64_t> latency_ns_{0};
  std::atomic<int64_t> heard_ns_{0};  // when latency_ns_ was noted
  std::atomic<int> failures_{0};      // in a row
  std::atomic<int64_t> avoided_until_{0};
};

struct Replica {
  ServerName server;
  rpc::Endpoint endpoint;
  bool voter = true;  // learners are never asked
  uint8_t distance = 0;
  std::shared_ptr<ServerGauge> gauge;  // null: nothing is known of it
};

// The client's location.
struct ClientLocation {
  std::string rack;  // empty: not said
  std::string host;  // as the servers' addresses would name it
};

// 0: same rack; 1: same host; 2: elsewhere.
uint8_t DistanceOf(const ClientLocation& location, const std::string& rack, const std::string& host);

// The index of the one to ask; nothing when all voters among them were asked already. `random`: any bits.
std::optional<size_t> ChooseReplica(std::span<const Replica> replicas, std::span<const rpc::Endpoint> asked,
                                    MonotonicTime now, uint64_t random);

}  // namespace ebla::client
