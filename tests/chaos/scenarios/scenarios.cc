#include "tests/chaos/scenarios/scenarios.h"

#include <signal.h>

#include <chrono>
#include <future>
#include <random>
#include <sstream>
#include <thread>

#include "test_paths.h"
#include "tests/chaos/load/single_writer_load.h"
#include "tests/integration/test_cluster.h"
#include "tools/ycsb/ebla_database.h"
#include "tools/ycsb/runner.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::TestCluster;

constexpr auto kLastReadTimeMax = 60s;
constexpr int64_t kWritesBetweenKills = 100;

void Tell(const Say& say, const std::string& text) {
  if (say) say(text);
}

// The prefix of a writer's keys.
std::string WriterPrefix(int writer) {
  char text[16];
  std::snprintf(text, sizeof(text), "%02d", writer);
  return text;
}

Result<Table> MakeLoadTable(const Client& client, TableDurability durability, int writers) {
  CreateTableOptions options;
  options.table.durability = durability;
  for (int writer = 1; writer < writers; ++writer) {
    options.split_points.push_back(WriterPrefix(writer));
  }
  if (const auto made = client.CreateTable("single-writer", options); !made) return Error(made.error());
  return client.OpenTable("single-writer");
}

Status AwaitWrites(const SingleWriterLoad& load) {
  return load::AwaitProgress([&load] { return load.acknowledged(); }, kWritesBetweenKills);
}

// Kills servers under the load, round by round.
class ServerKiller {
 public:
  ServerKiller(TestCluster& cluster, Table table, const SingleWriterLoad& load, int writers,
               const KillServersOptions& options)
      : cluster_(cluster),
        table_(std::move(table)),
        load_(load),
        writers_(writers),
        say_(options.say),
        random_(options.seed) {}

  // One or two servers die at a random moment and come back: now and then before they serve again from the time before,
  // but not twice in a row, so that no outage outlasts the load's deadline.
  Status Round() {
    early_ = !early_ && random_() % 4 == 0;
    if (!early_) EBLA_TRY(AwaitService());
    EBLA_TRY(AwaitWrites(load_));
    std::this_thread::sleep_for(milliseconds(random_() % 700));
    const uint64_t first = random_() % 3;
    std::vector<std::string> victims = {"ts-" + std::to_string(1 + first)};
    if (random_() % 4 == 0) victims.push_back("ts-" + std::to_string(1 + (first + 1) % 3));
    for (const std::string& victim : victims) {
      EBLA_TRY(cluster_.launcher().Kill(victim, SIGKILL));  // NOT_FOUND: it had ended by itself
      ++kills_;
    }
    std::this_thread::sleep_for(milliseconds(random_() % 500));
    for (const std::string& victim : victims) {
      EBLA_TRY(cluster_.launcher().Restart(victim, false));
      Tell(say_, "kill " + std::to_string(kills_) + ": " + victim + ", after " + std::to_string(load_.acknowledged()) +
                     " acknowledged writes");
    }
    return cluster_.launcher().WaitUntilReady();
  }
  int kills() const { return kills_; }

 private:
  // Each writer has a tablet of its own; a strong read shows that it is served.
  Status AwaitService() const {
    for (int writer = 0; writer < writers_; ++writer) {
      const auto read = table_.Get(WriterPrefix(writer), {.read = Read::Strong(), .deadline = kLastReadTimeMax});
      if (read || read.error().code() == Code::kNotFound) continue;
      return Error(Code::kUnavailable,
                   "writer " + std::to_string(writer) +
                       "'s tablet is not served, though every server is back: " + read.error().ToString());
    }
    return Status::Ok();
  }

  TestCluster& cluster_;
  const Table table_;
  const SingleWriterLoad& load_;
  const int writers_;
  const Say& say_;
  std::mt19937_64 random_;
  bool early_ = false;  // the present round did not wait for the victims of the one before
  int kills_ = 0;
};

void JudgeLoad(const SingleWriterLoadReport& report, int kills, ScenarioReport& out) {
  for (const std::string& violation : report.violations) out.faults.push_back("broken promise: " + violation);
  for (const std::string& failure : report.failures) out.faults.push_back("failed operation: " + failure);
  if (report.acknowledged < kills * kWritesBetweenKills / 2 || report.reads == 0)
    out.faults.push_back("too little was done to prove anything");
  std::ostringstream text;
  text << kills << " kills of tablet servers, " << report.acknowledged << " acknowledged writes, " << report.reads
       << " checked reads, " << report.violations.size() << " broken promises, " << report.failures.size()
       << " failed operations, longest wait " << report.longest_wait.count() << " ms";
  out.summary = text.str();
}

// YCSB's workload A, from this process.
class YcsbLoad {
 public:
  static Result<std::unique_ptr<YcsbLoad>> Make(const KillMastersOptions& options, const std::string& masters) {
    auto load = std::unique_ptr<YcsbLoad>(new YcsbLoad);
    ycsb::Properties& properties = load->properties_;
    EBLA_TRY(properties.AddFile(std::string(kSourceDir) + "/conf/ycsb/workloada"));
    properties.Set("recordcount", std::to_string(options.records));
    properties.Set("operationcount", "0");
    properties.Set("maxexecutiontime", std::to_string(options.seconds));
    properties.Set("threadcount", std::to_string(options.threads));
    properties.Set("ebla.masters", masters);
    properties.Set("ebla.splits", "6");
    properties.Set("ebla.deadline_ms", std::to_string(options.deadline.count()));
    return load;
  }

