// master/procedures/clear_table.h
// Has one server remove the data file of a table that the catalog has forgotten, once its last replica there is gone.
// Gives up where the server does not live, or does not manage it for minutes: its heartbeats name tables whose data it
// still holds, and drop_orphans.h takes it from there.
// Tests:   master/host/master_test.cc, master/host/master_steps_test.cc
// Threads: the master's executor.
#pragma once

#include <string>

#include "master/procedures/context.h"
#include "master/procedures/procedure.h"

namespace ebla::master {

std::string ClearTableName(const ServerName& server, TableId table);

class ClearTable final : public Procedure {
 public:
  ClearTable(const Context& context, ServerName server, TableId table);
  Subject subject() const override {
    return {.kind = "clear", .tablet = {}, .table = std::to_string(table_.value), .server = server_};
  }
  void Step(coordination::Callback<Progress> done) override;

 private:
  static constexpr int kAttemptsMax = 100;  // some three minutes

  const Context context_;
  const ServerName server_;
  const TableId table_;
  int attempts_ = 0;
};

}  // namespace ebla::master
