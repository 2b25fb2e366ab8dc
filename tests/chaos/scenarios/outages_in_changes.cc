// The scenario of planned changes in which ZooKeeper stops. scenarios.h has its promise.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <random>
#include <thread>

#include "tests/chaos/scenarios/scenario_run.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr int kTabletsMost = 24;
constexpr auto kOutagesJudgedEvery = 4s;  // a longer history takes too long to search
constexpr auto kDrainFor = 2s;

// Changes without rest, of tablets drawn at random, until it ends. While ZooKeeper is away they wait, or fail.
class SteadyChanges {
 public:
  SteadyChanges(const Client& client, uint64_t seed) : client_(client), random_(seed), thread_([this] { Run(); }) {}
  ~SteadyChanges() { Stop(); }

  void Stop() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int done() const { return done_; }  // with success

 private:
  void Run() {
    while (!over_) {
      const auto tablets = client_.ListTablets(HistoryLoad::kTable);
      if (!tablets || tablets->empty()) continue;
      if (Change((*tablets)[random_() % tablets->size()], tablets->size()).ok()) ++done_;
    }
  }

  Status Change(const TabletSummary& tablet, size_t tablets) {
    const std::string key = tablet.range.start + '\0';
    const uint64_t kind = random_() % 16;
    if (kind == 0) return DrainForAWhile("ts-" + std::to_string(1 + random_() % kElasticServers));
    if (kind == 1 && tablets < kTabletsMost) {
      const int group = static_cast<int>(random_() % (kFirstTablets * kGroupsPerTablet));
      const auto split = client_.SplitTablet(HistoryLoad::kTable, HistoryLoad::GroupName(group));
      return split ? Status() : split.error();
    }
    if (kind <= 3 && !tablet.range.start.empty()) {
      const auto merge = client_.MergeTablets(HistoryLoad::kTable, tablet.range.start);
      return merge ? Status() : merge.error();
    }
    std::vector<ServerName> outside;
    for (int i = 1; i <= kElasticServers; ++i) {
      const ServerName name = "ts-" + std::to_string(i);
      if (std::ranges::find(tablet.voters, name) == tablet.voters.end()) outside.push_back(name);
    }
    const ServerName& voter = tablet.voters[random_() % tablet.voters.size()];
    if (kind < 8 && !outside.empty())
      return client_.MoveTablet(HistoryLoad::kTable, key, {.from = voter, .to = outside[random_() % outside.size()]});
    return client_.TransferTablet(HistoryLoad::kTable, key, voter);
  }

  Status DrainForAWhile(const ServerName& server) {
    const auto begun = client_.SetServer(server, {.draining = true, .maintenance = std::nullopt});
    if (!begun) return begun.error();
    for (const auto end = WallClock::now() + kDrainFor; !over_ && WallClock::now() < end;)
      std::this_thread::sleep_for(50ms);
    while (true) {
      const auto ended = client_.SetServer(server, {.draining = false, .maintenance = std::nullopt});
      if (ended || over_) return ended ? Status() : ended.error();
    }
  }

  const Client& client_;
  std::mt19937_64 random_;
  std::atomic<bool> over_ = false;
  std::atomic<int> done_ = 0;
  std::thread thread_;  // declared last, because it uses the members above
};

}  // namespace

ScenarioReport OutagesInChanges(const OutagesInChangesOptions& options) {
  auto begun = ScenarioRun::Begin(
      {.servers = kElasticServers},
      {.clients = 32, .tablets = kFirstTablets, .groups_per_tablet = kGroupsPerTablet, .seed = options.seed},
      options.say);
  if (!begun) return NotBegun(begun.error());
  ScenarioRun& scenario = **begun;
  std::mt19937_64 random(options.seed);
  const auto between = [&](milliseconds least, milliseconds most) {
    return least + milliseconds(random() % static_cast<uint64_t>((most - least).count()));
  };
  std::vector<int> all(kFirstTablets);
  std::iota(all.begin(), all.end(), 0);
  std::vector<milliseconds> waits;
  int changes_done = 0;
  auto judged = WallClock::now();
  const auto round = [&](int number) -> Status {
    std::this_thread::sleep_for(between(50ms, 800ms));
    const auto length = between(1s, options.length);
    EBLA_TRY(scenario.launcher().Kill("zookeeper", SIGSTOP));
    std::this_thread::sleep_for(length);
    EBLA_TRY(scenario.launcher().Kill("zookeeper", SIGCONT));
    EBLA_TRY(scenario.AwaitService(all, WallClock::now()));
    waits.push_back(scenario.load().TakeLongestWait());
    scenario.Tell("ZooKeeper was stopped for " + std::to_string(length.count()) + " ms: longest wait " +
                  std::to_string(waits.back().count()) + " ms");
    if (waits.back() > options.worst_max) {
      scenario.Fault("an operation waited " + std::to_string(waits.back().count()) + " ms in round " +
                     std::to_string(number));
    }
    if (WallClock::now() < judged + kOutagesJudgedEvery) return {};
    scenario.Judge();
    scenario.load().TakeLongestWait();
    judged = WallClock::now();
    return {};
  };
  const auto run = [&]() -> Status {
    // Only what is asked for here happens.
    if (const auto off = scenario.load().observer().Planner({.enabled = false}); !off) return off.error();
    EBLA_TRY(scenario.Settle(kOperationsPerStep));
    scenario.load().TakeLongestWait();
    SteadyChanges changes(scenario.load().observer(), options.seed);
    for (int number = 0; number < options.pauses && scenario.faultless(); ++number) EBLA_TRY(round(number));
    changes.Stop();
    changes_done = changes.done();
    EBLA_TRY(scenario.Settle(kOperationsPerStep));
    scenario.Judge();
    return scenario.Check();
  };
  if (const Status status = run(); !status.ok()) scenario.Fault(status.ToString());
  if (changes_done < options.pauses) scenario.Fault("only " + std::to_string(changes_done) + " changes were made");
  return scenario.Finish("ZooKeeper stopped " + std::to_string(waits.size()) + " times while " +
                             std::to_string(changes_done) + " changes were made: longest wait " +
                             std::to_string(Percentile(waits, 0.5).count()) + " ms in the median, " +
                             std::to_string(Percentile(waits, 1).count()) + " at the worst",
                         options.pauses * kOperationsPerStep);
}

}  // namespace ebla::chaos
