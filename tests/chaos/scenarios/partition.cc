// The scenarios of a cut network: scenarios.h says what they prove.
#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "tests/chaos/namespaces/network_namespaces.h"
#include "tests/chaos/scenarios/scenario_run.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Names = std::vector<std::string>;

constexpr int64_t kOperationsPerPartition = 300;
constexpr char kClients[] = "clients";
const Names kServerNames = {"ts-1", "ts-2", "ts-3"};
const Names kControlSide = {"zookeeper", "m-1", "m-2"};

Names Everybody() {
  Names all = kServerNames;
  all.insert(all.end(), kControlSide.begin(), kControlSide.end());
  all.push_back(kClients);
  return all;
}

struct PrimarysCut : NetworkCut {
  bool victim_alone = false;  // its tablets are to be served by others in time
};

// The first rounds isolate the server with most primaries, in every way; later rounds cut a random set from another.
PrimarysCut DrawRound(int round, const ServerName& victim, std::mt19937_64& random) {
  const Names rest = NamesWithout(Everybody(), {victim});
  switch (round) {
    case 0: return {{{victim}, rest, true}, true};
    case 1: return {{{victim}, rest, false}, true};
    case 2: return {{rest, {victim}, false}, true};
    case 3: return {{{victim}, kControlSide, true}, false};
    default: return {DrawCut(Everybody(), random), false};
  }
}

ScenarioReport Run(const PartitionOptions& options) {
  auto namespaces = NetworkNamespaces::Make(Everybody());
  if (!namespaces) return NotBegun(namespaces.error());
  testing::TestClusterOptions cluster;
  cluster.launch_context = [&](const std::string& name) { return (*namespaces)->LaunchContextOf(name); };
  auto begun = ScenarioRun::Begin(std::move(cluster), {.seed = options.seed}, options.say, namespaces->get(), kClients);
  if (!begun) return NotBegun(begun.error());
  ScenarioRun& scenario = **begun;
  std::mt19937_64 random(options.seed);
  int rounds = 0;
  milliseconds worst{0};
  const auto round = [&]() -> Status {
    EBLA_TRY(scenario.Settle(kOperationsPerPartition));
    EBLA_ASSIGN(const ServerName victim, scenario.load().LeadsMost());
    EBLA_ASSIGN(const std::vector<int> led, scenario.load().LedBy(victim));
    const PrimarysCut cut = DrawRound(rounds, victim, random);
    scenario.Tell("cut " + std::to_string(++rounds) + ": " + cut.ToString());
    const auto moment = WallClock::now();
    EBLA_TRY((*namespaces)->Cut(cut));
    const Status served = cut.victim_alone ? scenario.AwaitService(led, WallClock::now()) : Status::Ok();
    milliseconds longest{0};
    for (const int tablet : led)
      longest = std::max(longest, scenario.load().outages().Longest(tablet, moment).value_or(Gap()).length);
    std::this_thread::sleep_until(moment + options.length);
    EBLA_TRY((*namespaces)->HealAll());
    EBLA_TRY(Status(served));
    if (cut.victim_alone) {
      worst = std::max(worst, longest);
      scenario.Tell("  its " + std::to_string(led.size()) + " tablets went without service for " +
                    std::to_string(longest.count()) + " ms");
      if (longest > options.worst_max) scenario.Fault("without service for too long: " + cut.ToString());
    }
    return scenario.Settle(kOperationsPerPartition);
  };
  scenario.Repeat(options.rounds, round);
  return scenario.Finish(std::to_string(rounds) + " cuts of " + std::to_string(options.length.count()) +
                             " ms; tablets of an isolated server went without service for " +
                             std::to_string(worst.count()) + " ms at the worst",
                         rounds * kOperationsPerPartition);
}

}  // namespace

ScenarioReport Partition(const PartitionOptions& options) {
  return OnThreadOfItsOwn([&] { return Run(options); });
}

}  // namespace ebla::chaos
