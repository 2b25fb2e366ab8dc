// tests/sim/cluster/server_watch.h
// Observes the calls of a server's store. Passes them to the cluster's StateWatch, and to scenarios that wait for a
// read, for the start of a copy, or for a write that the server keeps for delivery.
// Threads: one.
#pragma once

#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "tabletserver/storage/testing/simulated_store.h"
#include "tests/sim/cluster/state_watch.h"

namespace ebla::sim {

// Called for each unresolved write when it is put, before it is durable.
using UnresolvedWatch = std::function<void(TabletId tablet, TableId table, const tabletserver::LogEntry& entry)>;

class ServerWatch final : public tabletserver::SimulatedStore::Watch {
 public:
  struct Hooks {
    UnresolvedWatch kept;
    std::function<void(std::string_view key)> read;  // before each read of a record
    std::function<void(TabletId tablet)> forgotten;  // after each ForgetReplica
  };
  ServerWatch(Hooks hooks, StateWatch& watch, ServerName server)
      : hooks_(std::move(hooks)), watch_(watch), server_(std::move(server)) {}

  void Appended(std::span<const tabletserver::AppendBatch> batches) override;
  void UnresolvedPut(TabletId tablet, TableId table, std::span<const tabletserver::LogEntry* const> entries) override;
  // Gets the batches before FaultyRecords can change them.
  void Applied(std::span<const tabletserver::ApplyBatch> batches) override;
  void Recovered(const std::vector<tabletserver::RecoveredReplica>& replicas) override;
  void Forgotten(TabletId tablet) override;
  void BeforePutState(TabletId tablet, const tabletserver::ReplicaState& state) override;
  void BeforeRemoveSuffix(TabletId tablet, Lsn from) override;
  void BeforeTruncateLog(TabletId tablet, Lsn below) override;
  void BeforeRead(TableId table, std::string_view key) override;
  void BeforeTruncateRange(TableId table, const KeyRange& range) override;
  void BeforeForget(TabletId tablet) override;

 private:
  void LookAtChild(const tabletserver::AppliedSplit& split, std::span<const tabletserver::ApplyBatch> batches);

  const Hooks hooks_;
  StateWatch& watch_;
  const ServerName server_;
  std::pair<TableId, std::string_view> reading_;  // the record being read; no key: none
};

}  // namespace ebla::sim
