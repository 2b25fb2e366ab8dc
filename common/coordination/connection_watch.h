// common/coordination/connection_watch.h
// Tracks since when this process has not reached its coordinator, for the log, metrics and status requests.
// Place:      hosts hold one for each coordinator; what stalls meanwhile is theirs to say.
// Invariants: an absence counts once it has lasted for kGrace, from its beginning: a coordinator that changes its
//             server is not away. Each absence is logged once, and so is its end.
// Threads:    made and destroyed as Coordinator's listeners are; away() and Describe() from any thread.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "common/base/callback_guard.h"
#include "common/coordination/coordinator.h"

namespace ebla::coordination {

class ConnectionWatch {
 public:
  static constexpr Duration kGrace = std::chrono::seconds(1);

  // `stalls`: what does not happen meanwhile, as "tables cannot be created". Both ports outlive this.
  ConnectionWatch(Coordinator& coordinator, Executor& executor, std::string stalls);
  ~ConnectionWatch();
  ConnectionWatch(const ConnectionWatch&) = delete;
  ConnectionWatch& operator=(const ConnectionWatch&) = delete;

  // None: it is reached.
  std::optional<Duration> away() const;
  // "the coordinator (ZooKeeper) has been away for 40 s; until it is back, ...", or why it admits others alone; empty:
  // it is reached, and serves this process.
  std::string Describe() const;
  std::string Refusal() const { return coordinator_.Refusal(); }

 private:
  void OnState(SessionState state);
  void WarnDisconnected();

  Coordinator& coordinator_;
  Executor& executor_;
  const std::string stalls_;
  std::atomic<Duration> away_since_;  // since boot; negative: it is reached
  bool said_ = false;
  TimerId timer_;
  uint64_t listener_ = 0;
  CallbackGuard if_alive_;
};

}  // namespace ebla::coordination
