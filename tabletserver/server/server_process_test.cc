// A whole server process in this one: sockets, HTTP, the address file, a restart, and what it refuses to start on.
#include "tabletserver/server/server_process.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "common/coordination/embedded_coordinator.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "common/rpc/stubs.h"
#include "common/security/certificates.h"
#include "common/testing/temporary_directory.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ServerProcessTest : public ::testing::Test {
 protected:
  ServerProcessTest() { client_.Start(); }
  ~ServerProcessTest() override {
    process_.reset();
    client_.Stop();
    coordination_.reset();
  }

  void MakeCluster(const std::string& id) {
    auto opened = coordination::EmbeddedCoordination::Open(path_ + "/coordination-" + id);
    ASSERT_TRUE(opened.has_value()) << opened.error();
    coordination_ = *std::move(opened);
    auto client = coordination_->NewClient(client_);
    idl::ClusterNode node;
    node.clusterId = id;
    std::promise<void> made;
    client->Multi({coordination::Op::Create(coordination::layout::kCluster, coordination::EncodeNode(node))},
                  [&](auto) { made.set_value(); });
    made.get_future().wait();
    std::promise<void> gone;
    client_.Post([&] {
      client.reset();
      gone.set_value();
    });
    gone.get_future().wait();
  }

  // The life mark in the coordinator.
  int64_t LifeMark() {
    std::promise<int64_t> mark;
    std::unique_ptr<coordination::Coordinator> client;
    client_.Post([&] {
      client = coordination_->NewClient(client_);
      client->Get(
          coordination::layout::ServerPath("ts-1"),
          [&](Result<coordination::Node> node) {
            const auto server =
                node ? coordination::DecodeNode<idl::ServerNode>(node->data, "ts-1") : Result<idl::ServerNode>();
            client_.Post([&, value = server ? server->lifeMark : 0] {
              client.reset();
              mark.set_value(value);
            });
          },
          nullptr);
    });
    return mark.get_future().get();
  }

  ServerProcessOptions Options(const std::string& name = "ts-1") {
    ServerProcessOptions options;
    options.data_dir = path_ + "/data";
    options.name = name;
    options.store.cache_bytes = 32 << 20;
    options.coordinator = [this](Executor& executor) -> Result<std::unique_ptr<coordination::Coordinator>> {
      return coordination_->NewClient(executor);
    };
    options.metrics_of_each_tablet = [this] { return metrics_of_each_tablet_.load(); };
    options.server.on_refused = [this](const Status& status) { refused_.set_value(status); };
    return options;
  }

  static bool Until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::string HttpGet(const std::string& path) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(process_->http_endpoint().port);
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    EXPECT_EQ(::write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    for (ssize_t got; (got = ::read(fd, buffer, sizeof(buffer))) > 0;) answer.append(buffer, static_cast<size_t>(got));
    ::close(fd);
    return answer;
  }

  idl::ControlHeader ControlTo() const {
    idl::ControlHeader header;
    header.clusterId = "c-1";
    header.masterTerm = 1;
    header.toServer = "ts-1";
    header.toIncarnation = starts_;
    return header;
  }

  idl::Code::type Configure(int64_t epoch) {
    auto control = rpc::MakeControlStub(connector_.Connect(process_->endpoint(), client_), 10s);
    if (epoch > 1) {
      idl::FenceRequest fence;
      fence.header = ControlTo();
      fence.tablets.resize(1);
      fence.tablets[0].tabletId = 5;
      fence.tablets[0].epoch = epoch;
      std::promise<void> fenced;
      control->fence([&](const idl::FenceReply&) { fenced.set_value(); }, fence);
      fenced.get_future().wait();
    }
    idl::ConfigureRequest request;
    request.header = ControlTo();
    request.tablets.resize(1);
    idl::ConfigureTablet& tablet = request.tablets[0];
    tablet.tabletId = 5;
    tablet.epoch = epoch;
    tablet.fenced = epoch > 1;
    tablet.born = true;
    tablet.primary = "ts-1";
    tablet.voters = {"ts-1"};
    tablet.schema.tableId = 4;
    tablet.schema.schemaVersion = 1;
    tablet.schema.name = "carts";
    std::promise<idl::Code::type> code;
    control->configure(
        [&](const idl::ConfigureReply& reply) {
          code.set_value(reply.results.empty() ? reply.status.code : reply.results[0].status.code);
        },
        request);
    return code.get_future().get();
  }

  idl::GetReply Get(const std::string& key) {
    auto tablets = rpc::MakeTabletStub(connector_.Connect(process_->endpoint(), client_), 10s);
    idl::GetReply got;
    EXPECT_TRUE(Until([&] {
      idl::GetRequest request;
      request.header.tableId = 4;
      request.key = key;
      std::promise<idl::GetReply> reply;
      tablets->get([&](const idl::GetReply& r) { reply.set_value(r); }, request);
      got = reply.get_future().get();
      return got.header.code != idl::Code::COME_AGAIN;
    }));
    return got;
  }

  void Start(ServerProcessOptions options) {
    auto started = ServerProcess::Start(std::move(options));
    ASSERT_TRUE(started.has_value()) << started.error();
    process_ = *std::move(started);
    ++starts_;
    ASSERT_TRUE(Until([&] { return process_->server().Registered(); }));
  }

  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.path();
  rpc::EventLoop client_{"client"};
  rpc::PipelinedConnector connector_{client_};
  std::unique_ptr<coordination::EmbeddedCoordination> coordination_;
  std::unique_ptr<ServerProcess> process_;
  std::atomic<bool> metrics_of_each_tablet_ = false;
  std::promise<Status> refused_;
  int64_t starts_ = 0;
};

