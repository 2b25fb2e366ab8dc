// A real cluster with certificates: who gets in, who may do what, and that all of it still works among its processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include "tests/integration/secure_fixture.h"
#include "tools/cluster/probe.h"
#include "tools/load/workers.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using security::Identity;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// What a command prints.
std::string Printed(const std::string& command) {
  std::string text;
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  char bytes[4096];
  for (size_t count = 0; pipe != nullptr && (count = std::fread(bytes, 1, sizeof bytes, pipe)) > 0;)
    text.append(bytes, count);
  if (pipe != nullptr) ::pclose(pipe);
  return text;
}

TEST_F(SecureClusterTest, UsersHaveDataOperatorsTablesAndNobodyElseAnything) {
  const Table table = MakeTable();
  ASSERT_TRUE(table.Put("a", "1").has_value());
  ASSERT_TRUE(table.Put("z", "2").has_value());
  EXPECT_EQ(table.Get("a")->value, "1");

  const Status refused = Connect("user")->DropTable("carts");
  EXPECT_EQ(refused.code(), Code::kPermissionDenied);
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("\"ada\""), HasSubstr("admin"), HasSubstr("ebla grant")));
  EXPECT_EQ(Connect("", 3s).error().code(), Code::kUnavailable) << "without a certificate";
  ASSERT_TRUE(security::CreateAuthority(Path("ca2"), 10).ok());
  ASSERT_TRUE(security::CreateCertificate(Path("ca2"), Path("eve"), {.name = "eve"}).ok());
  EXPECT_THAT(Connect("eve", 3s).error().message(), HasSubstr("certificate is refused"));
}

TEST_F(SecureClusterTest, WhatProcessesTellEachOtherIsRefusedFromAllOthers) {
  const Table table = MakeTable();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(table.Put("k" + std::to_string(i), "v").has_value());
  Make("peer", {.kind = Identity::Kind::kServer, .name = "ts-3", .hosts = {"127.0.0.1"}});
  {
    const auto credentials = *security::TlsCredentials::Load(Path("peer"), "server");
    Attacker attacker(Servers().front(), credentials);
    EXPECT_EQ(attacker.Drop(), Code::kPermissionDenied) << "another tablet server is no master";
    EXPECT_EQ(attacker.Fence(), Code::kPermissionDenied);
    idl::AppendRequest as_another;
    as_another.header.fromServer = "ts-2";
    const auto reply = attacker.Call(attacker.replication(), &idl::ReplicationServiceCobSvIf::append, as_another);
    EXPECT_EQ(rpc::FromIdl(reply.status.code), Code::kPermissionDenied) << "nor is it ts-2";
  }
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

TEST_F(SecureClusterTest, HttpSpeaksTlsAndTellsTheClusterAlone) {
  const auto user = security::TlsCredentials::Load(Path("user"), "client");
  ASSERT_TRUE(user.has_value()) << user.error();
  for (const cluster::ProcessView& process : cluster_->launcher().Describe()) {
    if (process.http_address.empty()) continue;
    EXPECT_EQ(process.state, cluster::ProcessState::kReady) << process.name << ": " << process.reason;
    const rpc::Endpoint at = *rpc::Endpoint::Parse(process.http_address);
    EXPECT_THAT(cluster::GetPage(at.host, at.port, "/metrics", 10s, *user).value_or(""),
                HasSubstr("ebla_coordinator_connected"));
    EXPECT_THAT(cluster::GetPage(at.host, at.port, "/healthz", 10s).value_or(""), Not(HasSubstr("200")));
    EXPECT_EQ(Printed("curl -sSk https://" + process.http_address + "/readyz"), "ready\n")
        << "a probe has no certificate";
    EXPECT_THAT(Printed("curl -sSk https://" + process.http_address + "/metrics"), HasSubstr("show a certificate"));
  }
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

  Make("next", {.kind = Identity::Kind::kServer, .name = "*", .hosts = {"127.0.0.1"}});
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
