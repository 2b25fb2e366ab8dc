// tabletserver/tablet/memory_replicas.h
// What a start of the process makes of replicas whose tables live in memory alone: all that they had applied and logged
// is gone, and what they promised is not.
//   - Each is incomplete, and may have lost writes (PROTOCOL 5): it offers no log, counts for nothing, and is copied
//     from whoever leads. An empty log by itself would not do: it would be brought up from the primary's first entry,
//     and might replay what was written before a split over a child that is here already (PROTOCOL 10).
//   - Each forgets of whom it was split or merged: no log brings it back (PROTOCOL 13).
//   - Its place is where it was last, as far as the disk knows. Where a crash has left two in one place, one of them is
//     the other's child, or both are parts of one that was merged.
// Place:   the host calls it at its start, before lineages are replayed (lineage_replay.h).
// Threads: functions of their arguments.
#pragma once

#include <functional>
#include <vector>

#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

// By a replica's encoded schema.
using IsInMemory = std::function<Result<bool>(const std::string& schema)>;

// Changes those in memory among `replicas`. Returns which: the store is to hold their states as they are now.
Result<std::vector<TabletId>> ForgetMemory(std::vector<RecoveredReplica>& replicas, const IsInMemory& in_memory);

}  // namespace ebla::tabletserver
