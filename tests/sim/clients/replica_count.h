// tests/sim/clients/replica_count.h
// Changes the number of a table's replicas, and retries until the table has it, because no scenario targets a table
// with too few replicas. Requests follow each other, because two at once may arrive in any order.
// Place:   run.cc passes an instance to the faults.
// Threads: one.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "tests/sim/clients/workload.h"

namespace ebla::sim {

class ReplicaCount {
 public:
  ReplicaCount(SimClient& client, Executor& executor, std::string table)
      : client_(client), executor_(executor), table_(std::move(table)) {}

  void Set(int replicas) {
    wanted_ = replicas;
    Change();
  }

 private:
  void Change() {
    if (std::exchange(changing_, true)) return;
    TableOptions changes;
    changes.replicas = wanted_;
    const auto done = [this, replicas = wanted_](const Result<TableInfo>& altered) {
      changing_ = false;
      const bool done = altered.has_value() && replicas == wanted_;
      // An earlier request on a slow network may still arrive and change the number back.
      executor_.After(std::chrono::milliseconds(done ? 5'000 : 100), [this, done] { done ? Confirm() : Change(); });
    };
    client_.admin().AlterTable(table_, changes, client::OnceCallback<Result<TableInfo>>(done));
  }
  void Confirm() {
    client_.admin().DescribeTable(table_,
                                  client::OnceCallback<Result<TableInfo>>([this](const Result<TableInfo>& table) {
                                    if (!table.has_value() || table->options.replicas != wanted_) Change();
                                  }));
  }

  SimClient& client_;
  Executor& executor_;
  const std::string table_;
  int wanted_ = 0;
  bool changing_ = false;
};

}  // namespace ebla::sim
