// Scenarios that end or halt tablet servers: scenarios.h says what each of them proves.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <sstream>
#include <thread>

#include "tests/chaos/scenarios/scenario_run.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr int64_t kOperationsBetweenHarms = 300;

// The outages of one victim's tablets, each a sample.
class Outages {
 public:
  Status Measure(ScenarioRun& scenario, const std::vector<int>& tablets, WallClock::time_point moment) {
    EBLA_TRY(scenario.AwaitService(tablets, moment));
    last_ = {};
    for (const int tablet : tablets) {
      const auto gap = scenario.load().outages().Longest(tablet, moment);
      if (!gap) return Error(Code::kInternal, "a tablet that serves has answered nothing");
      gaps_.push_back(gap->length);
      last_ = std::max(last_, gap->length);
    }
    return Status::Ok();
  }
  milliseconds last() const { return last_; }  // the worst of the last victim
  size_t size() const { return gaps_.size(); }
  milliseconds At(double part) { return Percentile(gaps_, part); }
  std::string ToString() {
    std::ostringstream text;
    text << gaps_.size() << " tablets without service for " << At(0.5).count() << " ms in the median, "
         << At(0.99).count() << " ms at p99, " << At(1).count() << " ms at the worst";
    return text.str();
  }

 private:
  std::vector<milliseconds> gaps_;
  milliseconds last_{0};
};

}  // namespace

ScenarioReport KillPrimaries(const FailoverOptions& options) {
  auto begun = ScenarioRun::Begin({.servers = options.servers}, {.seed = options.seed}, options.say);
  if (!begun) return NotBegun(begun.error());
  ScenarioRun& scenario = **begun;
  std::mt19937_64 random(options.seed);
  Outages outages;
  int kills = 0;
  const auto round = [&]() -> Status {
    EBLA_TRY(scenario.Settle(kOperationsBetweenHarms));
    EBLA_ASSIGN(const ServerName victim, scenario.load().LeadsMost());
    EBLA_ASSIGN(const std::vector<int> led, scenario.load().LedBy(victim));
    const auto moment = WallClock::now();
    EBLA_TRY(scenario.launcher().Kill(victim, SIGKILL));
    ++kills;
    EBLA_TRY(outages.Measure(scenario, led, moment));
    scenario.Tell("kill " + std::to_string(kills) + ": " + victim + ", which led " + std::to_string(led.size()) +
                  " tablets: " + std::to_string(outages.last().count()) + " ms");
    std::this_thread::sleep_for(milliseconds(random() % 300));
    return scenario.launcher().Restart(victim);
  };
  scenario.Repeat(options.kills, round);
  if (outages.At(0.5) > options.median_max) scenario.Fault("without service for too long in the median");
  if (outages.At(1) > options.worst_max) scenario.Fault("without service for too long at the worst");
  if (outages.size() < static_cast<size_t>(kills)) scenario.Fault("the victims were primaries of too few tablets");
  return scenario.Finish(std::to_string(kills) + " kills of the server that led most; " + outages.ToString(),
                         kills * kOperationsBetweenHarms);
}

ScenarioReport PausePrimaries(const PauseOptions& options) {
  auto begun = ScenarioRun::Begin({}, {.seed = options.seed}, options.say);
  if (!begun) return NotBegun(begun.error());
  ScenarioRun& scenario = **begun;
  Outages outages;
  int pauses = 0;
  const auto round = [&]() -> Status {
    EBLA_TRY(scenario.Settle(kOperationsBetweenHarms));
    EBLA_ASSIGN(const ServerName victim, scenario.load().LeadsMost());
    EBLA_ASSIGN(const std::vector<int> led, scenario.load().LedBy(victim));
    const auto moment = WallClock::now();
    EBLA_TRY(scenario.launcher().Kill(victim, SIGSTOP));
    const Status served = outages.Measure(scenario, led, moment);
    std::this_thread::sleep_until(moment + options.length);
    EBLA_TRY(scenario.launcher().Kill(victim, SIGCONT));
    EBLA_TRY(Status(served));
    scenario.Tell("pause " + std::to_string(++pauses) + ": " + victim + ", which led " + std::to_string(led.size()) +
                  " tablets: " + std::to_string(outages.last().count()) + " ms");
    return scenario.Settle(kOperationsBetweenHarms);
  };
  scenario.Repeat(options.pauses, round);
  // Others took over while it slept, else nothing was put to the test.
  if (outages.At(1) >= options.length) scenario.Fault("nobody took over from a paused server");
  return scenario.Finish(
      std::to_string(pauses) + " pauses of " + std::to_string(options.length.count()) + " ms; " + outages.ToString(),
      pauses * kOperationsBetweenHarms);
}

ScenarioReport RestartAll(const RestartAllOptions& options) {
  auto begun = ScenarioRun::Begin({}, {.seed = options.seed}, options.say);
  if (!begun) return NotBegun(begun.error());
  ScenarioRun& scenario = **begun;
  std::mt19937_64 random(options.seed);
  const std::vector<std::string> servers = {"ts-1", "ts-2", "ts-3"};
  milliseconds longest{0};
  int rounds = 0;
  const auto round = [&]() -> Status {
    EBLA_TRY(scenario.Settle(kOperationsBetweenHarms));
    std::this_thread::sleep_for(milliseconds(random() % 500));
    const auto moment = WallClock::now();
    for (const std::string& server : servers) EBLA_TRY(scenario.launcher().Kill(server, SIGKILL));
    for (const std::string& server : servers) EBLA_TRY(scenario.launcher().Restart(server, false));
    EBLA_TRY(scenario.launcher().WaitUntilReady());
    EBLA_TRY(scenario.Settle(kOperationsBetweenHarms));
    for (int tablet = 0; tablet < HistoryLoadOptions().tablets; ++tablet)
      longest = std::max(longest, scenario.load().outages().Longest(tablet, moment).value_or(Gap()).length);
    scenario.Tell("restart " + std::to_string(++rounds) + " of all servers at once");
    return Status::Ok();
  };
  scenario.Repeat(options.rounds, round);
  return scenario.Finish(std::to_string(rounds) + " restarts of all servers, longest time without service " +
                             std::to_string(longest.count()) + " ms",
                         2 * rounds * kOperationsBetweenHarms);
}

}  // namespace ebla::chaos