TEST_F(ServerProcessTest, ServesStopsCleanlyAndComesBackWithItsData) {
  MakeCluster("c-1");
  Start(Options());
  std::ostringstream address;
  address << std::ifstream(path_ + "/data/ADDRESS").rdbuf();
  EXPECT_THAT(address.str(), HasSubstr("thrift " + process_->endpoint().ToString() + "\n"));
  EXPECT_THAT(address.str(), HasSubstr("http " + process_->http_endpoint().ToString() + "\n"));
  EXPECT_THAT(HttpGet("/readyz"), HasSubstr("200 OK"));

  ASSERT_EQ(Configure(1), idl::Code::OK);
  idl::GetReply got = Get("k");
  EXPECT_EQ(got.header.code, idl::Code::NOT_FOUND);
  auto tablets = rpc::MakeTabletStub(connector_.Connect(process_->endpoint(), client_), 10s);
  idl::WriteRequest write;
  write.header.tableId = 4;
  write.header.__set_tabletTimeMs(got.header.tabletTimeMs);
  write.clientId = 9;
  write.sequence = write.firstIncomplete = 1;
  write.writes.resize(1);
  write.writes[0].key = "k";
  write.writes[0].__set_value("kept");
  std::promise<idl::Code::type> put;
  tablets->write([&](const idl::WriteReply& reply) { put.set_value(reply.header.code); }, write);
  ASSERT_EQ(put.get_future().get(), idl::Code::OK);
  const std::string metrics = HttpGet("/metrics");
  EXPECT_THAT(metrics, HasSubstr(R"(ebla_table_writes_total{table="carts"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(ebla_table_tablets{table="carts"} 1)"));
  EXPECT_THAT(metrics, Not(HasSubstr("tablet=\""))) << "six lines a tablet are many";
  metrics_of_each_tablet_ = true;
  EXPECT_THAT(HttpGet("/metrics"), HasSubstr(R"(ebla_tablet_writes_total{table="carts",tablet="5"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(ebla_operation_seconds_count{operation="write"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(ebla_operations_total{operation="write",level="default",code="OK"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(ebla_operations_total{operation="get",level="default",code="NOT_FOUND"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(ebla_build_info{role="tabletserver",version=")"));
  for (const char* bound : {"0.002", "0.005", "0.01", "0.02"}) {
    EXPECT_THAT(metrics,
                HasSubstr(R"(ebla_operation_seconds_bucket{operation="get",le=")" + std::string(bound) + "\"}"))
        << "a percentile can be read from them";
  }
  EXPECT_THAT(metrics, HasSubstr("ebla_store_healthy 1"));

  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(process_->Stop(3s).ok());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
  process_.reset();
  Start(Options(""));
  ASSERT_EQ(Configure(1), idl::Code::STALE_EPOCH);
  ASSERT_EQ(Configure(2), idl::Code::OK);
  got = Get("k");
  EXPECT_EQ(got.header.code, idl::Code::OK) << got.header.message;
  EXPECT_EQ(got.record.value, "kept");
}

// The disk fails after the last checkpoint, when the database closes. The stop is then not noted as clean.
TEST_F(ServerProcessTest, AStoreThatDoesNotCloseIsNoCleanStop) {
  MakeCluster("c-1");
  // The boot in which a server runs there, by the directory. A clean stop removes it.
  const auto running_boot = [&] {
    std::ifstream file(path_ + "/data/IDENTITY");
    std::string line;
    while (std::getline(file, line) && !line.starts_with("boot ")) {
    }
    return line;
  };
  TabletStore* store = nullptr;
  ServerProcessOptions options = Options();
  // Goes with the TabletServer, which a stop destroys after the last checkpoint and before the store closes.
  const auto break_disk = [&](void*) {
    EXPECT_TRUE(store->EnsureTable(TableId{9}, TableCompression::kNone).ok());
    std::filesystem::rename(path_ + "/data/store", path_ + "/data/elsewhere");
  };
  options.server.copy_bytes_per_second = [last = std::shared_ptr<void>(nullptr, break_disk)] {
    return CopyThrottle::kDefaultBytesPerSecond;
  };
  Start(std::move(options));
  store = &process_->server().store();
  const std::string running = running_boot();
  ASSERT_GT(running.size(), 5u);
  const Status stopped = process_->Stop(3s);
  EXPECT_EQ(stopped.code(), Code::kInternal);
  EXPECT_THAT(stopped.message(), HasSubstr("closing the database"));
  EXPECT_EQ(running_boot(), running);
}

