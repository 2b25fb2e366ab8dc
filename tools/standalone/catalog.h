// tools/standalone/catalog.h
// The coordinator's database of ebla-standalone: opened, or made anew where it is lost (--rebuild_catalog).
// How:     Tablets know their tables, ranges and schemas, so that the tables of a lost catalog are adopted from the
//          store's own report, as ebla cluster adopt does it for a cluster. A directory that has joined a cluster had a
//          database, so a missing one is no new one. The new database has the cluster's id of IDENTITY, and the node
//          /rebuilding until all tables are adopted. A start that finds the node continues
//          with that.
// Disk:    <data_dir>/coordinator, <data_dir>/CATALOG (common/coordination/change_mark.h). A rebuild moves the former
//          to <data_dir>/coordinator.lost-<n>, and makes the new one as coordinator.new, which then gets its name.
// Errors:  INTERNAL: it is damaged, and nothing was made. INVALID_ARGUMENT: a rebuild was asked for without need; in
//          use, or of a newer format. UNAVAILABLE: not now, as on a full disk.
// Threads: the main thread, before there is another.
#pragma once

#include <memory>
#include <string>

#include "common/base/executor.h"
#include "common/coordination/embedded_coordinator.h"
#include "master/host/master_host.h"

namespace ebla::standalone {

std::string CoordinatorDirectory(const std::string& data_dir);

struct CatalogOptions {
  std::string data_dir;
  bool rebuild = false;
  int feature_level = 0;    // of a new /cluster
  std::string loss_advice;  // follows what is said of a damaged IDENTITY
};

struct Catalog {
  std::unique_ptr<coordination::EmbeddedCoordination> coordination;
  bool rebuilding = false;  // tables are still to be adopted
  std::string set_aside;    // then, where the former database is; empty: there was none
};

Result<Catalog> OpenCatalog(const CatalogOptions& options);

// Adds to the catalog what the tablet server reports, and returns when the catalog has it; for at most `patience`. On
// another thread than the master's executor `loop`. `with_gaps`: also tables of which some tablets are lost.
Status AdoptReports(const master::Master& master, Executor& loop, Duration patience, bool with_gaps = false);
// No later start does so.
Status EndRebuild(coordination::EmbeddedCoordination& coordination);

}  // namespace ebla::standalone
