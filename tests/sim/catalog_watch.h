// tests/sim/catalog_watch.h
// What the catalog says of every tablet, read past any link: whom the nemesis may aim at, and how often the lead or the
// membership has changed. The masters' own counters die with them.
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/coordination/sim_coordinator.h"
#include "idl/master_types.h"
#include "tests/sim/event_log.h"

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
    bool joining = false;  // merged, and not united everywhere
    int seen_version = -1;  // of the node
  };
  struct Counts {
    uint64_t failovers = 0;    // another replica came to lead, which nobody had handed over
    uint64_t transfers = 0;    // it was handed over
    uint64_t same_again = 0;   // a new epoch of the same primary and members
    uint64_t memberships = 0;  // voters or learners changed
    uint64_t merges = 0;       // two were replaced by one
  };
  // Has a tablet's primary released this epoch?
  using Released = std::function<bool(TabletId, Epoch)>;

  CatalogWatch(const coordination::SimCoordination& coordination, EventLog& log, Released released)
      : coordination_(coordination), log_(log), released_(std::move(released)) {}

  // Looks; to be called often, as it counts what it sees.
  void Look();
  const Counts& counts() const { return counts_; }
  // Went to other servers before they had ever served: what the first ones did with them counts for nothing.
  const std::set<TabletId>& born_again() const { return born_again_; }
  // Replaced by what they were merged into.
  const std::set<TabletId>& merged_away() const { return merged_away_; }
  // Why the table's tablets do not have each of its keys exactly once; empty: they do.
  std::string Uncovered(TableId table) const;
  const std::map<std::string, Tablet>& tablets() const { return tablets_; }  // by path; with a primary or without

 private:
  void NoteMerged(const idl::TabletNode& node);
  void Compare(const std::string& path, const Tablet& before, const Tablet& now);

  const coordination::SimCoordination& coordination_;
  EventLog& log_;
  const Released released_;
  std::map<std::string, Tablet> tablets_;
  Counts counts_;
  std::set<TabletId> born_again_;
  std::set<TabletId> merged_away_;
};

}  // namespace ebla::sim
