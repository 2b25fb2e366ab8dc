// master/testing/master_rig.h
// Masters and fake tablet servers over the simulated coordinator, in virtual time from one seed. step_faults.h makes
// their steps fail.
// Threads: one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/coordination/sim_coordinator.h"
#include "common/testing/sim_executor.h"
#include "master/host/master_host.h"
#include "master/testing/fake_server.h"
#include "master/testing/step_faults.h"

namespace ebla::master::testing {

using namespace std::chrono_literals;

class MasterRig;

inline idl::TableOptions WithReplicas(int count) {
  idl::TableOptions options;
  options.__set_replicas(count);
  return options;
}

// A coordinator that counts its Multis as steps.
class SteppedCoordinator final : public coordination::Coordinator {
 public:
  SteppedCoordinator(MasterRig& cluster, size_t master, std::unique_ptr<coordination::SimCoordinator> inner)
      : cluster_(cluster), master_(master), inner_(std::move(inner)) {}

  using GetDone = coordination::Callback<Result<coordination::Node>>;
  void Get(std::string path, GetDone done, Watch watch) override;
  void Exists(std::string path, coordination::Callback<Result<bool>> done, Watch watch) override;
  void Children(std::string path, coordination::Callback<Result<std::vector<std::string>>> done, Watch watch) override;
  void Multi(std::vector<coordination::Op> ops,
             coordination::Callback<std::expected<coordination::MultiResult, coordination::MultiError>> done) override;
  int64_t session() const override { return inner_->session(); }
  coordination::SessionState state() const override { return inner_->state(); }
  uint64_t Listen(std::function<void(coordination::SessionState)> listener) override {
    return inner_->Listen(std::move(listener));
  }
  void Forget(uint64_t listener) override { inner_->Forget(listener); }
  coordination::SimCoordinator& inner() { return *inner_; }

 private:
  MasterRig& cluster_;
  const size_t master_;
  std::unique_ptr<coordination::SimCoordinator> inner_;
};

struct TestMaster {
  std::unique_ptr<ebla::testing::SimExecutor> executor;
  std::unique_ptr<SteppedCoordinator> coordinator;
  std::unique_ptr<Master> master;
  Status refused;
};

// Masters that ask for servers and release them: every scale command is handed to `run`.
struct Autoscaling {
  AutoscaleOptions options;  // off by default
  CommandRunner run;
};

class MasterRig {
 public:
  struct Shape {
    size_t masters = 2;
    size_t servers = 3;
    size_t asleep = 0;     // the last so many servers are not started
    size_t racks = 0;      // servers go to them in turn; 0: they name none
    bool balance = false;  // of load
    Autoscaling autoscaling = {};
    int replicas_default = MasterOptions().replicas_default;
    Duration repair_every = MasterOptions().repair_every;
    uint64_t seed = 1;
    int feature_level = kFeatureLevel;  // that all speak
  };

  explicit MasterRig(Shape shape);
  ~MasterRig();

  ebla::testing::SimScheduler& scheduler() { return scheduler_; }
  coordination::SimCoordination& coordination() { return *coordination_; }
  FakeServer& server(size_t index) { return *servers_[index]; }
  std::vector<std::unique_ptr<FakeServer>>& servers() { return servers_; }
  TestMaster& master(size_t index) { return masters_[index]; }
  EpochLedger& ledger() { return ledger_; }

  // Two servers reach each other no more, or again.
  void Cut(size_t a, size_t b) { Cut(servers_[a]->name(), servers_[b]->name()); }
  void Cut(const std::string& a, const std::string& b) { cut_.insert(std::minmax(a, b)); }
  void Mend() { cut_.clear(); }

