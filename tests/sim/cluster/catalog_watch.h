// tests/sim/cluster/catalog_watch.h
// Reads the catalog's node of every tablet, past any link, to find targets for the nemesis, to count changes of
// primaries and members, and to detect changes that no master may make. The masters' own counters die with the masters.
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
    std::string end_key;     // the first key beyond its range; none: the range has no end
    bool splitting = false;  // it is to be split
    TabletId into;           // the tablet that this one is to be merged into...
    Epoch freezing;          // ...and the epoch in which it freezes
    bool joining = false;    // made by a merge, and not all replicas have merged yet
    int seen_version = -1;   // of the node
    TabletId child;          // if it is to be split
    ServerName before;       // the previous primary, if the present one got the tablet by a transfer
  };
  struct Counts {
    uint64_t failovers = 0;    // another replica became primary, without a transfer
    uint64_t transfers = 0;    // another replica became primary by a transfer, or is to
    uint64_t same_again = 0;   // a new epoch of the same primary and members, or a transfer was taken back
    uint64_t memberships = 0;  // voters or learners changed
    uint64_t merges = 0;       // a merged tablet replaced two
  };
  CatalogWatch(const coordination::SimCoordination& coordination, EventLog& log)
      : coordination_(coordination), log_(log) {}

  // Reads the catalog. To be called often, because counts() has only the changes between two looks.
  void Look();
  const Counts& counts() const { return counts_; }
  // Changes that no master may make.
  const std::vector<std::string>& problems() const { return problems_; }
  // Tablets that moved to other servers before they had ever served. No action of the first servers on them counts.
  const std::set<TabletId>& recreated() const { return recreated_; }
  // Tablets that a merged tablet replaced.
  const std::set<TabletId>& merged_away() const { return merged_away_; }
  // Why the table's tablets do not cover each of its keys exactly once. Empty: they do.
  std::string Uncovered(TableId table) const;
  const std::map<std::string, Tablet>& tablets() const { return tablets_; }  // by path; with a primary or without
  // The epoch in which `tablet` is to freeze for its merge into `into`. None: no such merge was ever seen.
  Epoch FreezeEpoch(TabletId tablet, TabletId into) const {
    const auto found = freezes_.find({tablet, into});
    return found == freezes_.end() ? Epoch() : found->second;
  }
  // Merges that a master gave up while a tablet may still be frozen for them (PROTOCOL 14); for each tablet the first.
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
  std::map<std::pair<TabletId, TabletId>, Epoch> freezes_;  // by the tablet to freeze and the merged tablet
  std::map<TabletId, std::string> given_up_early_;
};

}  // namespace ebla::sim
