// Every method of every service, called at every process of a cluster by every caller that lacks permission. Each call
// is refused as in docs/faults.md, counted and logged, and has no effect. So are changes over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "common/rpc/reply_failure.h"
#include "common/rpc/services.h"
#include "common/security/scram.h"
#include "tests/integration/attack_requests.h"
#include "tests/integration/secure_fixture.h"
#include "tools/cluster/probe.h"
#include "tools/load/workers.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using rpc::Access;
using Kind = security::Identity::Kind;
using ::testing::IsEmpty;
using Codes = std::set<Code>;

// A caller without permission.
struct Villain {
  std::string name;
  std::string directory;  // of its certificates; empty: it has none
  bool gets_in = true;    // the handshake ends well
  Kind kind = Kind::kAnonymous;
  std::shared_ptr<security::TlsCredentials> tls = nullptr;  // null: in the clear
  std::shared_ptr<const security::ScramCredentials> login = nullptr;
};

struct Process {
  cluster::ProcessView view;
  bool master = false;
  bool leads = false;
  AttackTarget target;
};

// Methods whose answer all users get, with or without grants: the servers, and the names of the user's tables. Any
// further method for users has to ask for grants.
const std::set<std::string_view> kToldToAllUsers = {"echo", "listTables", "listServers", "clusterInfo"};

// The possible answers to an attacker who got in.
Codes AnswersTo(const Villain& villain, const Access& access, std::string_view method, const Process& process) {
  if (villain.login != nullptr) return {Code::kPermissionDenied, Code::kOverloaded, Code::kUnavailable};
  const Kind whose = access.Of(method);
  const bool servers_may = whose == Kind::kUser ? !access.IsForPeople(method) : access.IsForServersToo(method);
  // A server's to call; but what it writes is others'.
  if (villain.kind == Kind::kServer && servers_may && method != "write") return {};
  if (villain.kind == Kind::kUser && whose == Kind::kUser) {
    // A standby knows no tables, and names the leader.
    if (process.master && !process.leads) return {Code::kOk, Code::kNotPrimary};
    if (kToldToAllUsers.contains(method)) return {Code::kOk};
  }
  return {Code::kPermissionDenied};
}

// A caller with permission, which works meanwhile.
class Bystander final : public load::Worker {
 public:
  Bystander(load::Workers& workers, Table table) : workers_(workers), table_(std::move(table)) {}
  bool Work() override {
    const auto written = table_.Put("a", "1", {.deadline = 5s});
    if (!written) workers_.Failed(written.error().ToString());
    return true;
  }
  std::chrono::nanoseconds Rest() override { return 10ms; }

 private:
  load::Workers& workers_;
  const Table table_;
};

