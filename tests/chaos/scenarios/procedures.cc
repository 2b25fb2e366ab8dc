// The scenario of an operator without rest: scenarios.h says what it proves. A kind of procedure is one line of kKinds.
#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <sstream>
#include <thread>

#include "tests/chaos/scenarios/scenario_run.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr auto kJudgeStepEvery = 3s;  // a longer history takes too long to search
constexpr auto kDrainTimeMax = 60s;
constexpr int kDrawsMax = 100;

class Operator {
 public:
  Operator(ScenarioRun& scenario, uint64_t seed) : run_(scenario), client_(scenario.load().observer()), random_(seed) {}

  // One procedure, from its order to its end.
  // Each kind once, then any.
  Status Next() {
    const Kind& kind = kKinds[begun_ < std::size(kKinds) ? begun_ : random_() % std::size(kKinds)];
    ++begun_;
    EBLA_TRY(run_.load().AwaitProgress(kOperationsPerStep));
    run_.load().TakeLongestWait();
    const auto begun = WallClock::now();
    const Status status = (this->*kind.run)();
    const auto took = std::chrono::duration_cast<milliseconds>(WallClock::now() - begun);
    if (!status.ok()) return Error(status.code(), std::string(kind.name) + " " + what_ + ": " + status.message());
    const auto wait = run_.load().TakeLongestWait();
    done_[kind.name].push_back(wait);
    run_.Tell(std::string(kind.name) + " " + what_ + ": " + std::to_string(took.count()) + " ms, longest wait " +
              std::to_string(wait.count()) + " ms");
    return Status::Ok();
  }

  // With as many servers left as a tablet has replicas, none of these can be drained, and the answer explains why.
  Status RefuseTheLast() {
    const std::vector<ServerName> emptied = {"ts-1", "ts-2"};
    for (const ServerName& server : emptied) EBLA_TRY(Drain(server));
    const Result<size_t> refused = client_.SetServer("ts-3", {.draining = true, .maintenance = std::nullopt});
    if (refused) return Error(Code::kInternal, "a server is drained whose replicas nobody can take");
    run_.Tell("a drain is refused: " + refused.error().ToString());
    if (refused.error().code() != Code::kConditionFailed || refused.error().message().empty())
      return Error(Code::kInternal, "a drain was refused otherwise than it should be: " + refused.error().ToString());
    for (const ServerName& server : emptied) EBLA_TRY(Undrain(server));
    return Status::Ok();
  }

  std::string ToString() const {
    std::ostringstream text;
    for (const Kind& kind : kKinds) {
      const auto found = done_.find(kind.name);
      std::vector<milliseconds> waits = found == done_.end() ? std::vector<milliseconds>() : found->second;
      text << (&kind == kKinds ? "" : "; ") << waits.size() << " times " << kind.name;
      if (!waits.empty())
        text << " (longest wait " << Percentile(waits, 0.5).count() << " ms in the median, "
             << Percentile(waits, 1).count() << " at the worst)";
    }
    return text.str();
  }
  // Kinds that were never carried out.
  std::vector<std::string> Missing() const {
    std::vector<std::string> names;
    for (const Kind& kind : kKinds)
      if (!done_.contains(kind.name)) names.emplace_back(kind.name);
    return names;
  }

 private:
  struct Kind {
    const char* name;
    Status (Operator::*run)();
  };
  static const Kind kKinds[5];

  Result<TabletSummary> AnyTablet() {
    EBLA_ASSIGN(auto tablets, client_.ListTablets(HistoryLoad::kTable));
    return tablets[random_() % tablets.size()];
  }
  // Servers that live and are not draining.
  Result<std::vector<ServerName>> Servers() {
    EBLA_ASSIGN(const auto servers, client_.ListServers());
    std::vector<ServerName> names;
    for (const ServerSummary& server : servers)
      if (server.live && !server.draining) names.push_back(server.name);
    return names;
  }
  template <class Names>
  static bool Has(const Names& names, const ServerName& name) {
    return std::ranges::find(names, name) != names.end();
  }
  // Any key of it to name it by.
  static std::string KeyIn(const TabletSummary& tablet) { return tablet.range.start + '\0'; }

  // Between two groups, as a batch is within one; every fourth time just above the last key of a group.
  Status Split() {
    for (int draw = 0; draw < kDrawsMax; ++draw) {
      const int group = static_cast<int>(random_() % (kFirstTablets * kGroupsPerTablet));
      const std::string key =
          random_() % 4 == 0 ? KeyAfter(HistoryLoad::LastKey(group)) : HistoryLoad::GroupName(group);
      EBLA_ASSIGN(const auto tablets, client_.ListTablets(HistoryLoad::kTable));
      const auto tablet =
          std::ranges::find_if(tablets, [&](const TabletSummary& one) { return one.range.Contains(key); });
      if (tablet == tablets.end() || tablet->range.start == key) continue;
      what_ = "of tablet " + std::to_string(tablet->id.value) + " at \"" + key.c_str() + "\"";
      const auto split = client_.SplitTablet(HistoryLoad::kTable, key);
      return split ? Status() : split.error();
    }
    return Error(Code::kInternal, "no tablet is left that can be split");
  }

