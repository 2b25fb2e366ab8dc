// common/base/family.h
// Which tablets may share a thread's worth of state: a split hands state from a parent to its child in one step, on one
// shard. So the catalog draws a child's id of its parent's residue, and a server puts all of one residue on one shard,
// however many shards it has.
// Place:   master/catalog draws ids by it, tabletserver finds shards by it.
// Threads: functions of their arguments.
#pragma once

#include "common/base/ids.h"

namespace ebla {

inline constexpr uint64_t kFamilies = 64;

// The first id at or above `from` that a child of `parent` may have.
inline TabletId FamilyId(TabletId parent, uint64_t from) {
  const uint64_t wanted = parent.value % kFamilies;
  return TabletId{from + (wanted + kFamilies - from % kFamilies) % kFamilies};
}

inline bool SameFamily(TabletId one, TabletId other) { return one.value % kFamilies == other.value % kFamilies; }

inline size_t ShardOfFamily(TabletId tablet, size_t shards) { return (tablet.value % kFamilies) % shards; }

}  // namespace ebla
