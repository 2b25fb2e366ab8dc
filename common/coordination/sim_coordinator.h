// common/coordination/sim_coordinator.h
// The coordinator of the simulator: one service in virtual time, reached by any number of clients over links that delay
// and break. Everything is drawn from the scheduler's seed.
// Place:      tests/sim and the tests of hosts.
// Faults:     Disconnect (the client connects again by itself after a while, or is held off), Expire (the session ends
//             at the service; the client learns it on its next contact), an outage of the service (no session ends
//             while it lasts), Restore of an older snapshot (PROTOCOL 24).
// Threads:    everything on one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/coordination/coordinator.h"
#include "common/coordination/znode_tree.h"
#include "common/testing/sim_executor.h"

namespace ebla::coordination {

class SimCoordinator;

class SimCoordination {
 public:
  struct Options {
    Duration delay_min = std::chrono::microseconds(200);  // one way
    Duration delay_max = std::chrono::milliseconds(3);
    Duration session_timeout = std::chrono::seconds(6);
    Duration operation_timeout = std::chrono::seconds(5);
    Duration reconnect_delay = std::chrono::milliseconds(200);
  };

  SimCoordination(testing::SimScheduler& scheduler, Options options);
  explicit SimCoordination(testing::SimScheduler& scheduler) : SimCoordination(scheduler, Options()) {}
  ~SimCoordination();

  // A client for one simulated process; destroying it is that process's crash, so its session ends only after the
  // timeout. Clients are destroyed before the service and before their executor.
  std::unique_ptr<SimCoordinator> NewClient(testing::SimExecutor& executor);

  // The service answers no client until it is available again; sessions then have a full timeout to return.
  void SetAvailable(bool available);
  bool available() const;

  // The persistent nodes as they are now; and back to those, ending every session: a restart from an older snapshot.
  ZnodeTree::Snapshot TakeSnapshot() const;
  void Restore(ZnodeTree::Snapshot snapshot);

  // The service's state without any link, for checkers.
  const ZnodeTree& tree() const;

 private:
  friend class SimCoordinator;
  class Service;
  std::shared_ptr<Service> service_;
};

class SimCoordinator final : public Coordinator {
 public:
  ~SimCoordinator() override;

  void Get(std::string path, Callback<Result<Node>> done, Watch watch) override;
  void Exists(std::string path, Callback<Result<bool>> done, Watch watch) override;
  void Children(std::string path, Callback<Result<std::vector<std::string>>> done, Watch watch) override;
  void Multi(std::vector<Op> ops, Callback<std::expected<MultiResult, MultiError>> done) override;
  int64_t session() const override;
  SessionState state() const override;
  uint64_t Listen(std::function<void(SessionState)> listener) override;
  void Forget(uint64_t listener) override;

  // The link breaks: what was in flight is lost or was done, by chance. It connects again after reconnect_delay.
  void Disconnect();
  // While held off, it cannot connect: its session ends when that lasts longer than the session timeout.
  void HoldOff(bool held);
  // The session ends at the service now.
  void Expire();

 private:
  friend class SimCoordination;
  class Link;
  explicit SimCoordinator(std::shared_ptr<Link> link);
  std::shared_ptr<Link> link_;
};

}  // namespace ebla::coordination
