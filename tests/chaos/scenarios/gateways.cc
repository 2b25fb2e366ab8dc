// Clients of gateways, whose servers, masters and gateways die and stop while tablets split, merge and move:
// scenarios.h says what is proved. A kind of harm is one line of kHarms.
#include "tests/chaos/gateways/gateways.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "tests/chaos/load/gateway_load.h"
#include "tests/chaos/namespaces/network_namespaces.h"
#include "tests/chaos/scenarios/scenario_run.h"
#include "tests/chaos/scenarios/tablet_changes.h"
#include "tests/integration/test_cluster.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kGatewayServers = 4;
constexpr size_t kGateways = 3;
constexpr auto kTablesWholeTimeMax = 90s;
constexpr int64_t kCallsPerHarm = 100;
constexpr size_t kHarmsLeast = 4;  // kinds of them
constexpr uint64_t kEvictingLimit = 24 << 20;
constexpr char kGatewayClients[] = "clients";

// A database of Redis's listener, or what is at Memcached's, and its table.
struct Place {
  std::string database;
  std::string table;
  bool memory = false;
};

// All members with a separate network.
std::vector<std::string> GatewayMembers() {
  std::vector<std::string> names = {"zookeeper", "m-1", "m-2", kGatewayClients};
  for (int i = 1; i <= kGatewayServers; ++i) names.push_back("ts-" + std::to_string(i));
  for (size_t i = 0; i < kGateways; ++i) names.push_back(Gateways::Name(i));
  return names;
}

// The group of the records of a key with a tag (docs/guide/redis.md); for another key, its own records.
std::string SplitKeyOf(const std::string& key) {
  const size_t open = key.find('{');
  const size_t close = key.find('}');
  return open == std::string::npos ? key : "\1\3" + key.substr(open + 1, close - open - 1);
}

class GatewayRun {
 public:
  GatewayRun(const GatewayChaosOptions& options) : options_(options), random_(options.seed) {}

  Status Begin() {
    testing::TestClusterOptions cluster{.servers = kGatewayServers,
                                        .master_flags = {"--splits", "--balance=false"},
                                        .server_flags = {"--memory_tables_mb=256"}};
    if (options_.network) {
      EBLA_ASSIGN(namespaces_, NetworkNamespaces::Make(GatewayMembers()));
      cluster.launch_context = [this](const std::string& name) { return namespaces_->LaunchContextOf(name); };
    }
    EBLA_ASSIGN(cluster_, testing::TestCluster::Start(cluster));
    EBLA_ASSIGN(client_, MakeClient());
    places_ = {{"1", "redis-1", Evicting()},
               {"2", "redis-2", Memory()},
               {GatewayLoad::kCache, "cache", Evicting() || (Memory() && options_.seed % 2 == 0)}};
    EBLA_TRY(MakeTable("redis", false));
    for (const Place& place : places_) EBLA_TRY(MakeTable(place.table, place.memory));
    gateways_ = std::make_unique<Gateways>(GatewaysOptions{.program = cluster_->GatewayProgram(),
                                                           .dir = cluster_->dir(),
                                                           .masters = cluster_->Masters(),
                                                           .flags = {"--deadline_ms=8000"},
                                                           .launch_context = cluster.launch_context});
    EBLA_TRY(gateways_->Start(kGateways));
    load_ = std::make_unique<GatewayLoad>(
        *gateways_,
        GatewayLoadOptions{
            .seed = options_.seed, .databases = {places_[0].database, places_[1].database}, .evicting = Evicting()});
    return AwaitWhole();
  }

  // Clients work while this and that is harmed; then all is well again, and they are judged.
  Status Round(int number) {
    const auto end = steady_clock::now() + options_.round;
    // Its threads stand where they are started.
    if (namespaces_) EBLA_TRY(namespaces_->Enter(kGatewayClients));
    load_->Begin(number);
    if (namespaces_) EBLA_TRY(namespaces_->Enter(""));
    Status status = load_->AwaitProgress(kCallsPerHarm);
    while (status.ok() && (steady_clock::now() < end || (options_.each && harms_ < std::size(kHarms)))) {
      status = Harm();
      if (status.ok()) status = load_->AwaitProgress(kCallsPerHarm);
    }
    load_->End();
    EBLA_TRY(Status(status));
    // Requests sent to a gateway end with it.
    for (size_t i = 0; i < gateways_->count(); ++i) EBLA_TRY(gateways_->End(i));
    EBLA_TRY(AwaitWhole());
    for (size_t i = 0; i < gateways_->count(); ++i) EBLA_TRY(gateways_->Restart(i));
    for (std::string& problem : load_->Judge()) faults_.push_back("round " + std::to_string(number) + ": " + problem);
    return Emptied();
  }

