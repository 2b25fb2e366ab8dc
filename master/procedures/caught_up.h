// master/procedures/caught_up.h
// Whether a replica has caught up, by its primary's report; whether a server holds the tablets to be merged.
// Tests:   master/host/master_move_test.cc, master/host/master_replicas_test.cc
// Threads: functions of their arguments.
#pragma once

#include <algorithm>
#include <array>

#include "common/base/ids.h"
#include "idl/master_types.h"
#include "master/cluster/servers.h"

namespace ebla::master {

// A replica that lacks no more than so many entries will have them in a moment.
inline constexpr int64_t kCaughtUpWithinEntries = 1'000;

// `load`: the primary's.
inline bool CaughtUp(const idl::TabletLoad& load, const ServerName& other) {
  return std::ranges::any_of(load.peers, [&](const idl::ReplicaProgress& peer) {
    return peer.server == other && !peer.copying && !peer.incomplete && peer.silentMs >= 0 && peer.silentMs < 3'000 &&
           peer.flushedLsn + kCaughtUpWithinEntries >= load.lastLsn;
  });
}

// Both of what was merged, whole. Every voter had them when they were; one whose store has failed since, or was lost,
// has not.
inline bool HasBoth(const Report& report, const idl::Merged& merged) {
  return std::ranges::all_of(std::array{merged.left.tabletId, merged.right.tabletId}, [&](int64_t part) {
    const idl::TabletLoad* load = report.Find(TabletId{static_cast<uint64_t>(part)});
    return load && !load->failed && !load->incomplete;
  });
}

}  // namespace ebla::master
