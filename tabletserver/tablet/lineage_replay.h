// tabletserver/tablet/lineage_replay.h
// Restores tablets before any replica runs. If the last checkpoint lacks a split's child, the child is made again by
// replaying its parent's log through the SPLIT (PROTOCOL 13). The child's state proves that the log is committed that
// far; its own log, with its acknowledged writes, continues from there. A merged tablet is restored likewise: both
// parents are replayed through their FREEZE, and merged again.
//
//   checkpoint   parent [a, z) applied 1.40           log of the parent 1.41 .. SPLIT 1.57 ..
//                child: nothing                       log of the child  1.58 .. 1.90
//   after it     parent [a, m) applied 1.57
//                child  [m, z) applied 1.57, and its log is replayed as any other
//
// Place:      TabletServer::Recover, on the store's recovered replicas; the shards get the result.
// Invariants: 1. A parent that was dropped or was about to be copied meanwhile is replayed all the same, because it
//                keeps its log until a checkpoint has its children. So do the two tablets of a merge, which have become
//                tombstones.
//             2. A dropped replica is restored if another one cannot be restored without it.
//             3. If the log lacks a part, a replica may stay without its data. Then LostReplicas::Settle forgets it.
// Errors:     INTERNAL: a tablet is missing and its parents' logs cannot restore it.
// Threads:    one, before any other.
#pragma once

#include <functional>
#include <vector>

#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/tablet_core.h"

namespace ebla::tabletserver {

using TabletSchemaDecoder = std::function<Result<TabletSchema>(const std::string& encoded)>;

// The tables of all that is there are in the store.
Status ReplayLineages(TabletStore& store, const TabletSchemaDecoder& decode, const DedupLimits& dedup_window,
                      std::vector<RecoveredReplica>& replicas);

}  // namespace ebla::tabletserver
