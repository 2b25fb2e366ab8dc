// tabletserver/tablet/memory_replicas.h
// Adjusts, at a start of the process, replicas whose tables live in memory alone. Their applied state and log are lost,
// but not their promises.
//   - Each is incomplete, and may have lost writes (PROTOCOL 5): it offers no log, counts for nothing, and is copied
//     from the primary. An empty log alone would not be enough, because the primary would send its log from the first
//     entry, and the replica might replay writes from before a split over a child that exists here already (PROTOCOL
//     10).
//   - Each forgets its parents, because no log can restore it (PROTOCOL 13).
//   - Its range is the last one on the disk. If a crash has left two replicas in one range, one of them is the child of
//     the second, or both are parts of a merged tablet.
// Place:   the host calls it at its start, before lineages are replayed (lineage_replay.h).
// Threads: functions of their arguments.
#pragma once

#include <functional>
#include <vector>

#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

// By a replica's encoded schema.
using IsInMemory = std::function<Result<bool>(const std::string& schema)>;

// Changes those in memory among `replicas`. Returns which: the store is to hold their states as they are now.
Result<std::vector<TabletId>> ForgetMemory(std::vector<RecoveredReplica>& replicas, const IsInMemory& in_memory);

}  // namespace ebla::tabletserver