  Status Check() {
    const testing::Shown check = cluster_->Ebla("check");
    return check.code == 0 ? Status() : Error(Code::kInternal, "ebla check: " + check.text);
  }

  ScenarioReport Finish(const Status& status) {
    if (!status.ok()) faults_.push_back(status.ToString());
    std::ostringstream text;
    for (const auto& [name, times] : done_) text << times << " times " << name << "; ";
    if (status.ok() && done_.size() < kHarmsLeast) faults_.emplace_back("too little was harmed to prove anything");
    for (const Harmful& harm : kHarms)
      if (status.ok() && options_.each && IsFor(harm) && !done_.contains(harm.name))
        faults_.push_back(std::string("there was no ") + harm.name);
    if (load_ == nullptr) return {faults_, text.str()};
    for (const std::string& name : load_->NeverForgotten())
      if (status.ok()) faults_.push_back("nothing was forgotten of " + name + ": its table was never full");
    text << load_->ToString();
    return {faults_, text.str()};
  }
  bool faultless() const { return faults_.empty(); }

 private:
  struct Harmful {
    const char* name;
    Status (GatewayRun::*run)();
    bool several = false;  // servers at once: what is in memory alone is lost
    bool network = false;  // it is cut
  };
  static const Harmful kHarms[17];

  bool Memory() const { return options_.tables != GatewayTables::kDisk; }
  bool Evicting() const { return options_.tables == GatewayTables::kEvicting; }

  Result<std::optional<Client>> MakeClient() {
    EBLA_ASSIGN(Client client, cluster_->Connect(30s));
    return client;
  }

  Status MakeTable(const std::string& name, bool memory) {
    CreateTableOptions options{.deadline = 30s};
    options.table.replicas = 3;
    options.table.key_group = TableKeyGroup{.delimiter = '\0'};
    if (memory) options.table.memory = true;
    if (memory && Evicting()) {
      options.table.memory_limit = kEvictingLimit;
      options.table.eviction = TableEviction::kLru;
    }
    for (const char* at : {"\1\3bank2", "\1\3g2", "c"}) options.split_points.emplace_back(at);
    const auto made = client_->CreateTable(name, options);
    return made ? Status() : made.error();
  }

  // Every replica of every table has what its primary has, and is sure of it: now one may die.
  std::string WhyNotWhole() const {
    for (const Place& place : places_) {
      const auto tablets = client_->ListReplicas(place.table);
      if (!tablets) return tablets.error().ToString();
      for (const TabletSummary& tablet : *tablets) {
        const std::string name = place.table + ", tablet " + std::to_string(tablet.id.value);
        if (tablet.primary.empty() || !tablet.incomplete.empty() || !tablet.learners.empty()) return name;
        if (tablet.voters.size() != 3 || tablet.replicas.size() != 3) return name + " has not three replicas";
        for (const ReplicaReport& replica : tablet.replicas) {
          const char* const lacks = !replica.reported               ? "is not reported"
                                    : !replica.known                ? "is not known"
                                    : replica.incomplete            ? "is incomplete"
                                    : replica.may_have_lost_writes  ? "may have lost writes"
                                    : replica.epoch != tablet.epoch ? "is not in the tablet's epoch"
                                                                    : nullptr;
          if (lacks != nullptr) return name + " at " + replica.server + " " + lacks;
        }
      }
    }
    return "";
  }
  Status AwaitWhole() const {
    std::string why;
    if (testing::Eventually([&] { return (why = WhyNotWhole()).empty(); }, kTablesWholeTimeMax)) return Status::Ok();
    return Error(Code::kUnavailable, "though all are back, this is not whole: " + why);
  }
  Status Emptied() {
    for (const Place& place : places_) {
      EBLA_ASSIGN(const TableInfo table, client_->DescribeTable(place.table));
      if (table.times_emptied != 0)
        return Error(Code::kInternal, place.table + " began anew, though a majority was there all the time");
    }
    return Status::Ok();
  }

