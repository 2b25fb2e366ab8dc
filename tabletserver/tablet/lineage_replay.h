// tabletserver/tablet/lineage_replay.h
// What a start does before any replica runs: a child of a split that its last checkpoint does not have yet is made
// again, by replaying its parent's log through the SPLIT (PROTOCOL 13). The child's state says that the log is
// committed that far; its own log, which may hold what it acknowledged, goes on from there. So with a tablet that two
// were merged to: both are replayed through their FREEZE, and merged again.
//
//   checkpoint   parent [a, z) applied 1.40           log of the parent 1.41 .. SPLIT 1.57 ..
//                child: nothing                       log of the child  1.58 .. 1.90
//   after it     parent [a, m) applied 1.57
//                child  [m, z) applied 1.57, and its log is replayed as any other
//
// Place:      TabletServer::Recover, on what the store recovered; the shards get what comes out.
// Invariants: 1. A parent that was dropped or was about to be copied meanwhile is replayed all the same: neither
//                discards its log before a checkpoint has its children. Nor do the two of a merge, which have become
//                tombstones.
//             2. Who was dropped is brought back where somebody else cannot be otherwise.
// Errors:     INTERNAL: a tablet is missing and the logs it came of do not bring it back.
// Threads:    one, before any other.
#pragma once

#include <functional>
#include <vector>

#include "tabletserver/tablet/tablet_core.h"

namespace ebla::tabletserver {

using TabletSchemaDecoder = std::function<Result<TabletSchema>(const std::string& encoded)>;

// The tables of all that is there are in the store.
Status ReplayLineages(TabletStore& store, const TabletSchemaDecoder& decode, const DedupLimits& dedup_window,
                      std::vector<RecoveredReplica>& replicas);

}  // namespace ebla::tabletserver