class AttacksTest : public SecureClusterTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(MakeCertificates());
    Make("peer", {.kind = Kind::kServer, .name = "ts-3", .hosts = {"127.0.0.1"}});
    Make("gateway", {.kind = Kind::kGateway, .name = "gateway-1", .hosts = {"127.0.0.1"}});
    Make("mallory", {.name = "mallory"});
    Make("bob", {.name = "bob"});
    Make("expired", {.name = "ada", .days = -1});
    Make("revoked", {.name = "ada"});
    ASSERT_TRUE(security::Revoke(Path("ca"), Path("revoked/client.crt")).ok());
    for (const char* process : {"master", "server"})
      std::filesystem::copy_file(Path("ca/ca.crl"), Path(process) + "/ca.crl");
    ASSERT_TRUE(security::CreateAuthority(Path("ca2"), 10).ok());
    ASSERT_TRUE(
        security::CreateCertificate(Path("ca2"), Path("foreign"), {.kind = Kind::kOperator, .name = "olga"}).ok());
    std::filesystem::copy_file(Path("ca/ca.crt"), Path("foreign/ca.crt"),
                               std::filesystem::copy_options::overwrite_existing);
    // Each process writes it into its own directory.
    ASSERT_NO_FATAL_FAILURE(Start({"--password_logins", "--audit_log=audit.log"}));
  }

  std::shared_ptr<security::TlsCredentials> Credentials(const std::string& directory, const std::string& file) {
    const bool none = directory == "nothing";
    auto loaded = security::TlsCredentials::Load(
        Path(directory), file,
        none ? security::TlsCredentials::Own::kOptional : security::TlsCredentials::Own::kRequired);
    EXPECT_TRUE(loaded.has_value()) << loaded.error();
    return *loaded;
  }

  std::vector<Villain> Villains() {
    std::filesystem::create_directory(Path("nothing"));
    std::filesystem::copy_file(Path("ca/ca.crt"), Path("nothing/ca.crt"));
    return {
        {.name = "nobody, in the clear", .directory = "", .gets_in = false},
        {.name = "nobody", .directory = "nothing", .tls = Credentials("nothing", "client")},
        {.name = "a user without a grant",
         .directory = "mallory",
         .kind = Kind::kUser,
         .tls = Credentials("mallory", "client")},
        {.name = "a user of another table",
         .directory = "bob",
         .kind = Kind::kUser,
         .tls = Credentials("bob", "client")},
        {.name = "an expired certificate",
         .directory = "expired",
         .gets_in = false,
         .tls = *security::TlsCredentials::Load(Path("expired"), "client", security::TlsCredentials::Own::kOfAnyTime)},
        {.name = "a revoked certificate",
         .directory = "revoked",
         .gets_in = false,
         .tls = Credentials("revoked", "client")},
        {.name = "another authority's certificate",
         .directory = "foreign",
         .gets_in = false,
         .tls = Credentials("foreign", "client")},
        {.name = "a tablet server", .directory = "peer", .kind = Kind::kServer, .tls = Credentials("peer", "server")},
        {.name = "a gateway's listener",
         .directory = "gateway",
         .kind = Kind::kGateway,
         .tls = Credentials("gateway", "server")},
        {.name = "a wrong password",
         .directory = "nothing",
         .tls = Credentials("nothing", "client"),
         .login = std::make_shared<security::ScramCredentials>("ada", "guess")},
    };
  }

  // Everybody's but ZooKeeper's.
  std::vector<Process> Processes() {
    const auto info = olga_->DescribeCluster();
    const auto servers = olga_->ListServers();
    const auto tablets = olga_->ListTablets("carts");
    EXPECT_TRUE(info.has_value() && servers.has_value() && tablets.has_value());
    std::vector<Process> processes;
    for (const cluster::ProcessView& view : cluster_->launcher().Describe()) {
      if (view.role == cluster::Role::kZooKeeper) continue;
      Process process{.view = view,
                      .master = view.role == cluster::Role::kMaster,
                      .target = {.cluster_id = info->cluster_id,
                                 .table = "carts",
                                 .table_id = static_cast<int64_t>(tablets->front().table_id.value),
                                 .key = "k1",
                                 .server = view.name,
                                 .posed_as = view.name == "ts-2" ? "ts-1" : "ts-2",
                                 .user = "mallory"}};
      for (const TabletSummary& tablet : *tablets)
        process.target.tablets.push_back(static_cast<int64_t>(tablet.id.value));
      for (const MasterSummary& master : info->masters) process.leads |= master.name == view.name && master.leader;
      for (const ServerSummary& server : *servers)
        if (server.name == view.name) process.target.incarnation = static_cast<int64_t>(server.incarnation.value);
      processes.push_back(std::move(process));
    }
    return processes;
  }

  // Facts that must be as before once all is over.
  struct Truth {
    uint64_t term = 0;
    std::map<uint64_t, uint64_t> epochs;  // by tablet
    std::map<std::string, pid_t> processes;
    std::map<std::string, std::string> records;
  };
  Truth WhatIsTrue() {
    Truth truth;
    const auto info = olga_->DescribeCluster();
    const auto tablets = olga_->ListTablets();
    EXPECT_TRUE(info.has_value() && tablets.has_value());
    truth.term = info->term;
    for (const TabletSummary& tablet : *tablets) truth.epochs[tablet.id.value] = tablet.epoch.value;
    for (const cluster::ProcessView& view : cluster_->launcher().Describe()) truth.processes[view.name] = view.pid;
    const auto carts = olga_->OpenTable("carts");
    EXPECT_TRUE(carts.has_value()) << carts.error();
    auto scan = carts->Scan({.range = KeyRange::Prefix("k")});
    while (scan.Next()) truth.records[scan.key()] = scan.record().value;
    EXPECT_TRUE(scan.status().ok()) << scan.status();
    return truth;
  }

  // The metrics of a process.
  std::map<std::string, double> Metrics(const Process& process) {
    const rpc::Endpoint at = *rpc::Endpoint::Parse(process.view.http_address);
    const auto page = cluster::GetPage(at.host, at.port, "/metrics", 10s, Credentials("operator", "client"));
    EXPECT_TRUE(page.has_value()) << page.error();
    std::map<std::string, double> metrics;
    std::istringstream lines(page.value_or(""));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("ebla_rpc_"))
        metrics[line.substr(0, line.find(' '))] = std::stod(line.substr(line.find(' ')));
    }
    return metrics;
  }

  void MakeTables();
  void Attack(const Villain& villain, const Process& process);
  template <class Service>
  void AttackService(const Villain& villain, const Process& process, bool served);
  void AttackHttp(const Villain& villain, const Process& process);
  void ExpectCountedAndLogged(const Process& process, const std::map<std::string, double>& before);

  std::optional<Client> olga_;
  rpc::EventLoop loop_{"villains"};
  struct Tally {
    int tried = 0;     // calls
    int denied = 0;    // PERMISSION_DENIED, said by the process itself
    int kept_out = 0;  // by the handshake
    int guesses = 0;   // PERMISSION_DENIED, for a wrong password
  };
  std::map<std::string, Tally> tallies_;  // by process
  int requests_ = 0;                      // over HTTP
};

