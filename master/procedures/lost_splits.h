// master/procedures/lost_splits.h
// Of a memory tablet: splits that the catalog has, and that the one log that is left has not. Whoever had applied them
// has forgotten with its process. Its new primary logs them again (PROTOCOL 5), and what was split off begins, where
// that one is, with what it had of it. Pure.
// Place:      fence_round.h asks before it decides.
// Invariants: 1. A log ends the tablet where the catalog does once it has what is said here.
//             2. What was split off is not begun anew while a server still has it as part of what it was split off.
// Threads:    functions of their arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "idl/control_types.h"
#include "master/catalog/image.h"
#include "master/cluster/servers.h"

namespace ebla::master {

// What a log that ends the tablet at `end` lacks, in the order in which it was split off: a split that is under way is
// the last. NOT_FOUND: what is missing is no tablet any more, or the log has a split that the catalog has not.
Result<std::vector<idl::LostSplit>> LostSplits(const Image& image, const TabletEntry& tablet, const std::string& end);

// Whether the server, by its last report, has what `tablet` was split off, and is yet to apply that split.
bool HoldsInParent(const Image& image, const Report& report, const TabletEntry& tablet);

}  // namespace ebla::master
