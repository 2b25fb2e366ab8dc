#include "tabletserver/testing/host_fixture.h"

#include <utility>

#include "tabletserver/testing/fixture_parts.h"
#include "tabletserver/testing/test_functions.h"

namespace ebla::tabletserver {

void ListeningMaster::heartbeat(std::function<void(const idl::HeartbeatReply&)> cob,
                                const idl::HeartbeatRequest& request) {
  last = request;
  ++heartbeats;
  idl::HeartbeatReply reply;
  reply.masterTerm = term;
  reply.clusterLevel = cluster_level;
  if (next_id) reply.__set_nextId(*next_id);
  if (day_ms) {
    reply.timeOfDayMs = day_ms();
    reply.boot = "the master's";
  }
  cob(reply);
}

namespace {

class LocalChannel : public rpc::Channel {
 public:
  LocalChannel(const rpc::Dispatcher& dispatcher, Executor& executor) : dispatcher_(dispatcher), executor_(executor) {}

  void Call(rpc::EncodedCall call, Duration, Done done) override {
    executor_.Post([this, message = std::move(call.message), done = std::move(done)]() mutable {
      dispatcher_.Dispatch(message, [done = std::move(done)](Result<std::string_view> reply) mutable {
        if (reply) {
          done(std::string(*reply));
        } else {
          done(Error(reply.error()));
        }
      });
    });
  }

