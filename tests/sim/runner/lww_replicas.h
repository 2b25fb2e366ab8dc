// tests/sim/runner/lww_replicas.h
// What the replicas of a last_write_wins table hold once everything is healed: by then all is delivered and all of them
// are the same, and each group's history is judged by that (last_write_wins.h).
// Threads: one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/checker/history.h"
#include "tests/sim/checker/last_write_wins.h"
#include "tests/sim/clients/workload.h"
#include "tests/sim/cluster/catalog_watch.h"
#include "tests/sim/cluster/cluster.h"

namespace ebla::sim {

class LwwReplicas {
 public:
  LwwReplicas(Cluster& cluster, const CatalogWatch& catalog, const WorkloadOptions& workload)
      : cluster_(cluster), catalog_(catalog), workload_(workload) {}

  void Watch(TableId table) { table_ = table; }
  // No server keeps a write that is still to be delivered.
  bool AllDelivered();
  // Takes the records of each group, as all its voters have them. Says what one of them has otherwise, or nothing.
  std::string Compare();
  // Of each group what Compare() took last, and what servers kept as rolled back.
  std::map<int, LwwTruth> Truths(const History& history) const;

 private:
  // Of the tablets that server `leader` leads.
  std::string CompareLedBy(int leader);
  std::string CompareKey(const std::string& key, const std::vector<ServerName>& voters,
                         std::optional<LwwTruth::Final>& taken);
  std::vector<ServerName> VotersOf(TabletId tablet) const;

  Cluster& cluster_;
  const CatalogWatch& catalog_;
  const WorkloadOptions& workload_;
  TableId table_;
  std::map<int, LwwTruth> taken_;
};

}  // namespace ebla::sim
