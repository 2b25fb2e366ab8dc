#include "tabletserver/shard/core_timers.h"

#include <algorithm>

#include "tabletserver/shard/shard_tablets.h"

namespace ebla::tabletserver {

void CoreTimers::Heartbeat() {
  const MonotonicTime now = shard_.Now();
  for (const auto& [id, tablet] : shard_.tablets.all()) {
    if (tablet->core->replica().Leads()) shard_.tablets.Step(tablet, HeartbeatDue{now});
  }
  shard_.executor().After(shard_.options.heartbeat, [this] { Heartbeat(); });
}

void CoreTimers::WakeAt(MonotonicTime at) {
  if (at >= wake_at_) return;
  shard_.executor().Cancel(wake_);
  wake_at_ = at;
  const Duration delay = std::max<Duration>(at - shard_.Now(), std::chrono::milliseconds(1));
  wake_ = shard_.executor().After(delay, [this] { OnWake(); });
}

void CoreTimers::OnWake() {
  wake_at_ = MonotonicTime::Max();
  const MonotonicTime now = shard_.Now();
  for (const auto& [id, tablet] : shard_.tablets.all()) {
    if (tablet->core->replica().wake_at() == MonotonicTime::Max()) continue;
    shard_.tablets.Step(tablet, Tick{now});
    WakeAt(tablet->core->replica().wake_at());
  }
}

}  // namespace ebla::tabletserver
