#include "master/testing/master_rig.h"

#include <algorithm>
#include <set>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "master/leader/leader_term.h"

namespace ebla::master::testing {

using coordination::DecodeNode;
namespace layout = coordination::layout;

void SteppedCoordinator::Get(std::string path, GetDone done, Watch watch) {
  inner_->Get(std::move(path), std::move(done), std::move(watch));
}

void SteppedCoordinator::Exists(std::string path, coordination::Callback<Result<bool>> done, Watch watch) {
  inner_->Exists(std::move(path), std::move(done), std::move(watch));
}

void SteppedCoordinator::Children(std::string path, coordination::Callback<Result<std::vector<std::string>>> done,
                                  Watch watch) {
  inner_->Children(std::move(path), std::move(done), std::move(watch));
}

void SteppedCoordinator::Multi(
    std::vector<coordination::Op> ops,
    coordination::Callback<std::expected<coordination::MultiResult, coordination::MultiError>> done) {
  const auto unknown = [] {
    return std::unexpected(coordination::MultiError{Error(Code::kUnknownOutcome, "the connection broke"), -1, false});
  };
  switch (cluster_.faults().Step(master_)) {
    case Fault::kNone:
    case Fault::kServerDies: break;
    case Fault::kDieBefore: return cluster_.Die(master_);
    case Fault::kDieAfter: done = [this](auto) { cluster_.Die(master_); }; break;
    case Fault::kLoseRequest: ops = {coordination::Op::Check("/", coordination::kAnyVersion)}; [[fallthrough]];
    case Fault::kLoseOutcome: done = [done = std::move(done), unknown](auto) mutable { done(unknown()); }; break;
  }
  inner_->Multi(std::move(ops), std::move(done));
}

// The control service of one server as one master reaches it: a network of a few milliseconds.
class MasterRig::StepConnection final : public idl::ControlServiceCobSvIf {
 public:
  StepConnection(MasterRig& cluster, size_t master, uint16_t port) : cluster_(cluster), master_(master), port_(port) {}

  void configure(std::function<void(const idl::ConfigureReply&)> cob, const idl::ConfigureRequest& request) override {
    Forward(&idl::ControlServiceCobSvIf::configure, std::move(cob), request);
  }
  void fence(std::function<void(const idl::FenceReply&)> cob, const idl::FenceRequest& request) override {
    Forward(&idl::ControlServiceCobSvIf::fence, std::move(cob), request);
  }
  void drop(std::function<void(const idl::DropReply&)> cob, const idl::DropRequest& request) override {
    Forward(&idl::ControlServiceCobSvIf::drop, std::move(cob), request);
  }
  void transfer(std::function<void(const idl::TransferReply&)> cob, const idl::TransferRequest& request) override {
    Forward(&idl::ControlServiceCobSvIf::transfer, std::move(cob), request);
  }
  void split(std::function<void(const idl::SplitReply&)> cob, const idl::SplitRequest& request) override {
    Forward(&idl::ControlServiceCobSvIf::split, std::move(cob), request);
  }
  void freeze(std::function<void(const idl::FreezeReply&)> cob, const idl::FreezeRequest& request) override {
    Forward(&idl::ControlServiceCobSvIf::freeze, std::move(cob), request);
  }
  void alter(std::function<void(const idl::AlterReply&)> cob, const idl::AlterRequest& request) override {
    Forward(&idl::ControlServiceCobSvIf::alter, std::move(cob), request);
  }
  void dropTableData(std::function<void(const idl::DropTableReply&)> cob,
                     const idl::DropTableRequest& request) override {
    Forward(&idl::ControlServiceCobSvIf::dropTableData, std::move(cob), request);
  }
  void compactTableData(std::function<void(const idl::CompactReply&)> cob,
                        const idl::CompactRequest& request) override {
    Forward(&idl::ControlServiceCobSvIf::compactTableData, std::move(cob), request);
  }
  void scrub(std::function<void(const idl::ScrubReply&)> cob, const idl::ScrubRequest& request) override {
    Forward(&idl::ControlServiceCobSvIf::scrub, std::move(cob), request);
  }
  void acceptClock(std::function<void(const idl::AcceptClockReply&)> cob,
                   const idl::AcceptClockRequest& request) override {
    Forward(&idl::ControlServiceCobSvIf::acceptClock, std::move(cob), request);
  }

