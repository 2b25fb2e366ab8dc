// tests/chaos/scenarios/scenario_run.h
// The common part of scenarios that judge histories: a cluster under a HistoryLoad, and the growing report. Also the
// thread of scenarios that need root.
// Threads: one, which must outlive it, because the processes die with it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "tests/chaos/load/history_load.h"
#include "tests/chaos/namespaces/network_namespaces.h"
#include "tests/chaos/scenarios/scenarios.h"
#include "tests/integration/test_cluster.h"

namespace ebla::chaos {

// The cluster and the load with which scenarios of planned changes begin.
inline constexpr int kElasticServers = 5;
inline constexpr int kFirstTablets = 4;
inline constexpr int kGroupsPerTablet = 60;
inline constexpr int64_t kOperationsPerStep = 100;

class ScenarioRun {
 public:
  // Starts the cluster and, once every tablet has all its replicas, the load.
  // With `namespaces`, the clients run in the one of that name.
  static Result<std::unique_ptr<ScenarioRun>> Begin(testing::TestClusterOptions cluster, HistoryLoadOptions load,
                                                    Say say, const NetworkNamespaces* namespaces = nullptr,
                                                    const std::string& clients_in = {});

  testing::TestCluster& cluster() { return *cluster_; }
  cluster::Launcher& launcher() { return cluster_->launcher(); }
  HistoryLoad& load() { return *load_; }
  void Tell(const std::string& text) const {
    if (say_) say_(text);
  }

  // Waits until every tablet has all its replicas, has been read and written since, and `progress` more operations were
  // answered.
  Status Settle(int64_t progress);
  // Waits until each of these tablets has been read and written by operations begun after the moment.
  Status AwaitService(const std::vector<int>& tablets, WallClock::time_point moment) const;
  // Pauses the load, and has `ebla check` compare the catalog with the servers and the replicas with each other.
  Status Check();
  // Pauses the load and judges what it did since the last time. Broken promises and failed operations become faults.
  void Judge();
  // So many rounds, each judged. The first that fails, or breaks a promise, is the last one.
  void Repeat(int times, const std::function<Status()>& round);
  void Fault(std::string text) { report_.faults.push_back(std::move(text)); }
  bool faultless() const { return report_.faults.empty(); }
  // The report; a fault more when too few operations were judged.
  ScenarioReport Finish(const std::string& summary, int64_t operations_least);

 private:
  explicit ScenarioRun(Say say) : say_(std::move(say)) {}
  Status StartLoad(const HistoryLoadOptions& options, const Client& observer);

  const Say say_;
  std::unique_ptr<testing::TestCluster> cluster_;
  std::unique_ptr<HistoryLoad> load_;
  int tablets_ = 0;
  CutVerdict total_;
  std::chrono::milliseconds judging_{0};
  ScenarioReport report_;
};

// A report of nothing but why the scenario could not begin.
ScenarioReport NotBegun(const Status& status);

// On a thread of its own, with which the namespaces that it enters go, and their mounts.
ScenarioReport OnThreadOfItsOwn(auto run) {
  ScenarioReport report;
  std::thread([&] { report = run(); }).join();
  return report;
}

}  // namespace ebla::chaos