  Result<ycsb::RunResult> Execute(bool load) {
    EBLA_ASSIGN(ycsb::RunnerOptions runner_options, ycsb::RunnerOptions::Parse(properties_, load));
    EBLA_ASSIGN(ycsb::WorkloadOptions workload_options, ycsb::WorkloadOptions::Parse(properties_, load));
    EBLA_ASSIGN(ycsb::EblaOptions database_options, ycsb::EblaOptions::Parse(properties_, workload_options));
    EBLA_ASSIGN(const auto workload, ycsb::Workload::Make(std::move(workload_options), load));
    if (load) runner_options.execution_time_max = {};
    ycsb::EblaDriver driver(std::move(database_options));
    std::ostringstream discarded;
    ycsb::Runner runner(std::move(runner_options), *workload, driver, discarded);
    return runner.Execute();
  }

 private:
  ycsb::Properties properties_;
};

// Makes a table and drops it.
Status CheckControlPlane(TestCluster& cluster, int round) {
  EBLA_ASSIGN(const Client client, cluster.Connect(30s));
  const std::string name = "check-" + std::to_string(round);
  if (const auto made = client.CreateTable(name, {.deadline = 30s}); !made) return made.error();
  return client.DropTable(name);
}

// Kills a process and restarts it. Returns the fault.
Status HarmControl(TestCluster& cluster, int round, int down_seconds, const Say& say) {
  std::string victim = "zookeeper";
  if (round % 3 == 0) {
    EBLA_ASSIGN(victim, cluster.LeadingMaster());
  } else if (round % 3 == 1) {
    EBLA_ASSIGN(victim, cluster.StandbyMaster());
  }
  constexpr const char* kWho[] = {"the leading master", "the standby", "ZooKeeper"};
  Tell(say, std::string("kill ") + kWho[round % 3] + ", " + victim);
  EBLA_TRY(cluster.launcher().Kill(victim, SIGKILL));
  std::this_thread::sleep_for(std::chrono::seconds(down_seconds));
  EBLA_TRY(cluster.launcher().Restart(victim));
  EBLA_TRY(CheckControlPlane(cluster, round));
  Tell(say, victim + " is back, and tables can be made");
  return Status::Ok();
}

}  // namespace

ScenarioReport KillServers(const KillServersOptions& options) {
  ScenarioReport report;
  const auto fail = [&report](const std::string& text) {
    report.faults.push_back(text);
    return report;
  };
  auto cluster = TestCluster::Start();
  if (!cluster) return fail(cluster.error().ToString());
  const auto client = (*cluster)->Connect(30s);
  if (!client) return fail(client.error().ToString());
  const SingleWriterLoadOptions load_options{.seed = options.seed, .deadline = 60s};
  const auto table = MakeLoadTable(*client, options.durability, load_options.writers);
  if (!table) return fail(table.error().ToString());
  SingleWriterLoad load(*table, load_options);
  load.Start();
  ServerKiller killer(**cluster, *table, load, load_options.writers, options);
  while (killer.kills() < options.kills && report.faults.empty()) {
    if (const Status round = killer.Round(); !round.ok()) report.faults.push_back(round.ToString());
  }
  if (report.faults.empty()) {
    if (const Status end = AwaitWrites(load); !end.ok()) report.faults.push_back(end.ToString());
  }
  JudgeLoad(load.Finish(), killer.kills(), report);
  return report;
}

ScenarioReport KillMasters(const KillMastersOptions& options) {
  ScenarioReport report;
  const auto fail = [&report](const std::string& text) {
    report.faults.push_back(text);
    return report;
  };
  auto cluster = TestCluster::Start();
  if (!cluster) return fail(cluster.error().ToString());
  auto load = YcsbLoad::Make(options, (*cluster)->Masters());
  if (!load) return fail(load.error().ToString());
  if (const auto loaded = (*load)->Execute(true); !loaded || loaded->failed > 0)
    return fail("loading failed: " + (loaded ? loaded->last_failure : loaded.error()).ToString());

  auto run = std::async(std::launch::async, [&] { return (*load)->Execute(false); });
  int rounds = 0;
  // A round takes down_seconds and some; none is begun that the load would not see to its end.
  const auto last_begin = steady_clock::now() + std::chrono::seconds(options.seconds - 3 * options.down_seconds);
  do {
    std::this_thread::sleep_for(2s);
    const Status harmed = HarmControl(**cluster, rounds++, options.down_seconds, options.say);
    if (!harmed.ok()) report.faults.push_back(harmed.ToString());
  } while (report.faults.empty() && steady_clock::now() < last_begin);
  const Result<ycsb::RunResult> result = run.get();
  if (!result) return fail(result.error().ToString());
  if (result->failed > 0)
    report.faults.push_back(std::to_string(result->failed) +
                            " operations failed, the last one: " + result->last_failure.ToString());
  if (rounds < 3 || result->succeeded < static_cast<uint64_t>(options.seconds) * 100)
    report.faults.push_back("too little was done to prove anything");
  std::ostringstream text;
  text << rounds << " kills of masters and ZooKeeper\n";
  ycsb::PrintResult({}, *result, text);
  report.summary = text.str();
  return report;
}

}  // namespace ebla::chaos
