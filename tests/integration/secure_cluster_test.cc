// A real cluster with certificates: who gets in, who may do what, and that all of it still works among its processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "common/rpc/event_loop.h"
#include "common/rpc/idl_convert.h"
#include "common/rpc/pipelined_channel.h"
#include "common/rpc/stubs.h"
#include "common/security/certificates.h"
#include "common/testing/temporary_directory.h"
#include "tests/integration/test_cluster.h"
#include "tools/load/workers.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using security::Identity;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SecureClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(security::CreateAuthority(Path("ca"), 10).ok());
    Make("server", {.kind = Identity::Kind::kServer, .name = "all", .hosts = {"127.0.0.1"}});
    Make("user", {.name = "ada"});
    Make("operator", {.kind = Identity::Kind::kOperator, .name = "olga"});
    const std::vector<std::string> flags = {"--tls_dir=" + Path("server")};
    auto cluster = TestCluster::Start({.master_flags = flags, .server_flags = flags});
    ASSERT_TRUE(cluster.has_value()) << cluster.error();
    cluster_ = *std::move(cluster);
  }

  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  void Make(const std::string& into, const security::CertificateOptions& options) {
    const Status made = security::CreateCertificate(Path("ca"), Path(into), options);
    ASSERT_TRUE(made.ok()) << made;
  }
  Result<Client> Connect(const std::string& who, std::chrono::milliseconds deadline = 10s) {
    return Client::Connect({.masters = cluster_->launcher().Masters(),
                            .deadline = deadline,
                            .connect_timeout = std::min<std::chrono::milliseconds>(deadline, 3s),
                            .tls_dir = who.empty() ? "" : Path(who)});
  }
  Table MakeTable() {
    auto client = Connect("operator");
    EXPECT_TRUE(client.has_value()) << client.error();
    const auto made = client->CreateTable("carts", {.split_points = {"m"}});
    EXPECT_TRUE(made.has_value()) << made.error();
    auto user = Connect("user");
    EXPECT_TRUE(user.has_value()) << user.error();
    return *user->OpenTable("carts");
  }
  // Where each tablet server takes calls.
  std::vector<rpc::Endpoint> Servers() {
    std::vector<rpc::Endpoint> endpoints;
    const auto client = Connect("operator");
    const auto servers = client->ListServers();
    for (const auto& server : *servers) endpoints.push_back(*rpc::Endpoint::Parse(server.address));
    return endpoints;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<TestCluster> cluster_;
};

// Calls of one who has read the IDL.
class Attacker {
 public:
  Attacker(const rpc::Endpoint& at, std::shared_ptr<security::TlsCredentials> tls)
      : connector_(loop_, {.tls = std::move(tls)}), channel_(connector_.Connect(at, loop_)) {
    loop_.Start();
  }

  template <class Reply, class Stub, class Request>
  Reply Call(Stub& stub, void (Stub::*method)(std::function<void(const Reply&)>, const Request&),
             const Request& request) {
    std::promise<Reply> promise;
    (stub.*method)([&](const Reply& reply) { promise.set_value(reply); }, request);
    return promise.get_future().get();
  }
  Code Drop() {
    idl::DropRequest request;
    for (int64_t id = 0; id < 100; ++id) {
      idl::DropTablet tablet;
      tablet.__set_tabletId(id);
      tablet.__set_epoch(1'000'000);
      request.tablets.push_back(tablet);
    }
    return rpc::FromIdl(Call(*control_, &idl::ControlServiceCobSvIf::drop, request).status.code);
  }
  Code Fence() {
    return rpc::FromIdl(Call(*control_, &idl::ControlServiceCobSvIf::fence, idl::FenceRequest()).status.code);
  }
  Code Append() {
    return rpc::FromIdl(Call(*replication_, &idl::ReplicationServiceCobSvIf::append, idl::AppendRequest()).status.code);
  }
  Code PeerHeartbeat() {
    return rpc::FromIdl(
        Call(*replication_, &idl::ReplicationServiceCobSvIf::peerHeartbeat, idl::PeerHeartbeatRequest()).status.code);
  }
  Code Heartbeat() {
    return rpc::FromIdl(Call(*master_, &idl::MasterServiceCobSvIf::heartbeat, idl::HeartbeatRequest()).header.code);
  }

