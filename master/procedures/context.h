// master/procedures/context.h
// Objects that every procedure works with, all owned by the leader term that runs it.
// Tests:   master/host/master_test.cc
// Threads: the master's executor.
#pragma once

#include "common/base/executor.h"
#include "common/base/refusals.h"
#include "master/balancer/planner/placement.h"
#include "master/catalog/catalog.h"
#include "master/cluster/servers.h"
#include "master/cluster/tablet_server_client.h"
#include "master/procedures/stale_catalog_check.h"

namespace ebla::master {

struct MasterOptions;

struct Context {
  const MasterOptions& options;
  Executor& executor;
  Catalog& catalog;
  Servers& servers;
  TabletServerClient& tablet_server_client;
  const StaleCatalogCheck& stale_catalog;
  Refusals& refusals;

  const Image& image() const { return catalog.image(); }
};

// The planner's view of the present moment.
ClusterView ViewCluster(const Image& image, const Servers& servers);

}  // namespace ebla::master
