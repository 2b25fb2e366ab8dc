// tests/integration/secure_fixture.h
// A real cluster whose processes have certificates, and callers with certificates.
// Threads: one test's.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/rpc/event_loop.h"
#include "common/rpc/idl_convert.h"
#include "common/rpc/pipelined_channel.h"
#include "common/rpc/stubs.h"
#include "common/testing/temporary_directory.h"
#include "tests/integration/cluster_certificates.h"
#include "tests/integration/test_cluster.h"

namespace ebla::testing {

class SecureClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(MakeCertificates());
    ASSERT_NO_FATAL_FAILURE(Start());
  }
  void MakeCertificates() {
    const Status made = certificates_.Make();
    ASSERT_TRUE(made.ok()) << made;
    Make("user", {.name = "ada"});
  }
  // `more`: flags of every process.
  void Start(const std::vector<std::string>& more = {}) {
    TestClusterOptions options{.master_flags = certificates_.MasterFlags(),
                               .server_flags = certificates_.ServerFlags()};
    for (auto* flags : {&options.master_flags, &options.server_flags})
      flags->insert(flags->end(), more.begin(), more.end());
    auto cluster = TestCluster::Start(std::move(options));
    ASSERT_TRUE(cluster.has_value()) << cluster.error();
    cluster_ = *std::move(cluster);
  }

  std::string Path(const std::string& name) const { return certificates_.Path(name); }
  void Make(const std::string& into, const security::CertificateOptions& options) {
    const Status made = certificates_.Make(into, options);
    ASSERT_TRUE(made.ok()) << made;
  }
  Result<Client> Connect(const std::string& who, std::chrono::milliseconds deadline = std::chrono::seconds(10)) {
    return Client::Connect({.masters = cluster_->launcher().Masters(),
                            .deadline = deadline,
                            .connect_timeout = std::min<std::chrono::milliseconds>(deadline, std::chrono::seconds(3)),
                            .tls_dir = who.empty() ? "" : Path(who)});
  }
  Table MakeTable() {
    auto client = Connect("operator");
    EXPECT_TRUE(client.has_value()) << client.error();
    const auto made = client->CreateTable("carts", {.split_points = {"m"}});
    EXPECT_TRUE(made.has_value()) << made.error();
    for (const Permission permission : {Permission::kWrite, Permission::kRead}) {  // who may read may write, then
      const Status granted = client->ChangeAccess(
          {{.kind = AccessChange::Kind::kGrant, .name = "everybody", .grant = {permission, "carts", ""}}});
      EXPECT_TRUE(granted.ok()) << granted;
    }
    auto user = Connect("user");
    EXPECT_TRUE(user.has_value()) << user.error();
    // Every process knows of the grant within a second.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    const auto denied = [&] {
      const auto table = user->OpenTable("carts");
      if (!table) return true;
      for (const char* key : {"a", "z"}) {
        const auto read = table->Get(key);
        if (!read && read.error().code() == Code::kPermissionDenied) return true;
      }
      return false;
    };
    while (denied() && std::chrono::steady_clock::now() < end) continue;
    return *user->OpenTable("carts");
  }
  // olga_, the operator, with tables of two tablets.
  void MakeTables(std::initializer_list<const char*> names) {
    auto client = Connect("operator");
    ASSERT_TRUE(client.has_value()) << client.error();
    olga_ = *std::move(client);
    for (const char* name : names) {
      const auto made = olga_->CreateTable(name, {.split_points = {"m"}});
      ASSERT_TRUE(made.has_value()) << made.error();
    }
  }
  // The address of each tablet server.
  std::vector<rpc::Endpoint> Servers() {
    std::vector<rpc::Endpoint> endpoints;
    const auto client = Connect("operator");
    const auto servers = client->ListServers();
    for (const auto& server : *servers) endpoints.push_back(*rpc::Endpoint::Parse(server.address));
    return endpoints;
  }

  TemporaryDirectory directory_;
  const ClusterCertificates certificates_{directory_.path()};
  std::unique_ptr<TestCluster> cluster_;
  std::optional<Client> olga_;
};

// Calls of an attacker who has read the IDL.
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
  idl::ControlServiceCobSvIf& control() { return *control_; }
  idl::ReplicationServiceCobSvIf& replication() { return *replication_; }
  idl::MasterServiceCobSvIf& master() { return *master_; }
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
  std::shared_ptr<idl::ControlServiceCobSvIf> control_ = rpc::MakeControlStub(channel_, std::chrono::seconds(10));
  std::shared_ptr<idl::ReplicationServiceCobSvIf> replication_ =
      rpc::MakeReplicationStub(channel_, std::chrono::seconds(10));
  std::shared_ptr<idl::MasterServiceCobSvIf> master_ = rpc::MakeMasterStub(channel_, std::chrono::seconds(10));
};

}  // namespace ebla::testing
