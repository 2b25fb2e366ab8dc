// master/procedures/create_table.h
// From the intent in the catalog to a table that serves:
//   /tables/<name> CREATING with its split points and first tablet id  (BeginTable, the one Multi that decides)
//   -> its tablets, in several Multis, each with its server            (steps)
//   -> every tablet has its primary, which is the reconciler's work    (steps wait)
//   -> SERVING
// Place:      table_admin.h begins tables and resumes every one that is found CREATING.
// Invariants: 1. Tablet i of n has the id firstTabletId + i and the i-th range, so a repeat makes the same ones.
//             2. Tables and their tablets draw ids once, in the Multi of the intent.
//             3. No tablet is made that a server holds already (PROTOCOL 24), because every live server reports first.
// Tests:      master/host/master_test.cc, master/host/master_steps_test.cc
// Threads:    the master's executor.
#pragma once

#include <string>
#include <vector>

#include "master/procedures/context.h"
#include "master/procedures/procedure.h"

namespace ebla::master {

std::string CreateTableName(const std::string& table);

// The change that decides a table's creation. TABLE_EXISTS when there is one of that name.
Result<Change> BeginTable(const Image& image, const std::string& name, const idl::TableOptions& options,
                          const std::vector<std::string>& split_points);

class CreateTable final : public Procedure {
 public:
  // `consider(tablet)` has the reconciler look at a tablet that was just made.
  CreateTable(const Context& context, std::string table, std::function<void(TabletId)> consider);
  Subject subject() const override { return {.kind = "create", .tablet = {}, .table = table_, .server = {}}; }
  void Step(coordination::Callback<Progress> done) override;

 private:
  void Begin(const TableEntry& table);
  bool MadeAll(const TableEntry& table);
  size_t CountUnserved();
  std::string AbsentServers() const;
  Status CheckNowhere(const std::vector<TabletId>& tablets) const;
  Result<Change> NextTablets(const Image& image);
  Result<Change> Complete(const Image& image) const;

  const Context context_;
  const std::string table_;
  const std::function<void(TabletId)> consider_;
  // The remaining work, so that no step looks at the whole table again. Only for this table, because another of its
  // name may follow it.
  TableId id_;
  size_t made_to_ = 0;              // those before this index are there
  std::vector<TabletId> unserved_;  // not seen to serve
  std::vector<TabletId> made_;      // by the Multi under way
};

}  // namespace ebla::master
