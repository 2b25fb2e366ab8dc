// tests/sim/nemesis/nemesis_actions.h
// Carries out the actions that fault scenarios (scenarios.h) need: an operator sends orders to the masters, and clients
// with old routes send requests to one server. An action on a tablet does nothing unless the tablet belongs to the
// clients' table.
// Threads: one.
#pragma once

#include <optional>

#include "tests/sim/clients/split_retry_client.h"
#include "tests/sim/clients/stale_client.h"
#include "tests/sim/clients/table_maker.h"
#include "tests/sim/clients/workload.h"
#include "tests/sim/cluster/catalog_watch.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/nemesis/hooks.h"

namespace ebla::sim {

class NemesisActions {
 public:
  // All ports outlive the nemesis.
  struct Ports {
    SimClient& admin;
    TableMaker& tables;
    StaleClient& stale;
    SplitRetryClient* late;  // null in a run without splits
    Cluster& cluster;
    const CatalogWatch& catalog;
    TableId table;
    int groups;
    bool large_fits;  // copies are quick enough for values that are larger than a message of the log
  };
  explicit NemesisActions(const Ports& ports) : ports_(ports) {}

  void AddTo(NemesisHooks& hooks) const;

 private:
  void AddProcedures(NemesisHooks& hooks) const;
  void AddOldRoutes(NemesisHooks& hooks) const;
  const CatalogWatch::Tablet* Find(TabletId tablet) const;
  std::optional<StaleClient::Place> PlaceOf(int server, TabletId tablet) const;
  bool IsSplittable(const CatalogWatch::Tablet& tablet) const;

  Ports ports_;
};

}  // namespace ebla::sim
