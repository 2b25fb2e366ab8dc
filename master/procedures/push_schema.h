// master/procedures/push_schema.h
// Tells every live server that holds tablets of a table its present schema, until each has obeyed. Servers that do not
// live learn it with their next Configure. Started by an alter, and by a heartbeat that shows an older schema.
// Tests:   master/host/master_test.cc
// Threads: the master's executor.
#pragma once

#include <map>
#include <set>
#include <string>

#include "master/procedures/context.h"
#include "master/procedures/procedure.h"

namespace ebla::master {

std::string PushSchemaName(const std::string& table);

// The change that alters a table. NO_SUCH_TABLE; INVALID_ARGUMENT from table_rules.h.
Result<Change> AlterTable(const Image& image, const std::string& name, const idl::TableOptions& options);

class PushSchema final : public Procedure {
 public:
  PushSchema(const Context& context, std::string table);
  Subject subject() const override { return {.kind = "schema", .tablet = {}, .table = table_, .server = {}}; }
  void Step(coordination::Callback<Progress> done) override;

 private:
  std::set<ServerName> Holders(TableId table) const;

  const Context context_;
  const std::string table_;
  std::map<ServerName, std::pair<Incarnation, int64_t>> obeyed_;  // who obeyed which schema version
  size_t waiting_ = 0;
  Status failure_;
  coordination::Callback<Progress> done_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