void AttacksTest::MakeTables() {
  using Change = AccessChange::Kind;
  auto client = Connect("operator");
  ASSERT_TRUE(client.has_value()) << client.error();
  olga_ = *std::move(client);
  for (const char* name : {"carts", "others"}) {
    const auto made = olga_->CreateTable(name, {.split_points = {"k5", "m"}});
    ASSERT_TRUE(made.has_value()) << made.error();
  }
  ASSERT_TRUE(olga_
                  ->ChangeAccess({{.kind = Change::kCreateUser, .name = "ada", .password = "sesame"},
                                  {.kind = Change::kCreateUser, .name = "bob"}})
                  .ok());
  for (const Permission permission : {Permission::kRead, Permission::kWrite, Permission::kAdmin})
    ASSERT_TRUE(
        olga_->ChangeAccess({{.kind = Change::kGrant, .name = "bob", .grant = {permission, "others", ""}}}).ok());
  const auto carts = olga_->OpenTable("carts");
  ASSERT_TRUE(carts.has_value()) << carts.error();
  for (int i = 0; i < 200; ++i) {
    const auto written = carts->Put("k" + std::to_string(i), std::to_string(i * i));
    ASSERT_TRUE(written.has_value()) << written.error();
  }
  // Every process counts grants, and knows bob's.
  auto bob = Connect("bob");
  ASSERT_TRUE(bob.has_value()) << bob.error();
  std::optional<Table> others;
  ASSERT_TRUE(Eventually([&] {
    auto opened = bob->OpenTable("others");
    if (opened) others = *std::move(opened);
    return others.has_value();
  }));
  ASSERT_TRUE(Eventually([&] { return others->Put("a", "1").has_value() && others->Put("z", "1").has_value(); }));
  EXPECT_EQ(bob->OpenTable("carts").error().code(), Code::kPermissionDenied);
}

