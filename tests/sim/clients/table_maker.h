// tests/sim/clients/table_maker.h
// Makes and drops tables beside the clients' own, so that faults strike in the middle of the masters' procedures.
// Place:   run.cc starts the table maker with the faults.
// Threads: one.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "tests/sim/clients/workload.h"
#include "tests/sim/cluster/event_log.h"

namespace ebla::sim {

class TableMaker {
 public:
  TableMaker(SimClient& client, EventLog& log, int replicas) : client_(client), log_(log), replicas_(replicas) {}
  const std::string& latest() const { return latest_; }  // the last table made; it may be gone

  void Start() { Make(); }
  // Makes a table of a single tablet, which is never dropped.
  void MakeAside(const std::string& name, std::function<void(TableId)> made) {
    CreateTableOptions options;
    options.table.replicas = replicas_;
    client_.admin().CreateTable(
        name, options,
        client::OnceCallback<Result<TableInfo>>([this, name, made = std::move(made)](Result<TableInfo> table) {
          log_.Add("admin", "create " + name + ": " + Said(table.has_value() ? Status() : table.error()));
          if (table.has_value()) made(table->id);
        }));
  }
  void Finish() { finishing_ = true; }
  bool idle() const { return !busy_; }
  int made() const { return made_; }

 private:
  void Make() {
    busy_ = !finishing_;
    if (finishing_) return;
    const std::string name = "other-" + std::to_string(++count_);
    CreateTableOptions options;
    options.table.replicas = replicas_;
    options.split_points = {"h", "p"};
    client_.admin().CreateTable(
        name, options, client::OnceCallback<Result<TableInfo>>([this, name](Result<TableInfo> made) {
          log_.Add("admin", "create " + name + ": " + Said(made.has_value() ? Status() : made.error()));
          made_ += made.has_value();
          if (made.has_value()) latest_ = name;
          client_.executor().After(std::chrono::milliseconds(300), [this, name] { Drop(name); });
        }));
  }
  void Drop(const std::string& name) {
    if (count_ % 3 == 0) return Make();  // some stay
    client_.admin().DropTable(name, client::OnceCallback<Status>([this, name](Status dropped) {
                                log_.Add("admin", "drop " + name + ": " + Said(dropped));
                                client_.executor().After(std::chrono::milliseconds(300), [this] { Make(); });
                              }));
  }
  static std::string Said(const Status& status) { return status.ToString(); }

  SimClient& client_;
  EventLog& log_;
  const int replicas_;
  std::string latest_;
  int count_ = 0;
  int made_ = 0;
  bool finishing_ = false;
  bool busy_ = false;
};

}  // namespace ebla::sim
