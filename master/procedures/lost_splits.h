// master/procedures/lost_splits.h
// For a memory tablet: splits that the catalog has, and that the one remaining log lacks, because the replicas that had
// applied them lost them with their processes. Its new primary logs them again (PROTOCOL 5), and each child begins
// there with the records that its parent had of it. Pure.
// Place:      fence_round.h asks before it decides.
// Invariants: 1. A log with these splits ends the tablet where the catalog does.
//             2. A child does not begin empty while a server still has its records as part of the parent's.
// Threads:    functions of their arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "idl/control_types.h"
#include "master/catalog/image.h"
#include "master/cluster/servers.h"

namespace ebla::master {

// Splits that a log lacks if it ends the tablet at `end`, in the order of the splits; a split under way is the last.
// NOT_FOUND: a missing part is no tablet any more, or the log has a split that the catalog lacks.
Result<std::vector<idl::LostSplit>> LostSplits(const Image& image, const TabletEntry& tablet, const std::string& end);

// Whether the server, by its last report, has what `tablet` was split off, and is yet to apply that split.
bool HoldsInParent(const Image& image, const Report& report, const TabletEntry& tablet);

}  // namespace ebla::master