// A caller that is refused at once, or may only log in, connects again for each method, because its connections do not
// last.
template <class Service>
void AttacksTest::AttackService(const Villain& villain, const Process& process, bool served) {
  const rpc::Endpoint at = *rpc::Endpoint::Parse(process.view.address);
  const Access access = rpc::ServiceMethods<Service>::RequiredAccess();
  std::unique_ptr<rpc::PipelinedConnector> connector;
  const auto connect = [&] {
    if (connector == nullptr || !villain.gets_in || villain.kind == Kind::kAnonymous)
      connector = std::make_unique<rpc::PipelinedConnector>(
          loop_, rpc::ChannelOptions{.tls = villain.tls, .login = villain.login});
    return connector->Connect(at, loop_);
  };
  std::vector<std::pair<const char*, Status>> answers;
  const auto call = [&]<class Request, class Reply>(const rpc::ServiceMethod<Service, Request, Reply>& method) {
    const auto stub = [&] {
      if constexpr (std::is_same_v<Service, idl::TabletServiceCobSvIf>) return rpc::MakeTabletStub(connect(), 10s);
      if constexpr (std::is_same_v<Service, idl::MasterServiceCobSvIf>) return rpc::MakeMasterStub(connect(), 10s);
      if constexpr (std::is_same_v<Service, idl::ControlServiceCobSvIf>) return rpc::MakeControlStub(connect(), 10s);
      if constexpr (std::is_same_v<Service, idl::ReplicationServiceCobSvIf>)
        return rpc::MakeReplicationStub(connect(), 10s);
    }();
    std::promise<Status> answer;
    (*stub.*method.call)([&](const Reply& reply) { answer.set_value(rpc::FailureOf(reply)); },
                         MakeAttack<Request>(process.target));
    answers.emplace_back(method.name, answer.get_future().get());
  };
  std::apply([&](const auto&... method) { (call(method), ...); }, rpc::ServiceMethods<Service>::kAll);
  Tally& tally = tallies_[process.view.name];
  for (const auto& [name, status] : answers) {
    ++tally.tried;
    Codes right = !villain.gets_in                     ? Codes{Code::kUnavailable, Code::kUnknownOutcome}
                  : served || villain.login != nullptr ? AnswersTo(villain, access, name, process)
                                                       : Codes{Code::kInternal};
    if (right.empty()) continue;
    EXPECT_TRUE(right.contains(status.code()))
        << villain.name << " asks " << process.view.name << " to " << name << ": " << status;
    if (!villain.gets_in) ++tally.kept_out;
    if (!villain.gets_in || status.code() != Code::kPermissionDenied) continue;
    ++(villain.login == nullptr ? tally.denied : tally.guesses);
  }
}

void AttacksTest::Attack(const Villain& villain, const Process& process) {
  AttackService<idl::TabletServiceCobSvIf>(villain, process, !process.master);
  AttackService<idl::ControlServiceCobSvIf>(villain, process, !process.master);
  AttackService<idl::ReplicationServiceCobSvIf>(villain, process, !process.master);
  AttackService<idl::MasterServiceCobSvIf>(villain, process, process.master);
  AttackHttp(villain, process);
}

// The status of the answer; "000": none.
std::string StatusOf(const std::string& curl) {
  std::FILE* pipe = ::popen(("curl -sk -o /dev/null -m 10 -w '%{http_code}' " + curl).c_str(), "r");
  char bytes[16] = {};
  const size_t count = pipe == nullptr ? 0 : std::fread(bytes, 1, sizeof bytes - 1, pipe);
  if (pipe != nullptr) ::pclose(pipe);
  return {bytes, count};
}