// A start between two drops: the shard has the rest of both tablets before its thread runs a task.
TEST_F(ServerProcessTest, ShardsRunOnceTheyHaveTheirTablets) {
  MakeCluster("c-1");
  const auto shard_threads = [] {
    int found = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::getline(std::ifstream(task.path() / "comm"), name);
      if (name.starts_with("shard-")) ++found;
    }
    return found;
  };
  ServerProcessOptions options = Options();
  options.shards = 2;
  int before = -1;
  options.coordinator = [&, connect = options.coordinator](Executor& executor) {
    before = shard_threads();
    return connect(executor);
  };
  Start(std::move(options));
  EXPECT_EQ(before, 0) << "the tablets are recovered after this";
  EXPECT_EQ(shard_threads(), 2);
}

TEST_F(ServerProcessTest, RefusesADirectoryInUseAndAnAddressTaken) {
  MakeCluster("c-1");
  Start(Options());
  auto second = ServerProcess::Start(Options());
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message(), HasSubstr("in use by another process"));
  ServerProcessOptions options = Options("ts-2");
  options.data_dir = path_ + "/other";
  options.rpc.listen = process_->endpoint();
  second = ServerProcess::Start(std::move(options));
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message(), HasSubstr(process_->endpoint().ToString()));
}

TEST_F(ServerProcessTest, RefusesACertificateOfAnotherServer) {
  MakeCluster("c1");
  ASSERT_TRUE(security::CreateAuthority(path_ + "/ca", 10).ok());
  const auto with_certificate_of = [&](const std::string& name, security::Identity::Kind kind) {
    const std::string into = path_ + "/" + security::UnitOf(kind) + "-" + (name == "*" ? "any" : name);
    EXPECT_TRUE(
        security::CreateCertificate(path_ + "/ca", into, {.kind = kind, .name = name, .hosts = {"127.0.0.1"}}).ok());
    auto credentials = security::TlsCredentials::Load(into, "server");
    EXPECT_TRUE(credentials.has_value()) << credentials.error();
    ServerProcessOptions options = Options("ts-9");
    options.rpc.tls = *std::move(credentials);
    return ServerProcess::Start(std::move(options));
  };
  using Kind = security::Identity::Kind;
  const auto refused = with_certificate_of("ts-3", Kind::kServer);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message(), AllOf(HasSubstr("\"ts-3\""), HasSubstr("ebla cert create-server ts-9")));
  EXPECT_FALSE(with_certificate_of("ts-9", Kind::kMaster).has_value());
  EXPECT_FALSE(std::filesystem::exists(path_ + "/data/IDENTITY")) << "the name would be for life";
  for (const char* name : {"*", "ts-9"}) {
    const auto started = with_certificate_of(name, Kind::kServer);
    EXPECT_TRUE(started.has_value()) << name << started.error();
  }
}

TEST_F(ServerProcessTest, RefusesABackupOfItsLastLife) {
  MakeCluster("c-1");
  const auto options = [&] {
    ServerProcessOptions options = Options();
    options.server.checkpoint.period = options.server.checkpoint.look_every = 1ms;
    return options;
  };
  const auto identity = [&] {
    std::ostringstream text;
    text << std::ifstream(path_ + "/data/IDENTITY").rdbuf();
    return text.str();
  };
  Start(options());
  const std::string backup = identity();  // with whatever else it holds
  ASSERT_EQ(Configure(1), idl::Code::OK);
  ASSERT_TRUE(Until([&] { return LifeMark() > 0; }));
  EXPECT_TRUE(process_->Stop(1s).ok());
  process_.reset();
  const std::string newest = identity();

  std::ofstream(path_ + "/data/IDENTITY") << backup;
  auto restored = ServerProcess::Start(options());
  ASSERT_TRUE(restored.has_value()) << restored.error();
  const Status refused = refused_.get_future().get();
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("restored or cloned"));
  EXPECT_FALSE((*restored)->server().Registered());
  EXPECT_TRUE((*restored)->Stop(1s).ok());
  restored->reset();

  std::ofstream(path_ + "/data/IDENTITY") << newest;
  Start(options());
}

TEST_F(ServerProcessTest, RefusesAnotherCluster) {
  MakeCluster("c-1");
  Start(Options());
  EXPECT_TRUE(process_->Stop(1s).ok());
  process_.reset();
  MakeCluster("c-2");
  auto started = ServerProcess::Start(Options());
  ASSERT_TRUE(started.has_value()) << started.error();
  const Status refused = refused_.get_future().get();
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("c-1"));
  EXPECT_FALSE((*started)->server().Registered());
}

}  // namespace
}  // namespace ebla::tabletserver
