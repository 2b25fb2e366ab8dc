// tabletserver/replication/flush_tracker.h
// The rounds with the store: which output is out, which flushes are under way, and what each of them vouches for.
// Place:      replica_common.h holds it. replica_core.h begins the rounds. A part whose answer must be durable first
//             asks for a flush, and waits for the number of the next one.
// Invariants: 1. Flushes are numbered in the order that they begin; one that is done vouches for all before it.
//             2. While a stricter flush is under way the later ones are as strict, because their completion vouches for
//                it.
// Tests:      tests/stories/rule_04_log_and_promise_become_durable_together.txt,
//             tabletserver/replication/replica_group_test.cc
// Threads:    thread-compatible.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "tabletserver/replication/replica_types.h"

namespace ebla::tabletserver {

class FlushTracker {
 public:
  explicit FlushTracker(ReplicaState durable) : durable_(std::move(durable)) {}

  // The replica's state as far as a flush has vouched for it.
  const ReplicaState& durable() const { return durable_; }
  FlushNumber next() const { return next_; }  // of the next output's flush
  FlushNumber done() const { return done_; }  // the latest that is done
  // The next output asks for a flush, whatever it has for the store.
  void Want(bool wanted = true) { wanted_ = wanted; }
  bool wanted() const { return wanted_; }
  // An output with something for the store is out.
  bool store_busy() const { return store_busy_; }
  // The store refused entries: they wait for a Tick.
  bool store_stalled() const { return store_stalled_; }
  void ResumeStore() { store_stalled_ = false; }

  // Numbers the flush of the output that is being taken. `stores`: it has something for the store, with `state`.
  FlushRequest BeginFlush(FlushMode mode, bool stores, const std::optional<ReplicaState>& state) {
    const auto strict = [](const Pending& flush) { return flush.mode == FlushMode::kSync; };
    if (std::any_of(flushes_.begin(), flushes_.end(), strict)) mode = FlushMode::kSync;
    const FlushRequest request{next_, mode};
    flushes_.push_back({next_, mode, state});
    next_ = next_.Next();
    store_busy_ = stores;
    wanted_ = false;
    return request;
  }
  void OnStored() { store_busy_ = false; }
  // The output that is out is not stored, and its flush not begun.
  void OnNotStored() {
    if (store_busy_) flushes_.pop_back();
    store_busy_ = false;
  }
  void StallStore() { store_stalled_ = true; }
  void OnFlushed(FlushNumber number) {
    done_ = std::max(done_, number);
    while (!flushes_.empty() && flushes_.front().number <= number) {
      if (flushes_.front().state) durable_ = *std::move(flushes_.front().state);
      flushes_.pop_front();
    }
  }

 private:
  struct Pending {
    FlushNumber number;
    FlushMode mode;
    std::optional<ReplicaState> state;
  };

  ReplicaState durable_;
  FlushNumber next_{1};
  FlushNumber done_;
  bool wanted_ = false;
  bool store_busy_ = false;
  bool store_stalled_ = false;
  std::deque<Pending> flushes_;
};

}  // namespace ebla::tabletserver
