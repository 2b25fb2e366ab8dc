// tests/sim/cluster/catalog_watch.h
// What the catalog says of every tablet, read past any link: whom the nemesis may target, how often the lead or the
// membership has changed, and what it must never say. The masters' own counters die with them.
// Threads: one.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/coordination/sim_coordinator.h"
#include "idl/master_types.h"
#include "tests/sim/cluster/event_log.h"

namespace ebla::sim {

class CatalogWatch {
 public:
  struct Tablet {
    TabletId id;
    Epoch epoch;
    ServerName primary;
    std::vector<ServerName> voters;
    std::vector<ServerName> learners;
    bool creating = false;
    TableId table;
    std::string first_key;
    std::string end_key;     // the first that is not its own; none: it has all from first_key on
    bool splitting = false;  // it is to be split
    TabletId into;           // it is to be merged into that one...
    Epoch freezing;          // ...and freezes in this epoch
    bool joining = false;    // merged, and not merged everywhere
    int seen_version = -1;   // of the node
    TabletId child;          // where it is to be split
    ServerName before;       // the previous primary, where a transfer put this one there
  };
  struct Counts {
    uint64_t failovers = 0;    // another replica came to lead, without a transfer
    uint64_t transfers = 0;    // by a transfer, or is to
    uint64_t same_again = 0;   // a new epoch of the same primary and members, or a transfer is taken back
    uint64_t memberships = 0;  // voters or learners changed
    uint64_t merges = 0;       // two were replaced by one
  };
  CatalogWatch(const coordination::SimCoordination& coordination, EventLog& log)
      : coordination_(coordination), log_(log) {}

  // Looks; to be called often, as it counts what it sees.
  void Look();
  const Counts& counts() const { return counts_; }
  // What no master may do at all.
  const std::vector<std::string>& problems() const { return problems_; }
  // Went to other servers before they had ever served: what the first ones did with them counts for nothing.
  const std::set<TabletId>& recreated() const { return recreated_; }
  // Replaced by what they were merged into.
  const std::set<TabletId>& merged_away() const { return merged_away_; }
  // Why the table's tablets do not have each of its keys exactly once; empty: they do.
  std::string Uncovered(TableId table) const;
  const std::map<std::string, Tablet>& tablets() const { return tablets_; }  // by path; with a primary or without
  // The epoch in which the one is to freeze to become part of the other; none: no such merge was ever seen.
  Epoch FreezeEpoch(TabletId tablet, TabletId into) const {
    const auto found = freezes_.find({tablet, into});
    return found == freezes_.end() ? Epoch() : found->second;
  }
  // A merge is given up while what it froze may be frozen still (PROTOCOL 14): of each tablet the first time.
  std::vector<std::string> Problems() const;

 private:
  void NoteMerged(const idl::TabletNode& node);
  void NoteIntent(const Tablet* before, const Tablet& now);
  void Compare(const std::string& path, const Tablet& before, const Tablet& now);

  const coordination::SimCoordination& coordination_;
  EventLog& log_;
  std::map<std::string, Tablet> tablets_;
  Counts counts_;
  std::vector<std::string> problems_;
  std::set<TabletId> recreated_;
  std::set<TabletId> merged_away_;
  std::map<std::pair<TabletId, TabletId>, Epoch> freezes_;  // by what is to freeze, and for what
  std::map<TabletId, std::string> given_up_early_;
};

}  // namespace ebla::sim
