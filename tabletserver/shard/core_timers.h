// tabletserver/shard/core_timers.h
// The timers of the cores of one shard's tablets: heartbeats to peers while a tablet is led here, and a tick at the
// moment that a core names. The shard itself runs the regular tick, which also serves its other classes.
// Place:      shard.h starts it; each round sets when its tablets wake (round_driver.h).
// Threads:    the shard's executor.
#pragma once

#include "common/base/executor.h"
#include "tabletserver/shard/shard_context.h"

namespace ebla::tabletserver {

class CoreTimers {
 public:
  explicit CoreTimers(const ShardContext& shard) : shard_(shard) {}

  // Sends heartbeats of the tablets that are led here, from now on at every interval.
  void Heartbeat();
  // Ticks no later than then those that ask for it: a fence that waits for grants to run out should not wait for the
  // next regular tick too.
  void WakeAt(MonotonicTime at);

 private:
  void OnWake();

  const ShardContext shard_;
  TimerId wake_;
  MonotonicTime wake_at_ = MonotonicTime::Max();  // when wake_ fires
};

}  // namespace ebla::tabletserver
