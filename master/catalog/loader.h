// master/catalog/loader.h
// Reads the whole catalog at an election, pipelined, and makes what the very first master finds missing: /cluster with
// a random id and the feature level of this master, /next_id, the parents of tables, tablets and servers.
// Place:      leader_term.h loads once its term is in the coordinator; from then on no other master can change the
//             catalog, because every change checks the term.
// Errors:     the coordinator's own; INVALID_ARGUMENT or INTERNAL, naming the node, when one cannot be read;
//             NOT_PRIMARY when the term is over; INVALID_ARGUMENT when the cluster's feature level is above this
//             master's. The caller retries; a repeated load finds nothing half made that would disturb it.
// Threads:    the master's executor; done runs there, never inside Load.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/coordination/coordinator.h"
#include "common/coordination/election.h"
#include "master/catalog/image.h"

namespace ebla::master {

struct LoadedCatalog {
  idl::ClusterNode cluster;
  int cluster_version = 0;
  Image image;
  std::vector<idl::ServerNode> servers;
};

// The content of /cluster then. Above the first level no build can read it that knows no levels.
std::string EncodeCluster(const idl::ClusterNode& cluster);

// `coordinator` and `executor` outlive the load, which lasts until `done` has run. `level`: that this master speaks.
void LoadCatalog(coordination::Coordinator& coordinator, Executor& executor, coordination::Leading term, int level,
                 coordination::Callback<Result<LoadedCatalog>> done);

}  // namespace ebla::master
