// master/cluster/cluster_view.h
// The cluster as the planner sees it at this moment: the catalog's tablets, with what the servers last reported
// of them and what this master has seen happen to them.
// Place:      balance_driver.h makes one for each pass; MakePlan and SaveView take it.
// Invariants: CheckView() passes. Tablets that are being created, or whose table is being dropped, are left out; a
//             server that is named by a replica alone counts as lost.
// Size:       100,000 tablets of three replicas take about a tenth of a second.
// Threads:    TabletPasts is thread-compatible, the rest functions of their arguments.
#pragma once

#include <functional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "master/balancer/planner/view.h"
#include "master/catalog/image.h"
#include "master/cluster/servers.h"

namespace ebla::master {

// When such a thing happened to a tablet last, as far as this master has seen it; zero: not known.
struct TabletPast {
  MonotonicTime split;  // or made
  MonotonicTime merged;
  MonotonicTime failed;
  MonotonicTime held_until;
};

// The changes of tablets in this master's term. The next one begins with nothing.
class TabletPasts {
 public:
  // Notes which tablets have come since it was last called, and whose halves they are. Tablets that exist at the first
  // call have no past.
  void Observe(const Image& image, MonotonicTime now);
  void NoteFailed(TabletId tablet, MonotonicTime now) { pasts_[tablet].failed = now; }
  // It was made of two that are gone, which is no split.
  void NoteMerged(TabletId tablet, MonotonicTime now) {
    known_.insert(tablet);
    pasts_[tablet].merged = now;
  }
  // An operator has placed it by hand: load does not move it before `until`.
  void Hold(TabletId tablet, MonotonicTime until) { pasts_[tablet].held_until = until; }
  TabletPast Of(TabletId tablet) const;

 private:
  bool began_ = false;
  std::unordered_set<TabletId> known_;
  std::unordered_map<TabletId, TabletPast> pasts_;
};

struct ViewSources {
  const Image& image;
  const std::map<ServerName, Server>& servers;
  std::function<bool(const TabletEntry&)> settled;       // it may be changed
  std::function<PrimaryAt(const TabletEntry&)> primary;  // at present
  const TabletPasts& pasts;
  const std::set<ServerName>& surplus;  // that are drained as the cluster is larger than its load asks
  MonotonicTime now;
  Duration lost_after;  // a server that has been away for so long
};

ClusterView MakeClusterView(const ViewSources& sources);

}  // namespace ebla::master
