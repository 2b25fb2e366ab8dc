// The scenario without ZooKeeper and masters: scenarios.h says what it proves.
#include <signal.h>

#include <chrono>
#include <numeric>
#include <thread>

#include "tests/chaos/scenarios/scenario_run.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kOperationsBefore = 2'000;  // so that every client has been to every tablet
constexpr auto kControlPlaneTimeMax = 60s;
constexpr auto kJudgeEvery = 4s;  // a longer history takes too long to search

const std::vector<std::string> kControlPlane = {"m-1", "m-2", "zookeeper"};

// Whether the control plane works: a table can be made.
Status MakeAndDropTable(const Client& client, const std::string& name, std::chrono::milliseconds patience) {
  if (const auto made = client.CreateTable(name, {.deadline = patience}); !made) return made.error();
  return client.DropTable(name);
}

// A paused master may believe for a moment that it still leads, and leave a begun change to the next master.
Status AwaitControlPlane(const Client& client) {
  const auto deadline = WallClock::now() + kControlPlaneTimeMax;
  Status status;
  for (int attempt = 0; attempt == 0 || WallClock::now() < deadline; ++attempt) {
    status = MakeAndDropTable(client, "after-outage-" + std::to_string(attempt), kControlPlaneTimeMax);
    if (status.ok()) break;
  }
  return status;
}

Status Remove(ScenarioRun& scenario, bool pause) {
  for (const std::string& name : kControlPlane) EBLA_TRY(scenario.launcher().Kill(name, pause ? SIGSTOP : SIGKILL));
  return Status::Ok();
}

Status Return(ScenarioRun& scenario, bool pause) {
  for (auto name = kControlPlane.rbegin(); name != kControlPlane.rend(); ++name)
    EBLA_TRY(pause ? scenario.launcher().Kill(*name, SIGCONT) : scenario.launcher().Restart(*name, false));
  return scenario.launcher().WaitUntilReady();
}

}  // namespace

ScenarioReport ControlPlaneOutage(const ControlPlaneOutageOptions& options) {
  auto begun = ScenarioRun::Begin(
      {}, {.seed = options.seed, .primary_percent = 15, .weak_percent = 45, .sessions = true}, options.say);
  if (!begun) return NotBegun(begun.error());
  ScenarioRun& scenario = **begun;
  int64_t answered = 0;
  const auto run = [&]() -> Status {
    EBLA_TRY(scenario.Settle(kOperationsBefore));
    EBLA_TRY(Remove(scenario, options.pause));
    const auto removed = WallClock::now();
    const int64_t before = scenario.load().answered();
    if (MakeAndDropTable(scenario.load().observer(), "during-outage", 1s).ok())
      return Error(Code::kInternal, "a table was made, though ZooKeeper and all masters are away");
    // Every tablet is read and written throughout, and so to the end.
    std::vector<int> all(static_cast<size_t>(HistoryLoadOptions().tablets));
    std::iota(all.begin(), all.end(), 0);
    auto judged = removed;
    do {
      EBLA_TRY(scenario.AwaitService(all, WallClock::now()));
      std::this_thread::sleep_for(100ms);
      if (WallClock::now() < judged + kJudgeEvery) continue;
      scenario.Judge();
      judged = WallClock::now();
    } while (WallClock::now() < removed + options.length);
    answered = scenario.load().answered() - before;
    scenario.Tell(std::to_string(answered) + " operations answered in " + std::to_string(options.length.count()) +
                  " ms without ZooKeeper and masters");
    // The rest of the run must not depend on writes that a failover after their return may roll back.
    scenario.load().AvoidPending();
    scenario.Judge();
    EBLA_TRY(Return(scenario, options.pause));
    EBLA_TRY(AwaitControlPlane(scenario.load().observer()));
    return scenario.Settle(kOperationsBefore);
  };
  if (const Status status = run(); !status.ok()) scenario.Fault(status.ToString());
  scenario.Judge();
  if (answered < 10 * std::chrono::duration_cast<std::chrono::seconds>(options.length).count())
    scenario.Fault("too little was answered without the control plane");
  return scenario.Finish(std::string("ZooKeeper and all masters ") + (options.pause ? "paused" : "killed") + " for " +
                             std::to_string(options.length.count()) + " ms, " + std::to_string(answered) +
                             " operations answered meanwhile",
                         2 * kOperationsBefore);
}

}  // namespace ebla::chaos
