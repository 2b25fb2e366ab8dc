// A real cluster with certificates: which callers are admitted, what each may do, and that its processes still work
// together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

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
    EXPECT_EQ(RunCommand("curl -sSk https://" + process.http_address + "/readyz").text, "ready\n")
        << "a probe has no certificate";
    EXPECT_THAT(RunCommand("curl -sSk https://" + process.http_address + "/metrics").text,
                HasSubstr("show a certificate"));
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

// Files are replaced while every process runs, and while one client works and others come.
class RotationTest : public SecureClusterTest {
 protected:
  void BeginLoad(const Table& table) {
    for (int i = 0; i < 3; ++i) {
      working_.Add([this, table, i, n = 0]() mutable {
        const std::string key = (n % 2 == 0 ? "a" : "z") + std::to_string(i) + "-" + std::to_string(n % 100);
        const std::string value = std::to_string(n++);
        const auto written = table.Put(key, value, {.deadline = 30s});
        if (!written) working_.Failed(written.error().ToString());
        const auto read = table.Get(key, {.deadline = 30s});
        if (!read || read->value != value) working_.Failed(read ? "another value" : read.error().ToString());
        return true;
      });
    }
    coming_.Add([this] {
      const auto client = Connect("user");
      if (!client) return coming_.Failed("connect: " + client.error().ToString()), true;
      const auto opened = client->OpenTable("carts");
      if (!opened) return coming_.Failed("open: " + opened.error().ToString()), true;
      for (const char* key : {"a", "z"}) {
        const auto written = opened->Put(key, "1");
        if (!written) coming_.Failed("put: " + written.error().ToString());
      }
      return true;
    });
  }
  void ExpectLoadGoesOn() {
    ASSERT_TRUE(load::AwaitProgress([&] { return working_.operations(); }, 200).ok());
    ASSERT_TRUE(load::AwaitProgress([&] { return coming_.operations(); }, 5).ok());
    ASSERT_THAT(working_.failures(), IsEmpty());
    ASSERT_THAT(coming_.failures(), IsEmpty());
  }

  // All masters and tablet servers.
  std::vector<cluster::ProcessView> Processes() {
    std::vector<cluster::ProcessView> processes = cluster_->launcher().Describe();
    std::erase_if(processes, [](const auto& process) { return process.role == cluster::Role::kZooKeeper; });
    return processes;
  }
  // New certificates of this authority in the place of everybody's.
  void Replace(const std::string& authority, const std::string& turn) {
    const std::vector<std::pair<std::string, security::CertificateOptions>> all = {
        {"server", {.kind = Identity::Kind::kServer, .name = "*", .hosts = {"127.0.0.1"}}},
        {"master", {.kind = Identity::Kind::kMaster, .name = "masters", .hosts = {"127.0.0.1"}}},
        {"operator", {.kind = Identity::Kind::kOperator, .name = "olga"}},
        {"user", {.name = "ada"}}};
    coming_.Hold();  // a process that starts between two files finds that they do not fit
    for (const auto& [whose, options] : all) {
      const std::string made = Path(turn + "-" + whose);
      const Status status = security::CreateCertificate(Path(authority), made, options);
      ASSERT_TRUE(status.ok()) << status;
      const std::string name = Identity{options.kind, options.name}.is_process() ? "/server" : "/client";
      for (const char* end : {".key", ".crt"}) std::filesystem::rename(made + name + end, Path(whose) + name + end);
    }
    coming_.Resume();
  }
  // Everybody's file becomes that of these.
  void Give(const std::string& file, const std::vector<std::string>& authorities,
            const std::vector<std::string>& whose) {
    std::ostringstream text;
    for (const std::string& authority : authorities) text << std::ifstream(Path(authority) + "/" + file).rdbuf();
    for (const std::string& directory : whose) {
      std::ofstream(Path(directory) + "/new") << text.str();
      std::filesystem::rename(Path(directory) + "/new", Path(directory) + "/" + file);
    }
  }

  std::string Shown(const std::string& address, const std::string& more = "") {
    const std::string own = Path("user") + "/client";
    return RunCommand("openssl s_client -connect " + address + " -cert " + own + ".crt -key " + own + ".key -CAfile " +
                      Path("user") + "/ca.crt -verify_return_error " + more + " </dev/null")
        .text;
  }
  // Both ports of each process show what is in its directory.
  void AwaitPresented(const std::vector<cluster::ProcessView>& processes) {
    for (const cluster::ProcessView& process : processes) {
      const std::string whose = process.role == cluster::Role::kMaster ? "master" : "server";
      std::ostringstream certificate;
      certificate << std::ifstream(Path(whose) + "/server.crt").rdbuf();
      for (const std::string& address : {process.address, process.http_address}) {
        EXPECT_TRUE(Eventually([&] { return Shown(address).contains(certificate.str()); }))
            << process.name << " at " << address << " shows another: " << Shown(address);
      }
    }
  }
  // Whether a process accepts this certificate as the cluster's, or refuses it.
  bool LetsIn(const cluster::ProcessView& process, const std::string& who) {
    const auto credentials = security::TlsCredentials::Load(Path(who), "client");
    EXPECT_TRUE(credentials.has_value()) << credentials.error();
    Attacker caller(*rpc::Endpoint::Parse(process.address), *credentials);
    return (process.role == cluster::Role::kMaster ? caller.Heartbeat() : caller.Fence()) == Code::kPermissionDenied;
  }
  void AwaitLetsIn(const std::vector<cluster::ProcessView>& processes, const std::string& who, bool wanted) {
    for (const cluster::ProcessView& process : processes)
      EXPECT_TRUE(Eventually([&] { return LetsIn(process, who) == wanted; })) << process.name << " and " << who;
  }

