// master/balancer/planner/server_loads.h
// The load of each server in each dimension, as it will be once all running and planned actions are done; and the
// limits above which it is too much.
// How:        The sum of its tablets' costs, and of the rest of its process's CPU. A server is overloaded above
//             start(): the mean, and the greater of 10% of it and a floor. It stops being so below stop(), half of
//             that. Autoscaling's target lowers the floor.
// Invariants: a server that is to be emptied counts in the sums, not in the number that they are divided by.
// Threads:    thread-compatible; one pass makes one.
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "master/balancer/planner/pass.h"

namespace ebla::master {

class ServerLoads {
 public:
  explicit ServerLoads(const Pass& pass);

  double load(ServerIndex server, Dimension dimension) const { return loads_[server][static_cast<size_t>(dimension)]; }
  const Loads& loads(ServerIndex server) const { return loads_[server]; }
  // The cost of the tablet's replica; while a new primary's rates are still young, the old one's.
  Loads Cost(TabletIndex tablet, bool leads) const;
  // The load that its server loses if the tablet's leadership is transferred.
  Loads CostOfLeading(TabletIndex tablet) const;

  // Counts in the mean: lives, and is not being emptied.
  bool member(ServerIndex server) const { return member_[server]; }
  size_t members() const { return members_; }
  double mean(Dimension dimension) const { return mean_[static_cast<size_t>(dimension)]; }
  double margin(Dimension dimension) const { return margin_[static_cast<size_t>(dimension)]; }
  double start(Dimension dimension) const { return mean(dimension) + margin(dimension); }
  double stop(Dimension dimension) const { return mean(dimension) + margin(dimension) * stop_; }

  // The greatest part of a start() that the server would reach with `more`.
  double Fullness(ServerIndex server, const Loads& more) const;
  // True where `more` leaves it below start() in each dimension that more adds to, but for `except`.
  bool Fits(ServerIndex server, const Loads& more, Dimension except) const;
  // Room for a copy of so many bytes above disk_kept_free, as far as is known.
  bool DiskHas(ServerIndex server, double bytes) const;

  void Shift(const Loads& cost, ServerIndex from, ServerIndex to);
  void NoteCopy(ServerIndex to, double bytes) { arriving_[to] += bytes; }
  // Usable members by their load, the least first.
  const std::set<std::pair<double, ServerIndex>>& Order(Dimension dimension);

 private:
  void CountTablet(TabletIndex tablet);
  void Add(ServerIndex server, const Loads& cost, double sign);

  const Pass& pass_;
  const double stop_;
  std::vector<Loads> loads_;
  std::vector<double> arriving_;  // bytes of copies
  std::vector<bool> member_;
  size_t members_ = 0;
  Loads mean_{};
  Loads margin_{};
  std::array<std::set<std::pair<double, ServerIndex>>, kDimensions> order_;  // made when first asked for
};

// True if a replica on `to` instead of `from` (or none: one more) shares a rack with no more of the tablet's replicas.
bool KeepsRackSpread(const ClusterView& view, const TabletView& tablet, ServerIndex from, ServerIndex to);
// Has as many live voters as its table wants.
bool Whole(const ClusterView& view, const TabletView& tablet);

}  // namespace ebla::master