 private:
  const rpc::Dispatcher& dispatcher_;
  Executor& executor_;
};

}  // namespace

std::shared_ptr<rpc::Channel> LocalConnector::Connect(const rpc::Endpoint&, Executor& executor) {
  return std::make_shared<LocalChannel>(dispatcher_, executor);
}

HostFixture::HostFixture(int cluster_level) : admin_(coordination_.NewClient(world_)) {
  master_->cluster_level = cluster_level;
  master_dispatcher_.Register(master_);
  bool made = false;
  admin_->Multi(FirstNodes(kCluster, {"127.0.0.1", 7400}, cluster_level),
                [&](auto result) { made = result.has_value(); });
  EXPECT_TRUE(Until([&] { return made; }));
  options_.shard.functions = TestFunctions();
  options_.on_refused = [this](const Status& status) { refused_ = status; };
}

HostFixture::~HostFixture() {
  if (server_ != nullptr) CrashServer();
}

void HostFixture::StartServer() {
  BeginServer();
  ASSERT_TRUE(Until([&] { return server_->Registered() || !refused_.ok(); }));
}

void HostFixture::BeginServer() {
  executor_ = std::make_unique<testing::SimExecutor>(scheduler_, time_of_day_ms_);
  stored_ = std::make_unique<SimulatedStore>(
      disk_, *executor_, SimulatedStore::Options{.loss = lost_ ? std::optional(LogLoss()) : std::nullopt});
  store_ = &**stored_;
  coordinator_ = coordination_.NewClient(*executor_);
  options_.identity = {
      .uuid = "u-1", .name = "ts-1", .cluster_id = kCluster, .incarnation = Incarnation{++incarnation_}};
  server_ = std::make_unique<TabletServer>(
      TabletServerPorts{
          {executor_.get()}, {executor_.get()}, {}, *executor_, *executor_, *store_, *coordinator_, connector_},
      options_);
  ASSERT_TRUE(server_->Recover().ok());
  server_->Start({"127.0.0.1", 7410}, {"127.0.0.1", 7411});
}

void HostFixture::CrashServer(SimulatedDisk::CrashKind kind) {
  server_.reset();  // no task runs until the executor, too, is gone and has forgotten them all
  coordinator_.reset();
  stored_.reset();
  executor_.reset();
  disk_.Crash(kind);
}

// ---- the master's orders --------------------------------------------------------------------------------------------

idl::ControlHeader HostFixture::ControlTo() const {
  idl::ControlHeader header;
  header.clusterId = kCluster;
  header.masterTerm = 1;
  header.toServer = "ts-1";
  header.toIncarnation = static_cast<int64_t>(incarnation_);
  return header;
}

idl::TableSchema HostFixture::Schema(int64_t version) const {
  idl::TableSchema schema;
  schema.tableId = kTable;
  schema.name = "carts";
  schema.schemaVersion = version;
  return schema;
}

idl::ConfigureTablet HostFixture::NewTablet(int64_t tablet, std::string start, std::string end, int64_t epoch) const {
  idl::ConfigureTablet configure;
  configure.tabletId = tablet;
  configure.epoch = epoch;
  configure.range.startKey = std::move(start);
  configure.range.endKey = std::move(end);
  configure.primary = "ts-1";
  configure.voters = {"ts-1"};
  configure.schema = Schema();
  configure.born = true;
  configure.fenced = epoch > 1;
  return configure;
}

idl::ConfigureReply HostFixture::Configure(std::vector<idl::ConfigureTablet> tablets) {
  idl::ConfigureRequest request;
  request.header = ControlTo();
  request.tablets = std::move(tablets);
  return Await<idl::ConfigureReply>([&](auto cob) { server_->control_service()->configure(std::move(cob), request); });
}

idl::FenceReply HostFixture::Fence(int64_t tablet, int64_t epoch) {
  const auto request = OrderOf<idl::FenceRequest>(ControlTo(), tablet, epoch);
  return Await<idl::FenceReply>([&](auto cob) { server_->control_service()->fence(std::move(cob), request); });
}

idl::DropReply HostFixture::Drop(int64_t tablet, int64_t epoch) {
  const auto request = OrderOf<idl::DropRequest>(ControlTo(), tablet, epoch);
  return Await<idl::DropReply>([&](auto cob) { server_->control_service()->drop(std::move(cob), request); });
}

idl::AlterReply HostFixture::Alter(const idl::TableSchema& schema) {
  idl::AlterRequest request;
  request.header = ControlTo();
  request.schema = schema;
  return Await<idl::AlterReply>([&](auto cob) { server_->control_service()->alter(std::move(cob), request); });
}

void HostFixture::MakeTablet(int64_t tablet, std::string start, std::string end, int64_t epoch) {
  const idl::ConfigureReply reply = Configure({NewTablet(tablet, start, end, epoch)});
  ASSERT_EQ(reply.status.code, idl::Code::OK) << reply.status.message;
  ASSERT_EQ(reply.results.at(0).status.code, idl::Code::OK) << reply.results[0].status.message;
  const auto serves = [&] {
    const auto snapshot = server_->directory().snapshot();
    const auto* handle = snapshot->FindForScan(TableId{kTable}, KeyRange{start, end}, false);
    const auto view = handle == nullptr ? nullptr : (*handle)->view();
    if (view == nullptr || view->tablet.value != static_cast<uint64_t>(tablet) || !view->barrier_applied) return false;
    learnt_ms_ = static_cast<int64_t>(view->time.at.value);  // as a routing answer would bring it
    return true;
  };
  ASSERT_TRUE(Until(serves));
}

// ---- a client's calls -----------------------------------------------------------------------------------------------

idl::RequestHeader HostFixture::Header() const {
  idl::RequestHeader header;
  header.tableId = kTable;
  return header;
}

idl::GetReply HostFixture::Get(const std::string& key, idl::ReadLevel::type level) {
  idl::GetRequest request;
  request.header = Header();
  request.key = key;
  request.options.level = level;
  if (level == idl::ReadLevel::BOUNDED) request.options.__set_boundedMs(1000);
  request.__isset.options = true;
  return Send(request);
}

idl::WriteReply HostFixture::WriteAs(int64_t client, int64_t sequence, std::vector<idl::Write> writes) {
  idl::WriteRequest request;
  request.header = Header();
  request.clientId = client;
  request.sequence = sequence;
  request.firstIncomplete = sequence;
  request.writes = std::move(writes);
  request.header.__set_tabletTimeMs(learnt_ms_);
  const idl::WriteReply reply = Send(request);
  if (reply.header.__isset.tabletTimeMs) learnt_ms_ = reply.header.tabletTimeMs;
  return reply;
}

idl::WriteReply HostFixture::Write(std::vector<idl::Write> writes) {
  return WriteAs(77, ++sequence_, std::move(writes));
}

idl::Write HostFixture::PutOf(const std::string& key, const std::string& value) {
  idl::Write write;
  write.kind = idl::WriteKind::PUT;
  write.key = key;
  write.__set_value(value);
  return write;
}

idl::Write HostFixture::DeleteOf(const std::string& key) {
  idl::Write write;
  write.kind = idl::WriteKind::DELETE;
  write.key = key;
  return write;
}

idl::Write HostFixture::IncrementOf(const std::string& key, int64_t delta) {
  idl::Write write;
  write.kind = idl::WriteKind::INCREMENT;
  write.key = key;
  write.__set_delta(delta);
  return write;
}

idl::Write HostFixture::ApplyOf(const std::string& key, const std::string& function, const std::string& arguments) {
  idl::Write write;
  write.kind = idl::WriteKind::APPLY;
  write.key = key;
  write.__set_functionName(function);
  write.__set_value(arguments);
  return write;
}

idl::Write HostFixture::If(idl::Write write, idl::ConditionKind::type kind, idl::Version version) {
  idl::Condition condition;
  condition.kind = kind;
  if (kind == idl::ConditionKind::VERSION_IS) condition.__set_version(version);
  write.__set_condition(condition);
  return write;
}

idl::Write HostFixture::WithTtl(idl::Write write, int64_t ttl_ms) {
  write.__set_ttlMs(ttl_ms);
  return write;
}

idl::ScanReply HostFixture::Scan(idl::ScanRequest request) {
  request.header = Header();
  return Await<idl::ScanReply>([&](auto cob) { server_->tablet_service()->scan(std::move(cob), request); });
}

idl::GetReply HostFixture::Send(const idl::GetRequest& request) {
  return Await<idl::GetReply>([&](auto cob) { server_->tablet_service()->get(std::move(cob), request); });
}

idl::WriteReply HostFixture::Send(const idl::WriteRequest& request) {
  return Await<idl::WriteReply>([&](auto cob) { server_->tablet_service()->write(std::move(cob), request); });
}

}  // namespace ebla::tabletserver
