// master/procedures/drop_table.h
// From a table marked DROPPING in the catalog (MarkDropping, the Multi that decides) to nothing. It drops the replicas
// at the live servers, removes the tablets' znodes and at last the table's. The data files follow (clear_table.h). It
// does not wait for a server that is dead or cannot be reached. When that server is back, it reports replicas that no
// znode names, and drop_orphans.h drops them.
// Invariants: ids are never used again, so a late drop can harm nothing new; the table's znode is removed with or after
//             the last of its tablets', so that a successor finds the remaining work.
// Tests:      master/host/master_test.cc, master/host/master_steps_test.cc
// Threads:    the master's executor.
#pragma once

#include <map>
#include <set>
#include <string>

#include "master/procedures/context.h"
#include "master/procedures/procedure.h"

namespace ebla::master {

std::string DropTableName(const std::string& table);

// NO_SUCH_TABLE when there is none, or it is being dropped already.
Result<Change> MarkDropping(const Image& image, const std::string& name);

class DropTable final : public Procedure {
 public:
  // `on_gone`: the catalog has forgotten the table; the servers had replicas of it.
  using OnGone = std::function<void(TableId, const std::set<ServerName>&)>;
  DropTable(const Context& context, std::string table, OnGone on_gone);
  Subject subject() const override { return {.kind = "drop", .tablet = {}, .table = name_, .server = {}}; }
  void Step(coordination::Callback<Progress> done) override;

 private:
  static constexpr int kAttemptsMax = 6;
  static constexpr size_t kTabletsPerOrderMax = 256;

  // Replicas that one server still has to drop.
  struct Holder {
    std::map<TabletId, Epoch> left;  // with the epoch to name
    int failures = 0;
  };
  void FindHolders(const TableEntry& table);
  bool DropReplicas(coordination::Callback<Progress>& done);
  void OnDropped(const ServerName& server, Result<std::map<TabletId, idl::ConfigureResult>> results);
  void EraseNodes(coordination::Callback<Progress> done);

  const Context context_;
  const std::string name_;
  const OnGone on_gone_;
  bool holders_known_ = false;
  TableId table_;
  std::map<ServerName, Holder> holders_;
  std::set<ServerName> former_holders_;  // servers that had replicas
  size_t waiting_ = 0;
  coordination::Callback<Progress> done_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