 private:
  template <class Reply, class Request>
  void Forward(void (idl::ControlServiceCobSvIf::*method)(std::function<void(const Reply&)>, const Request&),
               std::function<void(const Reply&)> cob, const Request& request) {
    const Fault fault = cluster_.faults().Step(master_);
    if (fault == Fault::kDieBefore) return cluster_.Die(master_);
    MasterRig& cluster = cluster_;
    const auto delay = [&cluster] {
      return Duration(std::chrono::microseconds(100 + cluster.scheduler_.Random(2'000)));
    };
    // Answered once: by the server, or by the patience of the master's stub.
    auto answered = std::make_shared<bool>(false);
    const auto answer = [=, master = master_, &cluster](const Reply& reply) {
      if (std::exchange(*answered, true)) return;
      if (fault == Fault::kDieAfter) return cluster.Die(master);
      Reply heard = reply;
      if (fault == Fault::kLoseRequest || fault == Fault::kLoseOutcome) {
        heard = {};
        heard.status.code = idl::Code::UNKNOWN_OUTCOME;
      }
      // To the life that asked: an executor that has gone forgets.
      if (!cluster.masters_[master].executor) return;
      cluster.masters_[master].executor->After(delay(), [cob, heard] { cob(heard); });
    };
    Reply none;
    none.status.code = idl::Code::UNAVAILABLE;
    none.status.message = "not reached";
    cluster.world_.After(delay(), [=, port = port_, &cluster] {
      FakeServer* receiver = nullptr;
      for (auto& server : cluster.servers_) {
        if (server->port() == port && server->running()) receiver = server.get();
      }
      if (!receiver || fault == Fault::kLoseRequest) return answer(none);
      if (!receiver->deaf) (receiver->*method)(answer, request);
    });
    cluster.world_.After(5s, [=] { answer(none); });
  }

  MasterRig& cluster_;
  const size_t master_;
  const uint16_t port_;
};

MasterRig::MasterRig(Shape shape)
    : balance_(shape.balance),
      autoscaling_(shape.autoscaling),
      replicas_default_(shape.replicas_default),
      repair_every_(shape.repair_every),
      feature_level_(shape.feature_level),
      scheduler_(shape.seed) {
  coordination_ = std::make_unique<coordination::SimCoordination>(scheduler_);
  masters_.resize(shape.masters);
  for (size_t i = 0; i < shape.masters; ++i) StartMaster(i);
  for (size_t i = 0; i < shape.servers; ++i) {
    servers_.push_back(std::make_unique<FakeServer>(
        scheduler_, *coordination_, ledger_, "ts-" + std::to_string(i + 1), static_cast<uint16_t>(9'000 + 10 * i),
        FakePeers{[this](const std::string& name) { return Running(name); },
                  [this](const std::string& a, const std::string& b) { return cut_.contains(std::minmax(a, b)); }},
        [this](const idl::HeartbeatRequest& request) { Heartbeat(request); }));
    if (shape.racks > 0) servers_.back()->rack = "rack-" + std::to_string(i % shape.racks);
    servers_.back()->feature_level = feature_level_;
    if (i < shape.servers - shape.asleep) servers_.back()->Start();
  }
}

MasterRig::~MasterRig() {
  for (size_t i = 0; i < masters_.size(); ++i) KillMaster(i);
  servers_.clear();
}

FakeServer* MasterRig::Running(const std::string& name) {
  for (auto& server : servers_) {
    if (server->name() == name && server->running()) return server.get();
  }
  return nullptr;
}

void MasterRig::StartMaster(size_t index, const std::string& name) {
  TestMaster& life = masters_[index];
  life.executor = std::make_unique<ebla::testing::SimExecutor>(scheduler_);
  life.coordinator = std::make_unique<SteppedCoordinator>(*this, index, coordination_->NewClient(*life.executor));
  MasterOptions options;
  options.name = name.empty() ? "master-" + std::to_string(index + 1) : name;
  options.version = "test";
  options.balance = balance_;
  options.planner.autoscale = autoscaling_.options;
  options.scale_out_command = "start one";
  options.scale_in_command = "end one";
  options.replicas_default = replicas_default_;
  options.repair_every = repair_every_;
  options.features = std::make_shared<Features>(feature_level_);
  life.master = std::make_unique<Master>(options, *life.executor, *life.coordinator, Connect(index), autoscaling_.run);
  const rpc::Endpoint endpoint{"10.0.0.1", static_cast<uint16_t>(7'400 + 10 * index)};
  life.refused = {};
  life.executor->Post([master = life.master.get(), endpoint, &life] {
    master->Start(endpoint, [&life](const Status& why) { life.refused = why; });
  });
}

void MasterRig::KillMaster(size_t index) {
  TestMaster& life = masters_[index];
  life.master.reset();
  life.coordinator.reset();
  life.executor.reset();
}

ControlConnect MasterRig::Connect(size_t master) {
  return [this, master](const rpc::Endpoint& endpoint) {
    return std::make_shared<StepConnection>(*this, master, endpoint.port);
  };
}

void MasterRig::Heartbeat(const idl::HeartbeatRequest& request) {
  for (TestMaster& life : masters_) {
    if (!life.executor) continue;
    life.executor->After(std::chrono::microseconds(100 + scheduler_.Random(2'000)),
                         [service = life.master->service(), request] {
                           service->heartbeat([](const idl::HeartbeatReply&) {}, request);
                         });
  }
}

void MasterRig::Die(size_t master) {
  world_.Post([this, master] { KillMaster(master); });
}

void MasterRig::CrashServer(size_t index, Duration away) {
  world_.Post([this, index, away] {
    FakeServer& server = *servers_[index];
    if (!server.running()) return;
    server.Stop();
    world_.After(away, [&server] {
      if (!server.running()) server.Start();
    });
  });
}

void StepFaults::StrikeAt(Fault fault, size_t number) {
  fault_ = fault;
  strike_at_ = number;
  steps_ = 0;
  struck_ = false;
  victim_ = rig_.Leader().value();
}

void StepFaults::KillServerAt(size_t server, size_t number, Duration away) {
  StrikeAt(Fault::kServerDies, number);
  victim_ = server;
  away_ = away;
}

Fault StepFaults::Step(size_t master) {
  const bool any = fault_ == Fault::kServerDies;
  if (fault_ == Fault::kNone || (!any && master != victim_) || struck_ || ++steps_ != strike_at_) return Fault::kNone;
  struck_ = true;
  if (!any) return fault_;
  rig_.CrashServer(victim_, away_);
  return Fault::kNone;
}

std::optional<size_t> MasterRig::Leader() const {
  for (size_t i = 0; i < masters_.size(); ++i) {
    if (masters_[i].master && masters_[i].master->Stats().ready) return i;
  }
  return std::nullopt;
}

bool MasterRig::WaitForLeader() {
  return RunUntil([&] { return Leader().has_value(); });
}

bool MasterRig::WaitForServers() {
  return RunUntil([&] {
    const auto leader = Leader();
    if (!leader) return false;
    return masters_[*leader].master->leader_term()->servers().live_count() == RunningServers();
  });
}

size_t MasterRig::RunningServers() const {
  return static_cast<size_t>(std::ranges::count_if(servers_, [](const auto& server) { return server->running(); }));
}

idl::CreateTableReply MasterRig::Create(const std::string& name, std::vector<std::string> points,
                                        idl::TableOptions options) {
  idl::CreateTableRequest request;
  request.name = name;
  request.splitPoints = std::move(points);
  request.options = std::move(options);
  return Call(&idl::MasterServiceCobSvIf::createTable, request).value();
}

idl::SplitTabletReply MasterRig::Split(const std::string& table, const std::string& key, int32_t deadline_ms) {
  idl::SplitTabletRequest request;
  request.table = table;
  request.key = key;
  request.deadlineMs = deadline_ms;
  return Call<idl::SplitTabletReply>(&idl::MasterServiceCobSvIf::splitTablet, request)
      .value_or(idl::SplitTabletReply());
}

idl::DropTableByNameReply MasterRig::Drop(const std::string& name) {
  idl::DropTableByNameRequest request;
  request.name = name;
  return Call(&idl::MasterServiceCobSvIf::dropTable, request).value();
}

idl::AlterTableReply MasterRig::Alter(const std::string& name, idl::TableOptions options) {
  idl::AlterTableRequest request;
  request.name = name;
  request.options = std::move(options);
  return Call(&idl::MasterServiceCobSvIf::alterTable, request).value();
}

idl::DescribeTableReply MasterRig::Describe(const std::string& name) {
  idl::DescribeTableRequest request;
  request.name = name;
  return Call(&idl::MasterServiceCobSvIf::describeTable, request).value();
}

idl::LocateReply MasterRig::Locate(int64_t table, std::string start, std::string end, int limit) {
  idl::LocateRequest request;
  request.tableId = table;
  request.range.startKey = std::move(start);
  request.range.endKey = std::move(end);
  request.limit = limit;
  return Call(&idl::MasterServiceCobSvIf::locate, request).value();
}

std::optional<idl::TableNode> MasterRig::TableNode(const std::string& name) const {
  auto node = coordination_->tree().Get(layout::TablePath(name));
  if (!node) return std::nullopt;
  return DecodeNode<idl::TableNode>(node->data).value();
}

std::map<int64_t, idl::TabletInfo> MasterRig::Tablets() const {
  std::map<int64_t, idl::TabletInfo> tablets;
  for (const auto& [path, entry] : coordination_->tree().nodes()) {
    const std::string shard = std::string(layout::kTablets) + "/00/";
    if (!path.starts_with(std::string(layout::kTablets) + "/") || path.size() <= shard.size()) continue;
    auto node = DecodeNode<idl::TabletNode>(entry.data).value();
    tablets[node.info.tabletId] = node.info;
  }
  return tablets;
}

int64_t MasterRig::NextId() const {
  return DecodeNode<idl::NextIdNode>(coordination_->tree().Get(layout::kNextId)->data)->nextId;
}

std::string MasterRig::WhyNotFollowing(const std::string& voter, const idl::TabletInfo& info,
                                       const idl::TableSchema& schema) {
  const FakeServer* server = Running(voter);
  if (!server) return voter + " does not run";
  const auto found = server->replicas().find(info.tabletId);
  if (found == server->replicas().end()) return voter + " has no replica";
  const FakeServer::Replica& replica = found->second;
  if (replica.epoch != info.epoch || replica.primary != info.primary) {
    return voter + " follows " + replica.primary + " in epoch " + std::to_string(replica.epoch);
  }
  if (replica.incomplete) return voter + " is incomplete";
  if (replica.range != info.range) return voter + " has another range";
  if (replica.schema_version != schema.schemaVersion) return voter + " has an older schema";
  return "";
}

std::string MasterRig::WhyNotServing(const std::string& name) {
  const auto table = TableNode(name);
  if (!table) return "no table " + name;
  if (table->state != idl::TableState::SERVING) return "the table is not SERVING";
  if (!table->pendingSplitPoints.empty()) return "the intent is still there";
  std::map<std::string, idl::TabletInfo> by_start;
  const auto tablets = Tablets();
  for (const auto& [id, info] : tablets) {
    if (id >= NextId()) return "a tablet beyond the next id";
    if (info.tableId != table->schema.tableId) continue;
    const std::string which = "tablet " + std::to_string(id);
    if (!by_start.emplace(info.range.startKey, info).second) return which + " begins where another does";
    if (info.state != idl::TabletState::SERVING) return which + " is not SERVING";
    const FakeServer* primary = Running(info.primary);
    if (!primary || !primary->Leads(id, info.epoch)) {
      return which + " has not primary " + info.primary + " in epoch " + std::to_string(info.epoch);
    }
    if (primary->replicas().at(id).freeze) return which + " is frozen";
    if (std::ranges::find(info.voters, info.primary) == info.voters.end()) return which + "'s primary does not vote";
    const size_t wanted = std::min(static_cast<size_t>(table->schema.options.replicas), RunningServers());
    if (info.voters.size() != wanted || !info.learners.empty()) {
      return which + " has " + std::to_string(info.voters.size()) + " voters of " + std::to_string(wanted) + ", and " +
             std::to_string(info.learners.size()) + " learners";
    }
    for (const std::string& voter : info.voters) {
      if (std::string why = WhyNotFollowing(voter, info, table->schema); !why.empty()) return which + ": " + why;
    }
  }
  std::string at;
  for (const auto& [start, info] : by_start) {
    if (start != at) return "a gap before " + start;
    at = info.range.endKey;
  }
  if (by_start.empty() || !at.empty()) return "the ranges do not cover all keys";
  for (const auto& server : servers_) {
    if (!server->running()) continue;
    for (const auto& [id, replica] : server->replicas()) {
      const auto tablet = tablets.find(id);
      const bool wanted = tablet != tablets.end() && (std::ranges::count(tablet->second.voters, server->name()) > 0 ||
                                                      std::ranges::count(tablet->second.learners, server->name()) > 0);
      if (!wanted) return server->name() + " holds an orphan";
    }
  }
  return "";
}

std::string MasterRig::Remains(int64_t table_id) {
  for (const auto& [id, info] : Tablets()) {
    if (info.tableId == table_id) return "the znode of tablet " + std::to_string(id);
  }
  for (const auto& [path, entry] : coordination_->tree().nodes()) {
    if (!path.starts_with(std::string(layout::kTables) + "/")) continue;
    if (DecodeNode<idl::TableNode>(entry.data)->schema.tableId == table_id) return "the znode of the table";
  }
  for (const auto& server : servers_) {
    if (server->tables().contains(table_id)) return server->name() + " holds its data";
    for (const auto& [id, replica] : server->replicas()) {
      if (replica.table == table_id) return server->name() + " holds tablet " + std::to_string(id);
    }
  }
  return "";
}

}  // namespace ebla::master::testing
