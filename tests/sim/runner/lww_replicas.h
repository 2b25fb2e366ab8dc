// tests/sim/runner/lww_replicas.h
// The records that the replicas of a last_write_wins table hold once everything is healed. By then all writes must be
// delivered and all replicas equal, and the checker judges each group's history by these records (last_write_wins.h).
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
  // Has every server delivered all the writes that it keeps for delivery?
  bool AllDelivered();
  // Takes the records of each group, if all its voters have the same. Returns the first difference, or that a tablet
  // has no primary. Empty: neither.
  std::string Compare();
  // For each group, the records that Compare() took last, and the writes that servers ever kept for delivery.
  std::map<int, LwwTruth> Truths(const History& history) const;

 private:
  // Compares the tablets whose primary is on server `leader`.
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