  bool IsFor(const Harmful& harm) const { return (!harm.several || !Memory()) && (!harm.network || options_.network); }
  Status Harm() {
    // Each harm once, then random ones.
    const size_t next = harms_ < std::size(kHarms) ? harms_ : random_() % std::size(kHarms);
    ++harms_;
    const Harmful& harm = kHarms[next];
    if (!IsFor(harm)) return Status::Ok();
    const auto begun = steady_clock::now();
    what_.clear();
    EBLA_TRY((this->*harm.run)());
    ++done_[harm.name];
    const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun);
    Tell(std::string(harm.name) + " " + what_ + ", " + std::to_string(took.count()) + " ms");
    return Status::Ok();
  }
  void Tell(const std::string& text) const {
    if (options_.say) options_.say(text);
  }
  void SleepUpTo(int milliseconds_max) {
    std::this_thread::sleep_for(milliseconds(random_() % static_cast<uint64_t>(milliseconds_max)));
  }
  std::string AnyServer() { return "ts-" + std::to_string(1 + random_() % kGatewayServers); }

  Status KillServer() {
    EBLA_TRY(AwaitWhole());
    const std::string server = AnyServer();
    what_ += server;
    EBLA_TRY(cluster_->launcher().Kill(server, SIGKILL));
    SleepUpTo(2'500);
    return cluster_->launcher().Restart(server);
  }
  // While it is filled again, or takes what it missed.
  Status KillServerAgain() {
    EBLA_TRY(AwaitWhole());
    const std::string server = AnyServer();
    what_ += server;
    for (int times = 0; times < 3; ++times) {
      EBLA_TRY(cluster_->launcher().Kill(server, SIGKILL));
      EBLA_TRY(cluster_->launcher().Restart(server));
      SleepUpTo(700);
    }
    return Status::Ok();
  }
  // The paused server has records that the returning one lacks.
  Status PauseWhileAnotherReturns() {
    EBLA_TRY(AwaitWhole());
    const size_t number = random_() % kGatewayServers;
    const std::string dead = "ts-" + std::to_string(1 + number);
    const std::string paused = "ts-" + std::to_string(1 + (number + 1 + random_() % 3) % kGatewayServers);
    what_ += dead + " returns, " + paused + " pauses";
    EBLA_TRY(cluster_->launcher().Kill(dead, SIGKILL));
    SleepUpTo(1'500);
    EBLA_TRY(cluster_->launcher().Restart(dead, false));
    SleepUpTo(500);
    EBLA_TRY(cluster_->launcher().Kill(paused, SIGSTOP));
    SleepUpTo(3'000);
    EBLA_TRY(cluster_->launcher().Kill(paused, SIGCONT));
    return AwaitWhole();
  }
  Status KillServers(size_t first, size_t count) {
    std::vector<std::string> servers;
    for (size_t i = 0; i < count; ++i) servers.push_back("ts-" + std::to_string(1 + (first + i) % kGatewayServers));
    for (const std::string& server : servers) EBLA_TRY(cluster_->launcher().Kill(server, SIGKILL));
    SleepUpTo(1'500);
    for (const std::string& server : servers) EBLA_TRY(cluster_->launcher().Restart(server));
    return Status::Ok();
  }
  Status KillTwoServers() { return KillServers(random_() % kGatewayServers, 2); }
  Status KillAllServers() { return KillServers(0, kGatewayServers); }
  Status KillGateway() {
    const size_t gateway = random_() % gateways_->count();
    what_ += std::to_string(gateway + 1);
    EBLA_TRY(gateways_->Kill(gateway));
    SleepUpTo(1'000);
    return gateways_->Restart(gateway);
  }
  Status EndGateway() {
    const size_t gateway = random_() % gateways_->count();
    what_ += std::to_string(gateway + 1);
    EBLA_TRY(gateways_->End(gateway));
    return gateways_->Restart(gateway);
  }
  Status KillMaster() {
    EBLA_ASSIGN(const std::string master, cluster_->LeadingMaster());
    what_ += master;
    EBLA_TRY(cluster_->launcher().Kill(master, SIGKILL));
    SleepUpTo(1'000);
    return cluster_->launcher().Restart(master);
  }
  Status PauseServer() {
    EBLA_TRY(AwaitWhole());
    const std::string server = AnyServer();
    what_ += server;
    EBLA_TRY(cluster_->launcher().Kill(server, SIGSTOP));
    std::this_thread::sleep_for(300ms);
    SleepUpTo(3'500);
    return cluster_->launcher().Kill(server, SIGCONT);
  }
  Status PauseGateway() {
    const size_t gateway = random_() % gateways_->count();
    what_ += std::to_string(gateway + 1);
    EBLA_TRY(gateways_->Signal(gateway, SIGSTOP));
    SleepUpTo(3'000);
    return gateways_->Signal(gateway, SIGCONT);
  }

  using Change = std::function<Status(const Client&)>;
  Change AnyChange() {
    const Place& place = places_[random_() % places_.size()];
    const auto keys = load_->Keys(place.database);
    const std::string key = SplitKeyOf(keys[random_() % keys.size()]);
    TabletChange change = DrawTabletChange(*client_, random_, place.table, key, kGatewayServers);
    what_ += change.what;
    return std::move(change.run);
  }
  void Told(const Status& status) {
    what_ += status.ok() ? " (done)" : " (" + status.ToString() + ")";
    changes_done_ += status.ok() ? 1 : 0;
  }

  Status ChangeAlone() {
    Told(AnyChange()(*client_));
    return Status::Ok();
  }
  template <class Kill>
  Status ChangeAnd(Kill kill) {
    EBLA_TRY(AwaitWhole());
    auto asked = std::async(std::launch::async, [change = AnyChange(), client = *client_] { return change(client); });
    SleepUpTo(random_() % 2 == 0 ? 30 : 800);
    what_ += "; ";
    const Status killed = kill();
    Told(asked.get());
    return killed;
  }
  Status ChangeAndServer() {
    return ChangeAnd([this]() -> Status {
      const std::string server = AnyServer();
      what_ += server;
      EBLA_TRY(cluster_->launcher().Kill(server, SIGKILL));
      SleepUpTo(1'500);
      return cluster_->launcher().Restart(server);
    });
  }
  Status ChangeAndMaster() {
    return ChangeAnd([this] { return KillMaster(); });
  }
  Status ServerAndGateway() {
    EBLA_TRY(AwaitWhole());
    const std::string server = AnyServer();
    EBLA_TRY(cluster_->launcher().Kill(server, SIGKILL));
    what_ += server + " and ";
    const Status gateway = KillGateway();
    EBLA_TRY(cluster_->launcher().Restart(server));
    return gateway;
  }

  // No process dies of a cut, so records in memory stay, wherever the cut is.
  Status CutFor(const NetworkCut& cut) {
    what_ += cut.ToString();
    EBLA_TRY(namespaces_->Cut(cut));
    std::this_thread::sleep_for(300ms);
    SleepUpTo(4'000);
    return namespaces_->HealAll();
  }
  Status CutServer() {
    const std::string server = AnyServer();
    const auto others = NamesWithout(GatewayMembers(), {server});
    switch (random_() % 3) {
      case 0: return CutFor({{server}, others, true});
      case 1: return CutFor({{server}, others, false});
      default: return CutFor({others, {server}, false});
    }
  }
  Status CutGateway() {
    const std::string gateway = Gateways::Name(random_() % kGateways);
    std::vector<std::string> others = NamesWithout(GatewayMembers(), {gateway});
    std::erase_if(others, [&](const std::string&) { return random_() % 2 == 0; });
    if (others.empty()) others = {AnyServer()};
    return CutFor({{gateway}, others, random_() % 2 == 0});
  }
  Status CutAnywhere() { return CutFor(DrawCut(GatewayMembers(), random_)); }

  const GatewayChaosOptions options_;
  std::mt19937_64 random_;
  std::vector<Place> places_;
  std::unique_ptr<NetworkNamespaces> namespaces_;  // outlives the processes in them
  std::unique_ptr<testing::TestCluster> cluster_;
  std::optional<Client> client_;
  std::unique_ptr<Gateways> gateways_;
  std::unique_ptr<GatewayLoad> load_;
  std::string what_;
  size_t harms_ = 0;
  int changes_done_ = 0;
  std::map<std::string, int> done_;
  std::vector<std::string> faults_;
};

const GatewayRun::Harmful GatewayRun::kHarms[] = {{"kill of a server", &GatewayRun::KillServer},
                                                  {"cut around a server", &GatewayRun::CutServer, false, true},
                                                  {"cut of a gateway", &GatewayRun::CutGateway, false, true},
                                                  {"cut anywhere", &GatewayRun::CutAnywhere, false, true},
                                                  {"kill of a gateway", &GatewayRun::KillGateway},
                                                  {"change", &GatewayRun::ChangeAlone},
                                                  {"pause of a server", &GatewayRun::PauseServer},
                                                  {"change and a server's death", &GatewayRun::ChangeAndServer},
                                                  {"pause of a gateway", &GatewayRun::PauseGateway},
                                                  {"kill of a master", &GatewayRun::KillMaster},
                                                  {"change and a master's death", &GatewayRun::ChangeAndMaster},
                                                  {"end of a gateway", &GatewayRun::EndGateway},
                                                  {"kill of a server and a gateway", &GatewayRun::ServerAndGateway},
                                                  {"kill of a server again", &GatewayRun::KillServerAgain},
                                                  {"pause and return", &GatewayRun::PauseWhileAnotherReturns},
                                                  {"kill of two servers", &GatewayRun::KillTwoServers, true},
                                                  {"kill of all servers", &GatewayRun::KillAllServers, true}};

ScenarioReport RunGateways(const GatewayChaosOptions& options) {
  GatewayRun run(options);
  if (const Status begun = run.Begin(); !begun.ok()) return {{begun.ToString()}, "not begun"};
  Status status;
  const auto end = steady_clock::now() + options.length;
  for (int round = 0; status.ok() && run.faultless() && (round == 0 || steady_clock::now() < end); ++round)
    status = run.Round(round);
  if (status.ok()) status = run.Check();
  return run.Finish(status);
}

}  // namespace

ScenarioReport HarmGateways(const GatewayChaosOptions& options) {
  return OnThreadOfItsOwn([&] { return RunGateways(options); });
}

}  // namespace ebla::chaos