  load::Workers working_;  // on connections of a client that stays
  load::Workers coming_;   // each operation of a new client
};

TEST_F(RotationTest, CertificatesAndTheAuthorityAreReplacedWithoutARestartOrAFailedOperation) {
  const Table table = MakeTable();
  const std::vector<cluster::ProcessView> processes = Processes();
  ASSERT_EQ(processes.size(), 5u);
  BeginLoad(table);
  std::filesystem::copy(Path("user"), Path("old"));
  Make("lost", {.name = "ada"});
  ASSERT_TRUE(security::Revoke(Path("ca"), Path("lost/client.crt")).ok());
  Give("ca.crl", {"ca"}, {"server", "master"});
  AwaitLetsIn(processes, "lost", false);
  ASSERT_NO_FATAL_FAILURE(ExpectLoadGoesOn());

  ASSERT_NO_FATAL_FAILURE(Replace("ca", "second"));
  AwaitPresented(processes);
  ASSERT_NO_FATAL_FAILURE(ExpectLoadGoesOn());

  ASSERT_TRUE(security::CreateAuthority(Path("ca2"), 10).ok());
  ASSERT_TRUE(security::CreateCertificate(Path("ca2"), Path("first"), {.name = "ada"}).ok());
  EXPECT_FALSE(LetsIn(processes.front(), "first")) << "nobody trusts the new authority yet";
  Give("ca.crl", {"ca", "ca2"}, {"server", "master"});
  Give("ca.crt", {"ca", "ca2"}, {"server", "master", "operator", "user", "old", "first", "lost"});
  AwaitLetsIn(processes, "first", true);
  ASSERT_NO_FATAL_FAILURE(ExpectLoadGoesOn());
  ASSERT_NO_FATAL_FAILURE(Replace("ca2", "third"));
  AwaitPresented(processes);
  AwaitLetsIn(processes, "old", true);
  AwaitLetsIn(processes, "lost", false);
  ASSERT_NO_FATAL_FAILURE(ExpectLoadGoesOn());

  Give("ca.crt", {"ca2"}, {"server", "master", "operator", "user"});
  Give("ca.crl", {"ca2"}, {"server", "master"});
  AwaitLetsIn(processes, "old", false);
  AwaitLetsIn(processes, "first", true);
  const auto refused = Connect("old", 3s);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kUnavailable) << refused.error();
  ASSERT_NO_FATAL_FAILURE(ExpectLoadGoesOn());

  // A client that stays shows its new certificate on new connections; so do processes to each other.
  const auto olga = Connect("operator");
  ASSERT_TRUE(olga.has_value()) << olga.error();
  for (const char* server : {"ts-1", "ts-2", "ts-3"}) {
    const Status led = olga->TransferTablet("carts", "a", server);
    ASSERT_TRUE(led.ok()) << server << ": " << led;
    ASSERT_NO_FATAL_FAILURE(ExpectLoadGoesOn());
  }
  ASSERT_TRUE(cluster_->launcher().Restart("ts-1").ok());
  ASSERT_NO_FATAL_FAILURE(ExpectLoadGoesOn());
  for (const cluster::ProcessView& process : Processes()) {
    const auto before = std::ranges::find(processes, process.name, &cluster::ProcessView::name);
    EXPECT_TRUE(process.name == "ts-1" || process.pid == before->pid) << process.name << " was restarted";
  }
}

TEST_F(RotationTest, EveryPortSpeaksTls13AndNothingOlder) {
  for (const cluster::ProcessView& process : Processes()) {
    for (const std::string& address : {process.address, process.http_address}) {
      EXPECT_THAT(Shown(address), AllOf(HasSubstr("New, TLSv1.3"), HasSubstr("Verify return code: 0 (ok)")))
          << process.name;
      for (const char* older : {"-tls1_2", "-tls1_1 -cipher DEFAULT@SECLEVEL=0", "-tls1 -cipher DEFAULT@SECLEVEL=0"})
        EXPECT_THAT(Shown(address, older), AllOf(HasSubstr("alert protocol version"), HasSubstr("Cipher is (NONE)")))
            << process.name << " by " << older;
    }
  }
}

}  // namespace
}  // namespace ebla::testing
