// master/procedures/drop_orphans.h
// Drops what a server holds and the catalog does not assign to it: replicas of tablets that were dropped or moved to
// other servers while it was away, and data files of dropped tables.
// Safety:     PROTOCOL 24. A replica is dropped only if all of this holds. Its id is below the catalog's next id, no
//             znode names the server as its holder, no intent names the id, and no voter of a merged tablet may still
//             need it for the merge; and the coordinator has confirmed that this master leads and that its image is
//             whole. An id at or above the next id means that the coordinator was restored from an older state. It is
//             reported and left alone, and no id is drawn meanwhile (readiness.h), because a new table would get the
//             old one's ids, and skipped ids would then look like orphans.
// Tests:      master/host/master_replicas_test.cc, master/host/master_recover_test.cc
// Threads:    the master's executor.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "master/procedures/context.h"
#include "master/procedures/procedure.h"

namespace ebla::master {

std::string DropOrphansName(const ServerName& server);

struct Orphans {
  std::vector<idl::DropTablet> replicas;
  std::vector<TableId> tables;
  size_t unknown_ids = 0;  // ids that the catalog never drew: not to be touched

  bool empty() const { return replicas.empty() && tables.empty(); }
};

// The greatest tablet or table id of the report that the catalog never drew; none: it drew them all.
std::optional<uint64_t> UndrawnId(const Image& image, const Report& report);

// The orphans in the server's last report, by the image.
Orphans FindOrphans(const Image& image, const Servers& servers, const ServerName& server, const Report& report);

class DropOrphans final : public Procedure {
 public:
  // `outgrow(tablet, epoch)`: an orphan has promised this epoch, above the tablet's own, and heeds no drop below it.
  using Outgrow = std::function<void(TabletId, Epoch)>;
  DropOrphans(const Context& context, ServerName server, Outgrow outgrow);
  Subject subject() const override { return {.kind = "strays", .tablet = {}, .table = {}, .server = server_}; }
  void Step(coordination::Callback<Progress> done) override;

 private:
  void Drop();
  void OnDropped(Result<std::map<TabletId, idl::ConfigureResult>> results);
  void ClearTables(std::vector<TableId> tables, Status status);

  const Context context_;
  const ServerName server_;
  const Outgrow outgrow_;
  std::map<TabletId, Epoch> promised_;  // by replicas that refused
  coordination::Callback<Progress> done_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
