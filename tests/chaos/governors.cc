// The scenario without ZooKeeper and masters: scenarios.h says what it proves.
#include <signal.h>

#include <chrono>
#include <numeric>
#include <thread>

#include "tests/chaos/trial.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kOperationsBefore = 2'000;  // so that every client has been to every tablet
constexpr auto kGovernTimeMax = 60s;
constexpr auto kJudgeEvery = 4s;  // a longer history takes too long to search

const std::vector<std::string> kGovernors = {"m-1", "m-2", "zookeeper"};

// Whether anybody governs: a table can be made.
Status Govern(const Client& client, const std::string& name, std::chrono::milliseconds patience) {
  if (const auto made = client.CreateTable(name, {.deadline = patience}); !made) return made.error();
  return client.DropTable(name);
}

// One who was paused may believe for a moment that it leads still, and leave what it has begun to the next.
Status AwaitGovernment(const Client& client) {
  const auto deadline = WallClock::now() + kGovernTimeMax;
  Status status;
  for (int attempt = 0; attempt == 0 || WallClock::now() < deadline; ++attempt) {
    status = Govern(client, "governed-" + std::to_string(attempt), kGovernTimeMax);
    if (status.ok()) break;
  }
  return status;
}

Status Remove(Trial& trial, bool pause) {
  for (const std::string& name : kGovernors) EBLA_TRY(trial.launcher().Kill(name, pause ? SIGSTOP : SIGKILL));
  return Status::Ok();
}

Status Return(Trial& trial, bool pause) {
  for (auto name = kGovernors.rbegin(); name != kGovernors.rend(); ++name)
    EBLA_TRY(pause ? trial.launcher().Kill(*name, SIGCONT) : trial.launcher().Restart(*name, false));
  return trial.launcher().WaitUntilReady();
}

}  // namespace

ScenarioReport GovernorsAway(const GovernorsAwayOptions& options) {
  auto begun = Trial::Begin({}, {.seed = options.seed, .primary_percent = 15, .weak_percent = 45, .sessions = true},
                            options.say);
  if (!begun) return NotBegun(begun.error());
  Trial& trial = **begun;
  int64_t answered = 0;
  const auto run = [&]() -> Status {
    EBLA_TRY(trial.Settle(kOperationsBefore));
    EBLA_TRY(Remove(trial, options.pause));
    const auto removed = WallClock::now();
    const int64_t before = trial.load().answered();
    if (Govern(trial.load().observer(), "ungoverned", 1s).ok())
      return Error(Code::kInternal, "somebody governs, though ZooKeeper and all masters are away");
    // Every tablet is read and written throughout, and so to the end.
    std::vector<int> all(static_cast<size_t>(HistoryLoadOptions().tablets));
    std::iota(all.begin(), all.end(), 0);
    auto judged = removed;
    do {
      EBLA_TRY(trial.AwaitService(all, WallClock::now()));
      std::this_thread::sleep_for(100ms);
      if (WallClock::now() < judged + kJudgeEvery) continue;
      trial.Judge();
      judged = WallClock::now();
    } while (WallClock::now() < removed + options.length);
    answered = trial.load().answered() - before;
    trial.Tell(std::to_string(answered) + " operations answered in " + std::to_string(options.length.count()) +
               " ms without ZooKeeper and masters");
    // What a failover after their return may undo has no place in what follows.
    trial.load().AvoidPending();
    trial.Judge();
    EBLA_TRY(Return(trial, options.pause));
    EBLA_TRY(AwaitGovernment(trial.load().observer()));
    return trial.Settle(kOperationsBefore);
  };
  if (const Status status = run(); !status.ok()) trial.Fault(status.ToString());
  trial.Judge();
  if (answered < 10 * std::chrono::duration_cast<std::chrono::seconds>(options.length).count())
    trial.Fault("too little was answered while nobody governed");
  return trial.Finish(std::string("ZooKeeper and all masters ") + (options.pause ? "paused" : "killed") + " for " +
                          std::to_string(options.length.count()) + " ms, " + std::to_string(answered) +
                          " operations answered meanwhile",
                      2 * kOperationsBefore);
}

}  // namespace ebla::chaos