  void StartMaster(size_t index, const std::string& name = "");  // empty: a name of its own
  // The level of masters started from now on.
  void SpeakLevel(int level) { feature_level_ = level; }
  // Why the cluster has refused it; OK: it has not.
  const Status& Refused(size_t index) const { return masters_[index].refused; }
  void KillMaster(size_t index);
  // The master that leads and is ready; none at present: nullopt.
  std::optional<size_t> Leader() const;
  bool WaitForLeader();
  size_t RunningServers() const;
  bool WaitForServers();  // every running server lives in the leader's view
  bool RunUntil(std::function<bool()> done, Duration limit = 60s) { return scheduler_.RunUntil(done, limit); }

  StepFaults& faults() { return faults_; }
  // The server, if it runs, dies and restarts.
  void CrashServer(size_t index, Duration away);

  // Calls of one master's service, answered or not within `limit` of virtual time.
  template <class Reply, class Request>
  std::optional<Reply> CallMaster(size_t index,
                                  void (idl::MasterServiceCobSvIf::*method)(std::function<void(const Reply&)>,
                                                                            const Request&),
                                  const Request& request, Duration limit = 30s) {
    auto answer = std::make_shared<std::optional<Reply>>();
    masters_[index].executor->Post([service = masters_[index].master->service(), method, request, answer] {
      (service.get()->*method)([answer](const Reply& reply) { *answer = reply; }, request);
    });
    scheduler_.RunUntil([&] { return answer->has_value(); }, limit);
    return *answer;
  }
  // The same at the leading master, after waiting for one.
  template <class Reply, class Request>
  std::optional<Reply> Call(void (idl::MasterServiceCobSvIf::*method)(std::function<void(const Reply&)>,
                                                                      const Request&),
                            const Request& request, Duration limit = 30s) {
    if (!WaitForLeader()) return std::nullopt;
    return CallMaster(*Leader(), method, request, limit);
  }

  idl::CreateTableReply Create(const std::string& name, std::vector<std::string> points = {},
                               idl::TableOptions options = {});
  idl::DropTableByNameReply Drop(const std::string& name);
  // An empty reply if no master answers; deadline_ms 0: the master's own.
  idl::SplitTabletReply Split(const std::string& table, const std::string& key, int32_t deadline_ms = 0);
  idl::AlterTableReply Alter(const std::string& name, idl::TableOptions options);
  idl::DescribeTableReply Describe(const std::string& name);
  idl::LocateReply Locate(int64_t table, std::string start = "", std::string end = "", int limit = 0);

  // The table's faults, by the coordinator's own tree and the servers; empty: it serves whole. Also checks that no
  // tablet id is used twice or reaches the next id, and that every replica is in the catalog.
  std::string WhyNotServing(const std::string& table);
  // The remains of a table that must be gone; empty: none.
  std::string Remains(int64_t table_id);
  std::optional<idl::TableNode> TableNode(const std::string& name) const;
  std::map<int64_t, idl::TabletInfo> Tablets() const;
  int64_t NextId() const;

  // ---- for SteppedCoordinator and StepConnection ----
  void Die(size_t master);

 private:
  class StepConnection;
  ControlConnect Connect(size_t master);
  void Heartbeat(const idl::HeartbeatRequest& request);
  FakeServer* Running(const std::string& name);
  // The fault of a voter; empty: it follows, or leads, as in the catalog.
  std::string WhyNotFollowing(const std::string& voter, const idl::TabletInfo& info, const idl::TableSchema& schema);

  const bool balance_;
  const Autoscaling autoscaling_;
  const int replicas_default_;
  const Duration repair_every_;
  int feature_level_;
  ebla::testing::SimScheduler scheduler_;
  ebla::testing::SimExecutor world_{scheduler_};
  std::unique_ptr<coordination::SimCoordination> coordination_;
  EpochLedger ledger_;
  std::vector<TestMaster> masters_;
  std::vector<std::unique_ptr<FakeServer>> servers_;
  StepFaults faults_{*this};
  std::set<std::pair<std::string, std::string>> cut_;  // servers that do not reach each other, in order of name
};

}  // namespace ebla::master::testing
