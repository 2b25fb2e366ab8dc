// master/procedures/stale_catalog_check.h
// Finds reports beyond the catalog (PROTOCOL 24): ids that it never drew, epochs that it never reached, schemas that it
// never saw. Each means that the coordinator was restored from an older state. The master then repairs nothing and
// drops nothing, and leaves those very tablets alone, because the catalog does not know their voters.
// Place:      report_handler.h passes every report in; safe mode, the reconciler and the replication manager ask.
// Invariants: a server's last report counts, also when the server is dead, because it will be back.
// Tests:      master/host/master_adopt_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "master/catalog/image.h"
#include "master/cluster/servers.h"

namespace ebla::master {

class StaleCatalogCheck {
 public:
  void Update(const Image& image, const ServerName& server, const Report& report);
  void Forget(const ServerName& server);
  // The epoch that the catalog must have reached: the followed epoch or, after a restart, that of the log's end. (A
  // merely promised epoch need not have been reached.)
  static int64_t EpochOf(const idl::TabletLoad& load);
  // Whether a server reports an epoch of the tablet that the catalog never reached.
  bool Ahead(TabletId tablet) const { return ahead_.contains(tablet); }
  // Why the catalog is stale, for people; none: nothing shows that it is.
  std::optional<std::string> Why() const;

 private:
  struct Found {
    std::set<TabletId> ahead;
    std::optional<uint64_t> undrawn;
    std::optional<TableId> schema;  // newer than the catalog's
  };
  std::map<ServerName, Found> found_;
  std::map<TabletId, size_t> ahead_;  // by how many servers
};

}  // namespace ebla::master
