// master/procedures/merge_intents.h
// The two tablets of a merge, and the intents by which their znodes name each other.
// Place:   merge_tablets.h writes the intents first, and carries out what they say. The planner and operators ask here
//          whether two tablets can be merged.
// Tests:   master/host/master_merge_test.cc
// Threads: functions of their arguments.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "master/procedures/context.h"
#include "master/procedures/request_origin.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

// Two tablets of a table, of which one ends where the other begins.
struct Neighbours {
  TabletId left;
  TabletId right;
  friend bool operator==(const Neighbours&, const Neighbours&) = default;
};

// The tablet that begins at the key, and the one before it: NO_SUCH_TABLE; INVALID_ARGUMENT none begins there, or it is
// the first.
Result<Neighbours> FindNeighbours(const Image& image, const std::string& table, const std::string& key);
// Of open intents: who is on which side. None: there is no intent.
// A merge that was given up may leave one intent alone, while the neighbour is part of another tablet already.
// Then `left` is the tablet with the intent.
std::optional<Neighbours> NeighboursOf(const Image& image, const std::set<TabletId>& merging);
// NOT_FOUND one is gone; CONDITION_FAILED they are no neighbours.
Status CheckMerge(const Image& image, const Neighbours& two);

// The change that begins it, if both are settled and caught up on the same servers, or are being merged already;
// UNAVAILABLE: not at present.
Result<Change> BeginMerge(const Context& context, const TabletReconciler& reconciler, const Neighbours& two,
                          const RequestOrigin& origin);

std::string IdText(TabletId tablet);
// "tablets 7 and 9".
std::string Both(const Neighbours& two);
bool SameServers(std::vector<ServerName> one, std::vector<ServerName> other);
// An intent names the neighbour.
bool MergeOf(const TabletEntry& one, const TabletEntry& other);
// The reason why two that carry intents cannot be replaced; empty: they can, once frozen.
std::string Changed(const TabletEntry& left, const TabletEntry& right);

}  // namespace ebla::master
