// master/procedures/level.h
// How level a replica is, as the tablet's primary says. Threads: a function of its arguments.
#pragma once

#include <algorithm>

#include "common/base/ids.h"
#include "idl/master_types.h"

namespace ebla::master {

// A replica that lacks no more than so many entries will have them in a moment.
inline constexpr int64_t kLevelWithin = 1'000;

// `load`: the primary's.
inline bool Level(const idl::TabletLoad& load, const ServerName& other) {
  return std::ranges::any_of(load.peers, [&](const idl::ReplicaProgress& peer) {
    return peer.server == other && !peer.copying && !peer.incomplete && peer.silentMs >= 0 && peer.silentMs < 3'000 &&
           peer.flushedLsn + kLevelWithin >= load.lastLsn;
  });
}

}  // namespace ebla::master
