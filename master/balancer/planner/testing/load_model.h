// master/balancer/planner/testing/load_model.h
// A model cluster in virtual time that carries out the planner's actions. The keys of one table are cells 0, 1, 2, ...
// with so many operations/s each, a tablet is a run of cells, and its rates decay, its peaks age and its copies take
// time as a real one's do.
// Invariants: a cell is one key: a tablet of which it makes most of the load has a popular key.
// Threads:    one.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "master/balancer/planner/planner.h"

namespace ebla::master::testing {

class LoadModel {
 public:
  struct Options {
    size_t servers = 6;
    size_t cells = 240;
    size_t tablets = 24;
    size_t replicas = 3;
    int64_t cell_bytes = 10 << 20;
    Duration step = std::chrono::seconds(5);  // between passes
  };
  // Operations/s of a cell, so long after the beginning.
  using Load = std::function<double(size_t cell, Duration since)>;

  LoadModel(const Options& options, Load load);

  // Passes and what they bring, for so long. `on_action` sees each action as it is planned.
  void Run(Duration time, const std::function<void(const Action&)>& on_action = {});

  ClusterView View() const;
  Duration since() const { return now_ - begin_; }
  size_t tablets() const { return tablets_.size(); }
  // The boundary that a split or merge is about, as a cell.
  size_t Boundary(const Action& action) const;
  // Operations/s of the server that has most, over the mean.
  double WorstOverMean() const;

  PlannerOptions planner;
  PlannerMemory memory;
  std::vector<PlannedServer> servers;

 private:
  struct Tablet {
    TabletId id;
    size_t first = 0, last = 0;  // its cells, the last not included
    Members voters, learners;
    double rate = 0;            // decayed operations/s
    std::deque<double> maxima;  // of half minutes, the youngest last
    MonotonicTime metered;      // since when
    MonotonicTime bucket;       // when the youngest began
    MonotonicTime last_split, last_merge;
    Action action;        // under way until
    MonotonicTime until;  // zero: none is
  };

  void Advance();
  void Measure(Tablet& tablet);
  void Begin(const Action& action);
  void Finish(size_t index);
  void Meter(Tablet& tablet);  // anew
  double LoadOf(const Tablet& tablet) const;
  void FindKey(const Tablet& tablet, TabletView& view) const;
  Tablet& Find(TabletId id);
  ServerIndex Server(const ServerName& name) const;

  const Options options_;
  const Load load_;
  const MonotonicTime begin_{std::chrono::hours(1'000)};
  MonotonicTime now_ = begin_;
  uint64_t next_id_ = 1;
  std::vector<Tablet> tablets_;  // by range
};

}  // namespace ebla::master::testing