void AttacksTest::AttackHttp(const Villain& villain, const Process& process) {
  const std::string name = villain.kind == Kind::kServer || villain.kind == Kind::kGateway ? "server" : "client";
  const std::string file = Path(villain.directory) + "/" + name;
  const std::string shown = villain.directory.empty() || villain.directory == "nothing"
                                ? ""
                                : "--cert " + file + ".crt --key " + file + ".key ";
  const std::string url = (villain.tls == nullptr ? "http://" : "https://") + process.view.http_address;
  const std::string refused = villain.gets_in ? "403" : "000";
  const auto expect = [&](const std::string& what) {
    ++requests_;
    EXPECT_EQ(StatusOf(shown + what), refused) << villain.name << " at " << process.view.name << ": " << what;
  };
  expect("-X POST '" + url + "/flags?v=9'");
  if (villain.kind != Kind::kAnonymous && villain.kind != Kind::kGateway)
    return;  // who shows a certificate of the cluster may read
  expect(url + "/flags");
  expect(url + "/metrics");
}

void AttacksTest::ExpectCountedAndLogged(const Process& process, const std::map<std::string, double>& before) {
  SCOPED_TRACE(process.view.name);
  const Tally& tally = tallies_[process.view.name];
  const std::map<std::string, double> after = Metrics(process);
  const auto grown = [&](const std::string& name) { return after.at(name) - before.at(name); };
  EXPECT_GT(tally.denied, 80) << "five got in, and each process serves more than twenty methods";
  EXPECT_GE(tally.guesses, 1);
  EXPECT_LE(tally.guesses, 20) << "ten a minute from an address, and then no more";
  EXPECT_GE(grown("ebla_rpc_denied_total"), tally.denied + tally.guesses);
  EXPECT_GT(tally.kept_out, 100);
  EXPECT_GE(grown("ebla_rpc_connections_broken_total"), tally.kept_out);

  std::ifstream log(cluster_->launcher().DataDir(process.view.name) + "/audit.log");
  int refusals = 0;
  for (std::string line; std::getline(log, line);) refusals += line.contains("\"PERMISSION_DENIED\"") ? 1 : 0;
  EXPECT_GE(refusals, 1);
  EXPECT_LE(refusals, 40) << "20 a minute for an address, and all of this has taken less than one";
}

TEST_F(AttacksTest, WhoMayNotIsRefusedByEveryProcessAndNothingElseHappens) {
  ASSERT_NO_FATAL_FAILURE(MakeTables());
  const std::vector<Process> processes = Processes();
  ASSERT_EQ(processes.size(), 5u);
  std::map<std::string, std::map<std::string, double>> metrics;
  for (const Process& process : processes) metrics[process.view.name] = Metrics(process);
  const Truth before = WhatIsTrue();
  EXPECT_EQ(before.records.size(), 200u);
  const std::vector<Villain> villains = Villains();
  const Table carts = *olga_->OpenTable("carts");
  load::Workers others;
  others.Add(std::make_unique<Bystander>(others, carts));

  const auto begun = std::chrono::steady_clock::now();
  loop_.Start();
  for (const Villain& villain : villains) {
    for (const Process& process : processes) Attack(villain, process);
  }
  const auto took = std::chrono::steady_clock::now() - begun;
  others.Stop();
  others.Join();
  EXPECT_THAT(others.failures(), IsEmpty()) << "who may goes on meanwhile";

  for (const char* key : {"a", "z"}) {
    const auto written = carts.Put(key, "after", {.deadline = 1s});
    EXPECT_TRUE(written.has_value()) << key << ": " << written.error();
  }
  int tried = requests_;
  for (const Process& process : processes) {
    ExpectCountedAndLogged(process, metrics[process.view.name]);
    tried += tallies_[process.view.name].tried;
  }
  const Truth after = WhatIsTrue();
  EXPECT_EQ(after.records, before.records);
  EXPECT_EQ(after.processes, before.processes) << "no process was restarted";
  EXPECT_LT(after.term, before.term + 10);
  ASSERT_EQ(after.epochs.size(), before.epochs.size());
  for (const auto& [tablet, epoch] : before.epochs) EXPECT_LT(after.epochs.at(tablet), epoch + 10) << "of " << tablet;
  std::cout << "tried " << tried << " combinations of villain, process and method, " << requests_
            << " of them over HTTP, in " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
            << " ms\n";
}

}  // namespace
}  // namespace ebla::testing