  // A random one with the one before it, wherever the two lie; where all are one by now, it is split first.
  Status Merge() {
    EBLA_ASSIGN(auto tablets, client_.ListTablets(HistoryLoad::kTable));
    if (tablets.size() == 1) {
      EBLA_TRY(Split());
      EBLA_ASSIGN(tablets, client_.ListTablets(HistoryLoad::kTable));
    }
    std::erase_if(tablets, [](const TabletSummary& tablet) { return tablet.range.start.empty(); });
    if (tablets.empty()) return Error(Code::kInternal, "the listing shows a split's two tablets as one");
    const TabletSummary& second = tablets[random_() % tablets.size()];
    what_ = "of tablet " + std::to_string(second.id.value) + " with the one before it";
    const auto merge = client_.MergeTablets(HistoryLoad::kTable, second.range.start);
    return merge ? Status() : merge.error();
  }

  Status Move() {
    EBLA_ASSIGN(const TabletSummary tablet, AnyTablet());
    EBLA_ASSIGN(std::vector<ServerName> others, Servers());
    std::erase_if(others, [&](const ServerName& name) { return Has(tablet.voters, name); });
    const ServerName from = tablet.voters[random_() % tablet.voters.size()];
    const ServerName to = others[random_() % others.size()];
    what_ = "of tablet " + std::to_string(tablet.id.value) + " from " + from + " to " + to;
    return client_.MoveTablet(HistoryLoad::kTable, KeyIn(tablet), {.from = from, .to = to});
  }

  Status Transfer() {
    EBLA_ASSIGN(const TabletSummary tablet, AnyTablet());
    EBLA_ASSIGN(std::vector<ServerName> others, Servers());
    std::erase_if(others, [&](const ServerName& name) { return !Has(tablet.voters, name) || name == tablet.primary; });
    const ServerName to = others[random_() % others.size()];
    what_ = "of tablet " + std::to_string(tablet.id.value) + " from " + tablet.primary + " to " + to;
    return client_.TransferTablet(HistoryLoad::kTable, KeyIn(tablet), to);
  }

  // The rest of the changes continues meanwhile.
  Status DrainAndBack() {
    const ServerName server = "ts-" + std::to_string(1 + random_() % kElasticServers);
    EBLA_ASSIGN(const size_t replicas, client_.SetServer(server, {.draining = true, .maintenance = std::nullopt}));
    EBLA_TRY(Split());
    EBLA_TRY(AwaitEmpty(server));
    what_ = "of " + server + " with " + std::to_string(replicas) + " replicas";
    return Undrain(server);
  }
  Status Drain(const ServerName& server) {
    EBLA_ASSIGN(const size_t replicas, client_.SetServer(server, {.draining = true, .maintenance = std::nullopt}));
    run_.Tell(server + " has " + std::to_string(replicas) + " replicas to give away");
    return AwaitEmpty(server);
  }
  Status Undrain(const ServerName& server) {
    const auto end = client_.SetServer(server, {.draining = false, .maintenance = std::nullopt});
    return end ? Status() : end.error();
  }
  Status AwaitEmpty(const ServerName& server) {
    std::string note;
    for (const auto deadline = WallClock::now() + kDrainTimeMax; WallClock::now() < deadline;
         std::this_thread::sleep_for(50ms)) {
      EBLA_ASSIGN(const auto servers, client_.ListServers());
      const auto found = std::ranges::find(servers, server, &ServerSummary::name);
      if (found != servers.end() && found->tablets == 0) return Status::Ok();
      if (found != servers.end()) note = std::to_string(found->tablets) + " replicas left; " + found->note;
    }
    return Error(Code::kUnavailable, server + " is not empty in time: " + note);
  }

  ScenarioRun& run_;
  const Client& client_;
  std::mt19937_64 random_;
  size_t begun_ = 0;
  std::string what_;
  std::map<std::string, std::vector<milliseconds>> done_;  // the longest wait meanwhile of each
};

const Operator::Kind Operator::kKinds[] = {{"split", &Operator::Split},
                                           {"merge", &Operator::Merge},
                                           {"move", &Operator::Move},
                                           {"transfer", &Operator::Transfer},
                                           {"drain", &Operator::DrainAndBack}};

}  // namespace

ScenarioReport Procedures(const ProceduresOptions& options) {
  auto begun = ScenarioRun::Begin(
      {.servers = kElasticServers},
      {.clients = 32, .tablets = kFirstTablets, .groups_per_tablet = kGroupsPerTablet, .seed = options.seed},
      options.say);
  if (!begun) return NotBegun(begun.error());
  ScenarioRun& scenario = **begun;
  Operator op(scenario, options.seed);
  auto judged = WallClock::now();
  const auto judge = [&](bool now) {
    if (!now && WallClock::now() < judged + kJudgeStepEvery) return;
    scenario.Judge();
    judged = WallClock::now();
  };
  const auto run = [&]() -> Status {
    // Only what is ordered here happens.
    if (const auto off = scenario.load().observer().Planner({.enabled = false}); !off) return off.error();
    EBLA_TRY(scenario.Settle(kOperationsPerStep));
    for (int done = 0; done < options.procedures && scenario.faultless(); ++done) {
      EBLA_TRY(op.Next());
      judge(false);
    }
    EBLA_TRY(op.RefuseTheLast());
    EBLA_TRY(scenario.Settle(kOperationsPerStep));
    judge(true);
    return scenario.Check();
  };
  if (const Status status = run(); !status.ok()) scenario.Fault(status.ToString());
  judge(true);
  for (const std::string& kind : op.Missing()) scenario.Fault("there was no " + kind);
  return scenario.Finish(op.ToString(), options.procedures * kOperationsPerStep);
}

}  // namespace ebla::chaos
