// master/catalog/loader.h
// Reads the whole catalog at an election, pipelined, and makes what the very first master finds missing: /cluster with
// a random id, /next_id, the parents of tables, tablets and servers.
// Place:      leader_term.h loads once its term stands in the coordinator; from then on nobody else can change what is
//             read, as every change checks the term.
// Errors:     the coordinator's own; INVALID_ARGUMENT or INTERNAL, naming the node, when one cannot be read;
//             NOT_PRIMARY when the term is over. The caller tries again; a load leaves nothing half made that a repeat
//             would mind.
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
  std::string cluster_id;
  Image image;
  std::vector<idl::ServerNode> servers;
};

// `coordinator` and `executor` outlive the load, which goes on until `done` has run.
void LoadCatalog(coordination::Coordinator& coordinator, Executor& executor, coordination::Leading term,
                 coordination::Callback<Result<LoadedCatalog>> done);

}  // namespace ebla::master
