// tabletserver/transport/heartbeater.h
// Sends the server's heartbeats to the leading master, one each second. Follows /masters/term, and remembers the
// greatest term it has seen, so that the server can reject deposed masters' orders.
// Place:      tabletserver_host.h owns it; it runs on the control executor, which never waits for the disk, because
//             heartbeats are made of published views and counters.
// Invariants: 1. One heartbeat is in flight at most; one that is not answered within two periods is given up.
//             2. SeenTerm never falls. In memory alone: a restart changes the incarnation, which orders name too.
// Threads:    constructed and destroyed while the executor is idle, or on it; SeenTerm from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "common/base/executor.h"
#include "common/base/number_limits.h"
#include "common/coordination/coordinator.h"
#include "common/rpc/channel.h"
#include "idl/MasterService.h"

namespace ebla::tabletserver {

// The greatest master's term seen. Threads: any.
class SeenTerm {
 public:
  int64_t Get() const { return term_.load(std::memory_order_acquire); }
  // False: `term` is below one seen already.
  bool Raise(int64_t term) {
    int64_t seen = term_.load(std::memory_order_acquire);
    while (seen < term && !term_.compare_exchange_weak(seen, term, std::memory_order_acq_rel)) {
    }
    return seen <= term;
  }
  // Whether a message may raise the term so far. The coordinator may raise it to any value.
  bool IsPlausible(int64_t term) const {
    return limits::IsWithin(term, limits::kEpochMax) && term - Get() <= limits::kTermLeapMax;
  }

 private:
  std::atomic<int64_t> term_{0};
};

class Heartbeater {
 public:
  struct Options {
    Duration heartbeat_period = std::chrono::seconds(1);
    Duration retry_delay = std::chrono::milliseconds(500);  // after a failed read of the term
  };
  // Fills in the server's report, with details if request.described asks for them.
  using Report = std::function<void(idl::HeartbeatRequest& request)>;
  // Takes the master's reply.
  using Answer = std::function<void(const idl::HeartbeatReply& reply)>;
  // Gets the address of each new leading master.
  using Led = std::function<void(const rpc::Endpoint& master)>;

  // `executor` is the coordinator's.
  Heartbeater(coordination::Coordinator& coordinator, rpc::Connector& connector, Executor& executor, SeenTerm& term,
              Report report, Answer answer, Led led, Options options);
  ~Heartbeater();

  // A heartbeat now rather than at the next period: something changed that the master waits for.
  void Hurry();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with callbacks in flight, which find it stopped
};

}  // namespace ebla::tabletserver
