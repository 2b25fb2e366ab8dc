// common/base/lineage.h
// Which tablets may share a thread's worth of state: a split hands state from a parent to its child in one step, on one
// shard. So the catalog draws a child's id of its parent's residue, and a server puts all of one residue on one shard,
// however many shards it has.
// Place:   master/catalog draws ids by it, tabletserver finds shards by it.
// Threads: functions of their arguments.
#pragma once

#include "common/base/ids.h"

namespace ebla {

inline constexpr uint64_t kLineages = 64;

// The first id at or above `from` that a child of `parent` may have.
inline TabletId LineageId(TabletId parent, uint64_t from) {
  const uint64_t wanted = parent.value % kLineages;
  return TabletId{from + (wanted + kLineages - from % kLineages) % kLineages};
}

inline bool SameLineage(TabletId one, TabletId other) { return one.value % kLineages == other.value % kLineages; }

inline size_t ShardOfLineage(TabletId tablet, size_t shards) { return (tablet.value % kLineages) % shards; }

}  // namespace ebla
