// tests/sim/nemesis/nemesis_actions.h
// What fault scenarios (scenarios.h) ask for, done by who would do it: an operator orders it of the masters, clients
// with old routes ask one server for it. All of it concerns the clients' table; what it does not have is passed over.
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
  // All of it outlives the nemesis that asks.
  struct Ports {
    SimClient& admin;
    TableMaker& tables;
    StaleClient& stale;
    SplitRetryClient* late;  // null where nothing is split
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
