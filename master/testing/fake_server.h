// master/testing/fake_server.h
// A tablet server as the master sees it, in virtual time: registers with the coordinator, sends heartbeats, and obeys
// orders by PROTOCOL's rules with one voter. What must be durable survives Stop() and Start(); the rest does not.
// Invariants: it checks the master: an epoch of a tablet is led at most once (EpochLedger), nothing is created but born.
// Threads:    one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/coordination/registration.h"
#include "common/coordination/sim_coordinator.h"
#include "common/testing/sim_executor.h"
#include "idl/ControlService.h"
#include "idl/MasterService.h"

namespace ebla::master::testing {

// Who led which epoch: one process only, ever.
class EpochLedger {
 public:
  void Led(int64_t tablet, int64_t epoch, const std::string& who);
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  std::map<std::pair<int64_t, int64_t>, std::string> leaders_;
  std::vector<std::string> violations_;
};

class FakeServer final : public idl::ControlServiceCobSvIf {
 public:
  struct Replica {
    idl::KeyRange range;
    int64_t table = 0;
    int64_t promised = 0;
    int64_t led = 0;
    idl::LogPosition last;
    // Volatile.
    int64_t leading = 0;  // the epoch, 0: none
    int64_t schema_version = 0;
  };
  using SendHeartbeat = std::function<void(const idl::HeartbeatRequest&)>;

  FakeServer(ebla::testing::SimScheduler& scheduler, coordination::SimCoordination& coordination, EpochLedger& ledger,
             std::string name, uint16_t port, SendHeartbeat heartbeat);
  ~FakeServer() override;

  void Start();
  void Stop();  // a crash
  bool running() const { return executor_ != nullptr; }
  coordination::SimCoordinator& coordinator() { return *coordinator_; }

  const std::string& name() const { return name_; }
  uint16_t port() const { return port_; }
  int64_t incarnation() const { return incarnation_; }
  const std::map<int64_t, Replica>& replicas() const { return replicas_; }
  std::map<int64_t, Replica>& mutable_replicas() { return replicas_; }
  const std::set<int64_t>& tables() const { return tables_; }
  bool Leads(int64_t tablet, int64_t epoch) const;

  // A tablet's orders are refused with this until cleared.
  std::map<int64_t, idl::Code::type> refuse_configure;

  void configure(std::function<void(const idl::ConfigureReply&)> cob, const idl::ConfigureRequest& request) override;
  void fence(std::function<void(const idl::FenceReply&)> cob, const idl::FenceRequest& request) override;
  void drop(std::function<void(const idl::DropReply&)> cob, const idl::DropRequest& request) override;
  void transfer(std::function<void(const idl::TransferReply&)> cob, const idl::TransferRequest& request) override;
  void alter(std::function<void(const idl::AlterReply&)> cob, const idl::AlterRequest& request) override;
  void dropTableData(std::function<void(const idl::DropTableReply&)> cob,
                     const idl::DropTableRequest& request) override;

 private:
  idl::Status Check(const idl::ControlHeader& header);
  idl::ConfigureResult ConfigureOne(const idl::ConfigureTablet& order);
  void Beat();

  ebla::testing::SimScheduler& scheduler_;
  coordination::SimCoordination& coordination_;
  EpochLedger& ledger_;
  const std::string name_;
  const uint16_t port_;
  const SendHeartbeat heartbeat_;

  // Durable.
  int64_t incarnation_ = 0;
  std::string cluster_id_;
  std::map<int64_t, Replica> replicas_;
  std::map<int64_t, int64_t> promises_;    // of unknown tablets
  std::map<int64_t, int64_t> tombstones_;  // tablet -> epoch
  std::set<int64_t> tables_;
  int64_t term_ = 0;

  // While it runs.
  std::unique_ptr<ebla::testing::SimExecutor> executor_;
  std::unique_ptr<coordination::SimCoordinator> coordinator_;
  std::unique_ptr<coordination::ServerRegistration> registration_;
};

}  // namespace ebla::master::testing