 private:
  rpc::EventLoop loop_{"attacker"};
  rpc::PipelinedConnector connector_;
  std::shared_ptr<rpc::Channel> channel_;
  std::shared_ptr<idl::ControlServiceCobSvIf> control_ = rpc::MakeControlStub(channel_, 10s);
  std::shared_ptr<idl::ReplicationServiceCobSvIf> replication_ = rpc::MakeReplicationStub(channel_, 10s);
  std::shared_ptr<idl::MasterServiceCobSvIf> master_ = rpc::MakeMasterStub(channel_, 10s);
};

TEST_F(SecureClusterTest, UsersHaveDataOperatorsTablesAndNobodyElseAnything) {
  const Table table = MakeTable();
  ASSERT_TRUE(table.Put("a", "1").has_value());
  ASSERT_TRUE(table.Put("z", "2").has_value());
  EXPECT_EQ(table.Get("a")->value, "1");

  const Status refused = Connect("user")->DropTable("carts");
  EXPECT_EQ(refused.code(), Code::kPermissionDenied);
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("\"ada\""), HasSubstr("dropTable"), HasSubstr("an operator")));
  EXPECT_EQ(Connect("", 3s).error().code(), Code::kUnavailable) << "without a certificate";
  ASSERT_TRUE(security::CreateAuthority(Path("ca2"), 10).ok());
  ASSERT_TRUE(security::CreateCertificate(Path("ca2"), Path("eve"), {.name = "eve"}).ok());
  EXPECT_THAT(Connect("eve", 3s).error().message(), HasSubstr("certificate is refused"));
}

TEST_F(SecureClusterTest, WhatProcessesTellEachOtherIsRefusedFromAllOthers) {
  const Table table = MakeTable();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(table.Put("k" + std::to_string(i), "v").has_value());
  for (const char* who : {"user", "operator"}) {
    const auto credentials = *security::TlsCredentials::Load(Path(who), "client");
    for (const rpc::Endpoint& server : Servers()) {
      Attacker attacker(server, credentials);
      EXPECT_EQ(attacker.Drop(), Code::kPermissionDenied);
      EXPECT_EQ(attacker.Fence(), Code::kPermissionDenied);
      EXPECT_EQ(attacker.Append(), Code::kPermissionDenied);
      EXPECT_EQ(attacker.PeerHeartbeat(), Code::kPermissionDenied);
    }
    for (const std::string& master : cluster_->launcher().Masters()) {
      Attacker attacker(*rpc::Endpoint::Parse(master), credentials);
      EXPECT_EQ(attacker.Heartbeat(), Code::kPermissionDenied);
    }
  }
  for (int i = 0; i < 100; ++i) ASSERT_EQ(table.Get("k" + std::to_string(i))->value, "v");
}

TEST_F(SecureClusterTest, AFailoverAndNewCertificatesCostNoOperation) {
  const Table table = MakeTable();
  load::Workers workers;
  std::atomic<int> next = 0;
  for (int i = 0; i < 4; ++i) {
    workers.Add([&] {
      const std::string key = "k" + std::to_string(next++ % 1000);
      const auto written = table.Put(key, "v", {.deadline = 30s});
      if (!written) workers.Failed(written.error().ToString());
      const auto read = table.Get(key, {.deadline = 30s});
      if (!read) workers.Failed(read.error().ToString());
      return true;
    });
  }
  ASSERT_TRUE(load::AwaitProgress([&] { return workers.operations(); }, 500).ok());
  ASSERT_TRUE(cluster_->launcher().Kill("ts-1", SIGKILL).ok());
  ASSERT_TRUE(load::AwaitProgress([&] { return workers.operations(); }, 500).ok());

  Make("next", {.kind = Identity::Kind::kServer, .name = "next", .hosts = {"127.0.0.1"}});
  for (const char* file : {"server.key", "server.crt"})
    std::filesystem::rename(Path("next") + "/" + file, Path("server") + "/" + file);
  ASSERT_TRUE(cluster_->launcher().Restart("ts-1").ok()) << "it meets the others with its new certificate";
  ASSERT_TRUE(load::AwaitProgress([&] { return workers.operations(); }, 500).ok());
  ASSERT_TRUE(cluster_->launcher().Kill("ts-2", SIGKILL).ok());
  ASSERT_TRUE(cluster_->launcher().Restart("ts-2").ok());
  ASSERT_TRUE(load::AwaitProgress([&] { return workers.operations(); }, 500).ok());
  workers.Stop();
  workers.Join();
  EXPECT_THAT(workers.failures(), IsEmpty());
}

}  // namespace
}  // namespace ebla::testing
